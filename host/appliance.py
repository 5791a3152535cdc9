# SPDX-License-Identifier: Apache-2.0
"""The appliance: every stage made from a configuration, wired, run and closed in order."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from types import TracebackType

from host.book.order_book import OrderBook
from host.book.price_level_book import PriceLevelBook
from host.config import Config, ConfigError, Line
from host.engine import Engine
from host.execution.execution import Execution
from host.feed.handler import FeedHandler
from host.feed.settings import FeedSettings
from host.gateway.ouch import OuchChannel
from host.journal.recording import Recording
from host.loop import Loop, PortRequests
from host.metrics.stages import StageClock
from host.oms.oms import OrderManager
from host.risk.gate import RiskGate
from host.risk.limits import Limits
from host.risk.seal import Seal
from host.strategy.catalogue import make
from nic.affinity import pin
from nic.clock import Clock
from nic.frame import address_number
from nic.port import Port, PortError
from nic.tcp_stream import TcpStream
from nic.udp import UdpPort

SLICE_NS = 10_000_000
"""How long the loop runs before signals and sessions are looked at."""
OPEN_ORDERS = 1 << 16
"""Orders that may be open at once."""


def limits_of(values: dict[str, int], base: Limits | None, where: str) -> Limits:
    """A whole set of limits out of a configuration table; raises :class:`ConfigError`."""
    merged = {**(asdict(base) if base else {}), **values}
    try:
        return Limits(**merged)
    except (TypeError, ValueError) as error:
        text = str(error).removeprefix("Limits.__init__() ").removeprefix("__init__() ")
        raise ConfigError(f"{where}: {text}") from None


def open_line(line: Line) -> Port:
    """The port of one line; raises :class:`nic.port.PortError` in one line."""
    group = (str(line.group), line.port)
    if line.path == "af_xdp":
        try:
            from nic.af_xdp import AfXdpPort
        except ImportError:
            raise PortError("af_xdp was not built here: libbpf-dev is missing") from None
        return AfXdpPort(
            line.interface,
            destinations=[group],
            queue=line.queue,
            driver_mode=line.driver_mode,
            copy_mode=line.copy_mode,
            name=f"line {line.name}",
        )
    return UdpPort(
        group=group,
        interface=line.interface,
        receive_buffer_bytes=line.receive_buffer_bytes,
        busy_poll_us=line.busy_poll_us,
        name=f"line {line.name}",
    )


class Appliance:
    """One appliance, from configuration to report; use as a context manager.

    Raises :class:`ConfigError`, :class:`nic.port.PortError` or ``OSError`` in one line where it
    can't be made; what was opened until then is closed.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._closing = contextlib.ExitStack()
        with contextlib.ExitStack() as opening:
            self._open(opening)
            self._closing = opening.pop_all()

    def _open(self, opening: contextlib.ExitStack) -> None:
        config = self.config
        defaults = limits_of(config.risk.defaults, None, "risk.defaults")
        self._pending_limits = {
            symbol: limits_of(values, defaults, f"risk.symbols.{symbol}")
            for symbol, values in config.risk.symbols.items()
        }
        self._pending_venues = dict(config.execution.symbol_venues)
        self._limits_sequence = 0
        self.clock = Clock()
        self.lines = [opening.enter_context(open_line(line)) for line in config.feed.lines]
        self.recovery = self._open_recovery(opening)
        self.recording = Recording(
            config.journal.path,
            capacity_bytes=config.journal.ring_bytes,
            description="tickwire appliance",
            created_ns=self.clock.now_ns(),
        )
        opening.callback(lambda: self.recording.close(self.clock.now_ns()))
        self._make_stages()
        self._set_limits(None, defaults)
        self.recording.journal.write_json(
            "configuration", self.clock.now_ns(), config.model_dump(mode="json")
        )

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

    def _make_stages(self) -> None:
        config = self.config
        itch = config.feed.transport == "moldudp64"
        symbols = config.book.symbols
        if itch:
            self.book = OrderBook(
                symbols=symbols, orders=config.book.orders, prefault=config.book.prefault
            )
        else:
            self.book = PriceLevelBook(symbols=symbols, prefault=config.book.prefault)
        journal = self.recording.journal
        self.engine = Engine(self.book, is_measured=True)
        self.stages = StageClock(self.clock.ns_per_tick)
        seal = Seal(secrets.randbits(64), secrets.randbits(64))
        self.gate = RiskGate(symbols, OPEN_ORDERS, seal, recorder=journal)
        self.oms = OrderManager(self.gate, self.engine.events, symbols=symbols)
        self.channels = []
        for number, venue in enumerate(config.venues):
            connect = partial(TcpStream, str(venue.address), venue.port)
            channel = OuchChannel(
                connect,
                venue.username,
                venue.password,
                session=venue.session,
                firm=venue.firm,
                venue=number,
                seal=seal.checker(),
                recorder=journal,
                reports=self.oms.reports,
            )
            self.channels.append(channel)
            self.oms.set_channel(number, channel)
        self.execution = Execution(self.gate, symbols, self.stages)
        self.execution.set_venue(None, self._venue_number(config.execution.venue))
        self.feed = FeedHandler(
            self.engine,
            PortRequests(self.recovery) if self.recovery is not None else None,
            transport=config.feed.transport,
            session=config.feed.session,
            start=1 if self.recovery is not None else "first",
            restart=config.feed.restart,
            settings=self._feed_settings(),
        )
        self.engine.connect(self.feed, self.execution, self.gate, self.oms, self.channels)
        for line, port in enumerate(config.feed.lines):
            self.engine.set_line(line, address_number(str(port.group)), port.port)
        for number, strategy in enumerate(config.strategies):
            try:
                made = make(strategy.kind, strategy.symbols, strategy.parameters, symbols)
            except ValueError as error:
                raise ConfigError(f"strategies.{number}: {error}") from None
            self.engine.add_strategy(made, number)

    def _feed_settings(self) -> FeedSettings:
        feed = self.config.feed
        return FeedSettings(
            gap_wait_ns=feed.gap_wait_ns,
            request_retry_ns=feed.request_retry_ns,
            gap_limit_ns=feed.gap_limit_ns,
            stale_ns=feed.stale_ns,
            maximum_gap_messages=1_000_000,
        )

    def _venue_number(self, name: str) -> int:
        return [venue.name for venue in self.config.venues].index(name)

    def _set_limits(self, symbol_index: int | None, limits: Limits) -> None:
        self._limits_sequence += 1
        self.gate.set_limits(symbol_index, limits, self._limits_sequence)

    def _resolve_symbols(self) -> bool:
        """Apply what is configured per symbol, once the feed has shown it; whether all is."""
        for symbol in list(self._pending_limits):
            index = self.engine.symbol_index(symbol)
            if index >= 0:
                self._set_limits(index, self._pending_limits.pop(symbol))
        for symbol in list(self._pending_venues):
            index = self.engine.symbol_index(symbol)
            if index >= 0:
                self.execution.set_venue(
                    index, self._venue_number(self._pending_venues.pop(symbol))
                )
        return not self._pending_limits and not self._pending_venues

    def _drive(self) -> None:
        """One slice of the loop, and the part of the sessions that needs Python."""
        now = self.clock.now_ns()
        for channel in self.channels:
            channel.drive(now)
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
            venues=self.channels,
            spin=self.config.engine.spin,
            timer_interval_ns=self.config.engine.timer_interval_ns,
        )
        ready = resolved = False
        self.engine.enable_strategies(False)
        self.engine.start(self.clock.now_ns())
        while not should_stop():
            self._drive()
            if not ready and all(channel.is_up() for channel in self.channels):
                ready = True
                on_ready()
            if not resolved and self._resolve_symbols():
                resolved = True
                self.engine.enable_strategies(True)
        self._stop()

    def _stop(self) -> None:
        end = time.monotonic() + self.config.engine.stop_timeout_ns / 1e9
        self.engine.stop(self.clock.now_ns())
        while self.oms.open_order_count and time.monotonic() < end:
            self._drive()
        self.open_orders_at_end = self.oms.open_order_count
        for channel in self.channels:
            channel.request_logout(self.clock.now_ns())
        self._drive()

    def kill(self) -> None:
        """Throw the global kill switch."""
        self.gate.kill("global")
        self.recording.journal.write_json("command", self.clock.now_ns(), {"kill": "global"})

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
