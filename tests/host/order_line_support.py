# SPDX-License-Identifier: Apache-2.0
"""A feed host in virtual time with an order desk, and strategy hosts on it, in one process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from trading_support import World, exchange_of

from host.ipc.broadcast import BroadcastReader, BroadcastWriter
from host.ipc.event_layout import CONTENT, EVENT_BYTES
from host.ipc.order_layout import ORDER_LINE, SLOT_BYTES
from host.ipc.order_socket import SUFFIX, OrderServer, connect_orders
from host.publish.feed_publisher import FeedPublisher
from host.remote.desk import OrderDesk
from host.remote.remote_gate import RemoteGate
from host.remote.strategy_engine import StrategyEngine
from host.strategy.python_strategy import PythonStrategy, Strategy
from host.strategy.strategy import FastStrategy
from nic.clock import Clock
from nic.wire.reference import decode_as, encode


class Notes(Strategy):
    """Writes down what it is told; tests trade through its ``orders``."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.books: list[Any] = []
        self.stopped = False

    def on_order(self, event: dict[str, Any]) -> None:
        self.events.append(event)

    def on_book(self, top: Any) -> None:
        self.books.append(top)

    def on_stop(self) -> None:
        self.stopped = True

    def kinds(self, handle: int) -> list[str]:
        return [e["event"] for e in self.events if e["user_ref_num"] == handle]


class Host:
    """One strategy host: a line, a gate and an engine with one strategy."""

    def __init__(self, ring: str, strategy: Strategy | FastStrategy, name: str) -> None:
        self.line = connect_orders(ring + SUFFIX, name=name)
        self.reader = BroadcastReader(ring, start="oldest", content=CONTENT)
        self.engine = StrategyEngine(self.reader, symbols=64)
        self.gate = RemoteGate(self.line)
        self.engine.connect(self.gate, Clock(), spin=False)
        self.strategy = strategy
        made = strategy if isinstance(strategy, FastStrategy) else PythonStrategy(strategy)
        self.engine.add_strategy(made, 0)

    def turn(self) -> None:
        for _ in range(400):
            before = self.engine.busy_rounds
            self.engine.run(0)
            if self.engine.busy_rounds == before:
                return

    def close(self) -> None:
        self.line.close()
        self.reader.close()


class DeskWorld(World):
    """A feed host with a desk; ``hosts`` and other options are the desk's."""

    def __init__(self, folder: Any, *, limits: dict[str, int] | None = None, **desk: Any) -> None:
        super().__init__(exchange_of(), limits=limits)
        self.ring = os.path.join(str(folder), "feed")
        slots = desk.pop("slots", 256)
        self.writer = BroadcastWriter(
            self.ring, slots=1 << 14, slot_bytes=EVENT_BYTES, content=CONTENT
        )
        self.engine.set_tap(FeedPublisher(self.writer, self.book, t_ns=self.now))
        self.desk = OrderDesk(
            self.trading.gate, self.trading.oms, 0, **{"silence_ns": 0, "hosts": 3} | desk
        )
        self.engine.add_strategy(self.desk, 0)
        self.desk.serve(OrderServer(self.ring + SUFFIX, slots=slots))
        self.remote: list[Host] = []

    def host(self, strategy: Strategy | FastStrategy, name: str = "host") -> Host:
        """One more strategy host, seated and started."""
        found = Host(self.ring, strategy, name)
        self.remote.append(found)
        self.seat(lambda: found.gate.is_open or found.gate.end_reason)
        found.engine.start()
        return found

    def seat(self, is_done: Callable[[], object]) -> None:
        """Let the desk take in who waits at its door, in a thread of its own."""
        end = time.monotonic() + 5
        while not is_done():
            self.desk.service(self.now)
            for host in self.remote:
                host.turn()
            assert time.monotonic() < end, "nobody was seated"
            time.sleep(0.001)

    def exchange_orders(self) -> None:
        """Hosts say what they want, the desk takes it, the exchange answers, hosts are told."""
        for host in self.remote:
            host.turn()
        for _ in range(64):
            before = self.desk.report()["requests"]
            self.desk.take(self.now)
            if self.desk.report()["requests"] == before:
                break
        self.settle()
        for host in self.remote:
            host.turn()

    def round(self, count: int = 1) -> None:
        """A millisecond, or some, in which everybody does something."""
        for _ in range(count):
            self.step()
            self.desk.service(self.now)
            self.exchange_orders()

    def price_below(self, symbol: str = "AAPL", ticks: int = 20) -> int:
        """A price at which a buy rests."""
        return int(self.book.top(symbol)["bid_price"]) - 100 * ticks

    def close(self) -> None:
        self.desk.close()
        for host in self.remote:
            host.close()
        self.writer.close()


def request(number: int, **values: Any) -> bytes:
    """A request as it lies in a slot."""
    whole = {field.name: 0 for field in ORDER_LINE["request"]}
    whole |= {"length": SLOT_BYTES, "request_number": number, "reserved": b"\0\0\0"}
    return encode(ORDER_LINE, "request", whole | {"symbol": b"", **values})


def reports(line: Any) -> list[dict[str, Any]]:
    """What came on a line, decoded."""
    found = []
    while (slot := line.receiver.receive()) is not None:
        found.append(dict(decode_as(ORDER_LINE, "report", slot)))
    return found
