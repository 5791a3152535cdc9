# SPDX-License-Identifier: Apache-2.0
"""A strategy host: strategies on the feed of a feed host, their orders through its risk gate."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from host.config import ConfigError
from host.ipc.broadcast import BroadcastReader
from host.ipc.event_layout import CONTENT
from host.ipc.order_layout import ORDER_CONTENT
from host.ipc.order_socket import SUFFIX, LineError, connect_orders
from host.publish.streams import read_secret
from host.remote.config import Follow, StrategyHostConfig
from host.remote.remote_gate import RemoteGate
from host.remote.strategy_engine import StrategyEngine
from host.strategy.catalogue import make
from nic.affinity import pin
from nic.clock import Clock
from nic.memory import lock_memory
from nic.port import PortError

SLICE_NS = 10_000_000
"""How long the loop runs before signals and the connection are looked at."""

OPEN_SECONDS = 10.0
"""How long the feed host may take to open the line."""


class StrategyHost:
    """One strategy host, from configuration to report; use as a context manager.

    Raises :class:`~host.config.ConfigError`, :class:`~nic.port.PortError` or ``OSError`` in one
    line where there is no feed host, or it takes no orders.
    """

    def __init__(self, config: StrategyHostConfig) -> None:
        self.config = config
        self.ended_by = ""
        self.open_orders_at_end = 0
        self._closing = contextlib.ExitStack()
        with contextlib.ExitStack() as opening:
            self._open(opening)
            self._closing = opening.pop_all()

    def _open(self, opening: contextlib.ExitStack) -> None:
        config = self.config
        self.memory = lock_memory()
        self.clock = Clock()
        self.reader: Any
        self.line: Any
        if config.follow.is_rdma:
            self.reader, self.line = _open_rdma(config.follow, opening)
        else:
            self.reader, self.line = _open_ring(config.follow, opening)
        self.engine = StrategyEngine(self.reader, symbols=config.book.symbols)
        self.gate = RemoteGate(self.line)
        self.engine.connect(
            self.gate,
            self.clock,
            spin=config.engine.spin,
            timer_interval_ns=config.engine.timer_interval_ns,
        )
        for number, strategy in enumerate(config.strategies):
            try:
                made = make(
                    strategy.kind, strategy.symbols, strategy.parameters, config.book.symbols
                )
            except ValueError as error:
                raise ConfigError(f"strategies.{number}: {error}") from None
            self.engine.add_strategy(made, number)

    def run(self, should_stop: Callable[[], bool], on_ready: Callable[[], None]) -> None:
        """Run until ``should_stop`` says so or the feed host is gone; then stop in order.

        ``on_ready`` is called once the line is open. Raises ``ConfigError`` where it is not opened.
        """
        pin(self.config.engine.core)
        end = time.monotonic() + OPEN_SECONDS
        while not self.gate.is_open and not self._failure():
            if time.monotonic() >= end:
                self.ended_by = "the feed host did not open the line in time"
                break
            self.engine.run(SLICE_NS)
        if not self.gate.is_open:
            self.ended_by = self.ended_by or self._failure()
            raise ConfigError(f"{self.config.follow.feed}: no order line: {self.ended_by}")
        self.engine.start()
        on_ready()
        while not should_stop():
            self.engine.run(SLICE_NS)
            self.ended_by = self._failure()
            if self.ended_by:
                break
        self._stop()

    def _failure(self) -> str:
        """Why there is no feed or no line any more, empty while there are."""
        if self.gate.ended_by():
            return f"the feed host closed the line: {self.gate.ended_by()}"
        if why := self.line.failure():
            self.gate.take(self.clock.now_ns())  # its last words
            last = self.gate.ended_by()
            self.gate.disconnect()
            return f"the feed host closed the line: {last}" if last else str(why)
        if self.engine.is_exhausted:
            return "the feed ended"
        return ""

    def _stop(self) -> None:
        """Cancel what is open, and wait until that is confirmed."""
        self.engine.stop()
        end = time.monotonic() + self.config.engine.stop_timeout_ns / 1e9
        asked = time.monotonic()
        while self.gate.is_open and self.gate.open_orders and time.monotonic() < end:
            self.engine.run(SLICE_NS)
            self._failure()
            if time.monotonic() - asked > 0.2:  # a cancel may have met a replace in flight
                asked = time.monotonic()
                self.gate.cancel_all(self.clock.now_ns())
        self.open_orders_at_end = self.gate.open_orders

    def report(self) -> dict[str, Any]:
        """What was followed, wanted, refused and done; times in nanoseconds."""
        ns = self.clock.ns_per_tick
        engine, gate = self.engine, self.gate
        return {
            "feed": self.config.follow.feed,
            "ended_by": self.ended_by,
            "strategy_number": gate.strategy_number,
            "memory": self.memory,
            "core": self.config.engine.core,
            "ring": dict(self.reader.mode()),
            "events": engine.counters(),
            "loop": {"rounds": engine.rounds, "busy_rounds": engine.busy_rounds},
            "execution": engine.execution.counters(),
            "orders": gate.counters(),
            "refused": gate.refused(),
            "open_orders": self.open_orders_at_end,
            "strategies": [
                {"name": config.name, **strategy.orders.counters(), **strategy.report()}
                for config, strategy in zip(
                    self.config.strategies, engine.strategies(), strict=True
                )
            ],
            # between hosts the clocks differ, so only what begins and ends here
            "answer_ns": _percentiles(gate.round_trip, ns),
            "latency_ns": {} if self.config.follow.is_rdma else _percentiles(engine.latency, ns),
        }

    def close(self) -> None:
        """Let go of line and feed; once."""
        self._closing.close()

    def __enter__(self) -> StrategyHost:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _percentiles(histogram: Any, ns_per_tick: float) -> dict[str, int]:
    if not histogram.count:
        return {}
    return {
        name: round(histogram.percentile(percent) * ns_per_tick)
        for name, percent in (("p50", 50.0), ("p99", 99.0), ("max", 100.0))
    }


def _name_of(follow: Follow) -> str:
    return follow.name or f"{socket.gethostname()} {os.getpid()}"


def _open_ring(follow: Follow, opening: contextlib.ExitStack) -> tuple[Any, Any]:
    """Reader and order line of a feed host on this machine."""
    try:
        reader = opening.enter_context(
            BroadcastReader(follow.path, start="newest", content=CONTENT)
        )
        line = connect_orders(follow.path + SUFFIX, name=follow.name)
    except LineError as error:
        raise ConfigError(f"{error}: does the feed host have [feed_publish.orders]?") from None
    except ValueError as error:
        raise ConfigError(str(error)) from None
    except OSError as error:
        raise ConfigError(f"{follow.path}: {error.strerror}") from None
    opening.callback(line.close)
    return reader, line


def _open_rdma(follow: Follow, opening: contextlib.ExitStack) -> tuple[Any, Any]:
    """Reader and order line of another host."""
    try:
        from host.ipc.rdma_line import RdmaLine
        from host.ipc.rdma_stream import RdmaReader
    except ImportError as error:
        raise PortError(
            f"rdma was not built here ({error}): install libibverbs-dev and build again"
        ) from None
    assert follow.secret_file is not None
    reader = opening.enter_context(
        RdmaReader(
            follow.device,
            follow.address,
            read_secret(follow.secret_file),
            content=CONTENT,
            name=_name_of(follow),
            beside=ORDER_CONTENT,
        )
    )
    connection = reader.connection
    if connection is None or "requests" not in connection.senders:
        raise ConfigError(f"{follow.feed} takes no orders: it has no [feed_publish.orders]")
    return reader, RdmaLine(connection, "requests", "reports")
