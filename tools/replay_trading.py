# SPDX-License-Identifier: Apache-2.0
"""The trading half of a replay: a strategy whose orders meet the replayed market."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from host.capture_loop import CaptureLoop
from host.config import load
from host.engine import BookObserver, Engine
from host.feed.handler import FeedHandler
from host.interfaces import Recorder
from host.metrics.stages import StageClock
from host.strategy.catalogue import make
from host.trading import Trading, VenueLogin, limits_of
from sim.exchange.replay_venue import PASSWORD, USERNAME, ReplayObserver, ReplayVenue
from tools.report import nonzero

EXAMPLE = Path(__file__).parent / "examples" / "appliance.toml"
"""Where the limits of the risk gate come from."""
LOGIN_STEPS = 10


class ReplayTrading:
    """A strategy, the stages behind it and the replayed market, in one process."""

    def __init__(
        self,
        engine: Engine,
        strategy: str,
        *,
        parameters: dict[str, int | str | bool] | None = None,
        stages: StageClock | None = None,
    ) -> None:
        self.engine = engine
        self.venue = ReplayVenue(engine.book)
        login = VenueLogin(self.venue.connect, USERNAME, PASSWORD)
        self.trading = Trading(engine, [login], Recorder(), stages)
        # a recording has no control thread that could fall silent
        limits = {**load(EXAMPLE).risk.defaults, "heartbeat_timeout_ns": 0}
        self.trading.set_limits(None, limits_of(limits, None, "risk.defaults"))
        self.strategy = make(strategy, (), parameters or {}, engine.book.symbol_capacity)

    def connect(
        self, feed: FeedHandler, observer: BookObserver | None, first_ns: int, **options: Any
    ) -> CaptureLoop:
        """Wire the engine, log in at the recording's first moment, and return the loop to drive."""
        self.trading.connect(feed, ReplayObserver(self.venue.market, observer))
        self.engine.add_strategy(self.strategy, 0)
        for _ in range(LOGIN_STEPS):
            self.venue.step(first_ns)
            self.trading.channels[0].step(first_ns)
        if not self.trading.are_up():
            raise RuntimeError("the replayed market did not take the login")
        self.engine.start(first_ns)
        return CaptureLoop(
            self.engine, counterparty=self.venue, channel=self.trading.channels[0], **options
        )

    def finish(self, t_ns: int) -> None:
        """The recording is over: cancel what is open and take the answers."""
        self.engine.stop(t_ns)
        self.venue.step(t_ns)
        self.trading.channels[0].step(t_ns)

    def report(self) -> dict[str, Any]:
        """What the strategy did and what became of it."""
        positions = self.trading.oms.positions()
        names = self.engine.book.symbol_name
        return {
            "strategy": {**self.strategy.orders.counters(), **self.strategy.report()},
            "risk": nonzero(self.trading.gate.counters()),
            "orders": nonzero(self.trading.oms.counters()),
            "open_orders": self.trading.oms.open_order_count,
            "market": nonzero(self.venue.counters()),
            "positions": {names(index): found for index, found in sorted(positions.items())},
        }
