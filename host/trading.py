# SPDX-License-Identifier: Apache-2.0
"""The trading half, wired: execution, gate, order management and one channel per venue.

Live runs, replays and benchmarks differ in the streams at the end of the channels and in the
recorder; everything between is the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from host.book.book import Book
from host.config import ConfigError
from host.engine import BookObserver, Engine
from host.execution.execution import Execution
from host.feed.handler import FeedHandler
from host.gateway.ouch import OuchChannel
from host.gateway.soupbintcp import SoupBinTCPClient
from host.interfaces import Recorder
from host.metrics.stages import StageClock
from host.oms.oms import OrderManager
from host.risk.card_gate import CardGate
from host.risk.gate import RiskGate
from host.risk.seal import Seal
from nic.offload.enumerations import ALL_CHECKS, MARKET_PHASE, ORDER_TYPE, checks
from nic.offload.limits import Limits
from nic.stream import Stream

OPEN_ORDERS = 1 << 16
"""Orders that may be open at once."""


@dataclass(frozen=True, slots=True)
class VenueLogin:
    """How to reach one venue: what makes its stream, and the login."""

    connect: Callable[[], Stream]
    username: str
    password: str
    session: str = ""
    firm: str = ""


class Trading:
    """Gate, order management, execution and channels of one engine.

    ``stages`` takes the latencies (None: nothing is measured), ``recorder`` what the journal keeps.
    ``card``: the gate of a card in the path; ours then has its capacities. Raises
    :class:`ConfigError` for more symbols or venues than those.
    """

    def __init__(
        self,
        engine: Engine,
        venues: Sequence[VenueLogin],
        recorder: Recorder,
        stages: StageClock | None = None,
        card: CardGate | None = None,
    ) -> None:
        book: Book = engine.book
        seal = Seal(secrets.randbits(128))
        self.engine = engine
        symbols, orders = book.symbol_capacity, OPEN_ORDERS
        if card is not None:
            if symbols > card.symbol_capacity or len(venues) > card.venue_capacity:
                raise ConfigError(
                    f"the card has room for {card.symbol_capacity} symbols and "
                    f"{card.venue_capacity} venues, not {symbols} and {len(venues)}"
                )
            symbols, orders = card.symbol_capacity, card.order_capacity
        self.gate = RiskGate(symbols, orders, seal, recorder=recorder, offload=card)
        self.oms = OrderManager(self.gate, engine.events)
        self.channels = []
        for number, venue in enumerate(venues):
            client = SoupBinTCPClient(
                venue.connect, venue.username, venue.password, session=venue.session
            )
            channel = OuchChannel(
                client, seal, recorder, self.oms.reports, venue=number, firm=venue.firm
            )
            self.oms.set_channel(number, channel)
            self.channels.append(channel)
        self.execution = Execution(self.gate, book.symbol_capacity, stages)
        self._limits_sequence = 0

    def connect(self, feed: FeedHandler, observer: BookObserver | None = None) -> None:
        """Wire the engine to the feed handler and to these stages."""
        self.engine.connect(
            feed, self.execution, self.gate, self.oms, self.channels, observer=observer
        )

    def set_limits(self, symbol_index: int | None, limits: Limits) -> None:
        """Put a whole set of limits in force, under the next sequence number."""
        self._limits_sequence += 1
        self.gate.set_limits(symbol_index, limits, self._limits_sequence)

    def drive(self, t_ns: int) -> None:
        """What the sessions need Python for: connecting and closing."""
        for channel in self.channels:
            channel.drive(t_ns)

    def are_up(self) -> bool:
        """Whether every session is up."""
        return all(channel.reports.session_state_name == "up" for channel in self.channels)


NAMED_BITS = {"allowed_order_types": ORDER_TYPE, "allowed_phases": MARKET_PHASE}
"""Limits that a configuration gives as a list of names."""


def limits_of(values: Mapping[str, int | Sequence[str]], base: Limits | None, where: str) -> Limits:
    """A whole set of limits out of a configuration table; raises :class:`ConfigError`.

    ``disabled_checks`` names the checks that are not made; without it (and without a ``base``)
    every check is. ``allowed_order_types`` and ``allowed_phases`` may be lists of names.
    """
    merged = {**(asdict(base) if base else {"enabled_checks": ALL_CHECKS}), **values}
    try:
        if "disabled_checks" in merged:
            merged["enabled_checks"] = ALL_CHECKS & ~checks(*merged.pop("disabled_checks"))
        for name, table in NAMED_BITS.items():
            if not isinstance(merged.get(name, 0), int):
                merged[name] = sum({1 << table.value(entry) for entry in merged[name]})
        return Limits(**merged)
    except KeyError as error:
        raise ConfigError(f"{where}: {error.args[0]}") from None
    except (TypeError, ValueError) as error:
        text = str(error).removeprefix("Limits.__init__() ").removeprefix("__init__() ")
        raise ConfigError(f"{where}: {text}") from None
