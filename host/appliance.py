# SPDX-License-Identifier: Apache-2.0
"""The appliance: every stage made from a configuration, wired, run and closed in order."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType

from host.book.book import Book
from host.book.order_book import OrderBook
from host.book.price_level_book import PriceLevelBook
from host.card_path import CardPath
from host.config import Config, ConfigError, Feed, Line
from host.engine import Engine
from host.feed.handler import FeedHandler
from host.feed.settings import MOST_REQUESTS, FeedSettings
from host.journal.recording import Recording
from host.line_port import open_line
from host.loop import Loop, PortRequests
from host.metrics.stages import StageClock
from host.order_entry import VenueStreams
from host.publish.feed_publisher import FeedPublisher
from host.publish.streams import PublishedStreams
from host.remote.desk import OrderDesk
from host.strategy.catalogue import make
from host.trading import Trading, VenueLogin, limits_of
from nic.affinity import pin
from nic.clock import Clock
from nic.frame import address_number
from nic.memory import lock_memory
from nic.port import Port
from nic.udp import UdpPort

SLICE_NS = 10_000_000
"""How long the loop runs before signals and sessions are looked at."""


def feed_settings(feed: Feed) -> FeedSettings:
    """The feed handler's limits and times, of the configuration's."""
    return FeedSettings(
        gap_wait_ns=feed.gap_wait_ns,
        request_retry_ns=feed.request_retry_ns,
        # as often as there is time for: the gap's limit alone says when it is given up
        request_limit=min(MOST_REQUESTS, 1 + feed.gap_limit_ns // feed.request_retry_ns),
        gap_limit_ns=feed.gap_limit_ns,
        stale_ns=feed.stale_ns,
        maximum_gap_messages=1_000_000,
    )


class Appliance:
    """One appliance, from configuration to report; use as a context manager.

    ``card``: in the path of feed and orders; closed with the appliance.
    Raises :class:`ConfigError`, :class:`nic.port.PortError` or ``OSError`` in one line where it
    can't be made; what was opened until then is closed.
    """

    def __init__(self, config: Config, card: CardPath | None = None) -> None:
        self.config = config
        self.card = card
        self._closing = contextlib.ExitStack()
        with contextlib.ExitStack() as opening:
            self._open(opening)
            self._closing = opening.pop_all()

    def _open(self, opening: contextlib.ExitStack) -> None:
        config = self.config
        if self.card is not None:
            opening.callback(self.card.close)
        defaults = limits_of(config.risk.defaults, None, "risk.defaults")
        self._pending_limits = {
            symbol: limits_of(values, defaults, f"risk.symbols.{symbol}")
            for symbol, values in config.risk.symbols.items()
        }
        self._pending_venues = dict(config.execution.symbol_venues)
        self.memory = lock_memory()
        self.clock = Clock()
        self.lines = [
            opening.enter_context(self._open_line(number, line))
            for number, line in enumerate(config.feed.lines)
        ]
        self.recovery = self._open_recovery(opening)
        self.recording = Recording(
            config.journal.path,
            capacity_bytes=config.journal.ring_bytes,
            description="tickwire appliance",
            created_ns=self.clock.now_ns(),
        )
        opening.callback(lambda: self.recording.close(self.clock.now_ns()))
        self.streams = VenueStreams(config.order_entry, config.venues)
        opening.callback(self.streams.close)
        self._make_stages()
        self.publisher = self._open_publisher(opening)
        self.desk = self._open_desk(opening)
        self.trading.set_limits(None, defaults)
        self.recording.journal.write_json(
            "configuration", self.clock.now_ns(), config.model_dump(mode="json")
        )

    def _open_line(self, number: int, line: Line) -> Port:
        port = open_line(line)
        if self.card is None:
            return port
        return self.card.through(number, port, (str(line.group), line.port))

    def _open_recovery(self, opening: contextlib.ExitStack) -> UdpPort | None:
        recovery = self.config.feed.recovery
        if recovery is None:
            return None
        return opening.enter_context(
            UdpPort(
                bind=("0.0.0.0", 0),
                interface=recovery.interface or None,
                destination=(str(recovery.address), recovery.port),
                connect=True,
                name="re-request",
            )
        )

    def _open_publisher(self, opening: contextlib.ExitStack) -> FeedPublisher | None:
        settings = self.config.feed_publish
        if settings is None:
            return None
        self.streams_published = opening.enter_context(PublishedStreams(settings))
        publisher = FeedPublisher(
            self.streams_published.events,
            self.engine.book,
            refresh_ns=settings.refresh_ns,
            t_ns=self.clock.now_ns(),
        )
        self.engine.set_tap(publisher)
        return publisher

    def _open_desk(self, opening: contextlib.ExitStack) -> OrderDesk | None:
        """The desk for orders of strategy hosts: for the engine one more strategy, the last."""
        publish = self.config.feed_publish
        if publish is None or publish.orders is None:
            return None
        settings, own = publish.orders, len(self.config.strategies)
        if self.card is not None and own + settings.hosts > self.card.gate.strategy_capacity:
            raise ConfigError(
                f"the card has room for {self.card.gate.strategy_capacity} strategies, with hosts"
            )
        desk = OrderDesk(
            self.trading.gate,
            self.trading.oms,
            own,
            hosts=settings.hosts,
            silence_ns=settings.silence_ns,
            cancels_on_disconnect=settings.cancel_on_disconnect,
        )
        self.engine.add_strategy(desk, own)
        opening.callback(desk.close)
        self.streams_published.serve_orders(desk, publish)
        return desk

    def _make_book(self) -> Book:
        book = self.config.book
        if self.config.feed.transport == "iextp":
            return PriceLevelBook(symbols=book.symbols, prefault=book.prefault)
        return OrderBook(symbols=book.symbols, orders=book.orders, prefault=book.prefault)

    def _make_stages(self) -> None:
        config = self.config
        self.engine = Engine(self._make_book(), is_measured=True)
        self.stages = StageClock(self.clock.ns_per_tick)
        logins = [
            VenueLogin(
                partial(self.streams.connect, venue),
                venue.username,
                venue.password,
                venue.session,
                venue.firm,
            )
            for venue in config.venues
        ]
        self.trading = Trading(
            self.engine,
            logins,
            self.recording.journal,
            self.stages,
            self.card.gate if self.card is not None else None,
        )
        if self.card is not None:
            self.card.attach(self.trading.gate)
            if len(config.strategies) > self.card.gate.strategy_capacity:
                raise ConfigError(
                    f"the card has room for {self.card.gate.strategy_capacity} strategies"
                )
        self.trading.execution.set_venue(None, self._venue_number(config.execution.venue))
        self.feed = FeedHandler(
            self.engine,
            PortRequests(self.recovery) if self.recovery is not None else None,
            transport=config.feed.transport,
            session=config.feed.session,
            start=1 if self.recovery is not None else "first",
            restart=config.feed.restart,
            settings=feed_settings(config.feed),
        )
        self.trading.connect(self.feed)
        for line, port in enumerate(config.feed.lines):
            self.engine.set_line(line, address_number(str(port.group)), port.port)
        for number, strategy in enumerate(config.strategies):
            try:
                made = make(
                    strategy.kind, strategy.symbols, strategy.parameters, config.book.symbols
                )
            except ValueError as error:
                raise ConfigError(f"strategies.{number}: {error}") from None
            self.engine.add_strategy(made, number)

    def _venue_number(self, name: str) -> int:
        return [venue.name for venue in self.config.venues].index(name)

    def _resolve_symbols(self) -> bool:
        """Apply what is configured per symbol, once the feed has shown it; whether all is."""
        for symbol in list(self._pending_limits):
            index = self.engine.symbol_index(symbol)
            if index >= 0:
                self.trading.set_limits(index, self._pending_limits.pop(symbol))
        for symbol in list(self._pending_venues):
            index = self.engine.symbol_index(symbol)
            if index >= 0:
                self.trading.execution.set_venue(
                    index, self._venue_number(self._pending_venues.pop(symbol))
                )
        return not self.symbols_awaited()

    def symbols_awaited(self) -> list[str]:
        """Symbols that are configured and that the feed has not shown: nothing trades before."""
        return sorted({*self._pending_limits, *self._pending_venues})

    def _drive(self) -> None:
        """One slice of the loop, and the part of the sessions that needs Python.

        Who looks after the appliance lives as long as this is called: the gate's heartbeat.
        """
        now = self.clock.now_ns()
        self.trading.gate.heartbeat(now)
        self.trading.drive(now)
        if self.desk is not None:
            self.desk.service(now)
            for news in self.desk.take_news():
                self.recording.journal.write_json("command", now, {"strategy_host": news})
        self.loop.run(SLICE_NS)

    def run(self, should_stop: Callable[[], bool], on_ready: Callable[[], None]) -> None:
        """Run until ``should_stop`` says so, then stop in order: cancel, confirm, log out.

        ``on_ready`` is called once every session is up.
        """
        pin(self.config.engine.core)
        self.loop = Loop(
            self.engine,
            self.clock,
            self.lines,
            recovery=self.recovery,
            venues=self.trading.channels,
            desk=self.desk,
            spin=self.config.engine.spin,
            timer_interval_ns=self.config.engine.timer_interval_ns,
        )
        ready = resolved = False
        self.engine.enable_strategies(False)
        self.engine.start(self.clock.now_ns())
        while not should_stop() and self.trading.gate.card_failure() is None:
            self._drive()
            if not ready and self.trading.are_up():
                ready = True
                on_ready()
            if not resolved and self._resolve_symbols():
                resolved = True
                self.engine.enable_strategies(True)
        self._stop()

    def _stop(self) -> None:
        end = time.monotonic() + self.config.engine.stop_timeout_ns / 1e9
        self.engine.stop(self.clock.now_ns())
        while self.trading.oms.open_order_count and time.monotonic() < end:
            self._drive()
        self.open_orders_at_end = self.trading.oms.open_order_count
        for channel in self.trading.channels:
            channel.request_logout(self.clock.now_ns())
        self._drive()
        self.recording.journal.write_json(
            "counters", self.clock.now_ns(), {"order_entry": self.streams.report()}
        )
        if self.card is not None:
            self.card.finish()

    def kill(self) -> None:
        """Throw the global kill switch."""
        self.trading.gate.kill("global")
        self.recording.journal.write_json("command", self.clock.now_ns(), {"kill": "global"})

    def start_day(self) -> None:
        """Let the sums of the day begin anew."""
        self.trading.gate.start_day()
        self.recording.journal.write_json("command", self.clock.now_ns(), {"start_day": True})

    def release_strategy(self, number: int) -> None:
        """Let a strategy execute again as often as it may."""
        self.trading.gate.release_strategy(number)
        self.recording.journal.write_json(
            "command", self.clock.now_ns(), {"release_strategy": number}
        )

    def close(self) -> None:
        """Close ports and journal; once."""
        self._closing.close()

    def __enter__(self) -> Appliance:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
