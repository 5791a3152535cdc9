# SPDX-License-Identifier: Apache-2.0
"""A feed host or a strategy host: ``order_peer.py feed_host|strategy_host ...``.

The feed host has the engine, the risk gate and the order management of an appliance, and a venue of
its own that accepts and cancels whatever arrives. What they say on standard output is one JSON
object a line. Loads little: it runs on an emulated processor.
"""

import json
import signal
import sys
import time
from dataclasses import replace

from host.ipc.event_layout import CONTENT, EVENT_BYTES
from host.ipc.order_layout import ORDER_CONTENT, SLOT_BYTES
from host.ipc.rdma_line import DeskWatcher, RdmaLine
from host.ipc.rdma_stream import RdmaPublisher, RdmaReader
from nic.verbs.connection import Shape

SECRET = b"a secret of the guest"
DEVICE = "rxe0"
SYMBOL = b"TICK"
INDEX = 1
BID, ASK = 1_000_000, 1_000_100
LIVE = ord("L")
UP = 1
STOPPING = []


def say(**facts):
    print(json.dumps(facts), flush=True)


def itch_day():
    """The messages of a day that has one symbol with a bid and an offer."""
    from nic.wire.itch50 import ITCH50
    from nic.wire.reference import encode

    def message(name, **values):
        whole = {
            field.name: b"" if field.kind in ("text", "bytes") else 0 for field in ITCH50[name]
        }
        del whole["message_type"]
        return encode(ITCH50, name, whole | values)

    common = {"stock_locate": INDEX, "stock": SYMBOL}
    return [
        message("system_event", event_code=b"O"),
        message("stock_directory", **common, round_lot_size=100),
        message("system_event", event_code=b"Q"),
        message("stock_trading_action", **common, trading_state=b"T"),
        *(
            message(
                "add_order",
                **common,
                order_reference_number=number,
                buy_sell_indicator=side,
                shares=500,
                price=price,
            )
            for number, (side, price) in enumerate(((b"B", BID), (b"S", ASK)), start=1)
        ),
    ]


def datagram(first, messages=()):
    """A MoldUDP64 packet."""
    from nic.wire.moldudp64 import MOLDUDP64
    from nic.wire.reference import encode

    return encode(
        MOLDUDP64,
        "header",
        {
            "session": b"SESSION001",
            "sequence_number": first,
            "message_count": len(messages),
            "payload": b"".join(len(m).to_bytes(2, "big") + m for m in messages),
        },
    )


class Venue:
    """Accepts every order and cancels whatever it is asked to, by hand of the test."""

    def __init__(self, oms, channel):
        self.oms, self.channel = oms, channel
        self.seen = 0

    def answer(self, now):
        """Answer what was sent since the last call."""
        sent = self.channel.sent()
        for order in sent[self.seen :]:
            number = order["user_ref_num"]
            if order["action"] == 2:
                self.oms.reports.report(
                    "canceled",
                    now,
                    user_ref_num=number,
                    quantity=self.oms.order(number)["leaves_quantity"],
                )
            else:
                self.oms.reports.report(
                    "accepted",
                    now,
                    user_ref_num=number,
                    quantity=order["quantity"],
                    price=order["price"],
                    order_state=LIVE,
                    order_reference_number=number,
                    side=order["side"],
                )
        self.seen = len(sent)


def feed_host(port, maximum_open_orders):
    """Publish one symbol and take orders until SIGTERM; says each change of what it counts."""
    from host.book.order_book import OrderBook
    from host.engine import Engine
    from host.execution.execution import Execution
    from host.feed.handler import FeedHandler
    from host.oms.oms import OrderManager
    from host.oms.paper_channel import PaperChannel
    from host.publish.feed_publisher import FeedPublisher
    from host.remote.desk import OrderDesk
    from host.risk.gate import RiskGate
    from host.risk.seal import Seal
    from nic.offload.enumerations import ALL_CHECKS, checks
    from nic.offload.limits import widest_limits

    shape = Shape(64, SLOT_BYTES)
    book = OrderBook(symbols=8, orders=1_000)
    engine = Engine(book)
    gate = RiskGate(8, 64, Seal(7))
    oms = OrderManager(gate, engine.events, capacity=256, executions=64)
    channel = PaperChannel()
    oms.set_channel(0, channel)
    # nothing ever trades here
    unchecked = checks("price_band", "no_fresh_reference", "collar_last_trade")
    limits = widest_limits(ALL_CHECKS & ~unchecked)
    gate.set_limits(None, replace(limits, maximum_open_orders=maximum_open_orders), 1)
    feed = FeedHandler(engine)
    engine.connect(feed, Execution(gate, 8), gate, oms)
    oms.reports.session(0, UP)
    desk = OrderDesk(gate, oms, 0, silence_ns=60_000_000_000)
    engine.add_strategy(desk, 0)
    day = itch_day()
    with RdmaPublisher(
        DEVICE,
        ("127.0.0.1", port),
        SECRET,
        slots=256,
        slot_bytes=EVENT_BYTES,
        content=CONTENT,
        requests=shape,
        reports=shape,
        beside=ORDER_CONTENT,
    ) as publisher:
        publisher.watcher = DeskWatcher(desk)
        engine.set_tap(FeedPublisher(publisher, book, refresh_ns=100_000_000))
        engine.datagram(0, datagram(1, day), time.monotonic_ns())
        venue = Venue(oms, channel)
        say(port=publisher.server.address[1])
        told = {}
        beat = time.monotonic()
        while not STOPPING:
            now = time.monotonic_ns()
            gate.heartbeat(now)
            if time.monotonic() - beat > 0.2:
                beat = time.monotonic()
                engine.datagram(0, datagram(len(day) + 1), now)
            engine.timer(now)
            desk.service(now)
            desk.take(now)
            venue.answer(now)
            found = desk.report()
            facts = {
                "taken": found["taken"],
                "refused": found["refusals"].get("gate", 0),
                "left": found["left"],
                "cancelled": found["orders_cancelled"],
                "open": oms.open_order_count,
            }
            if facts != told:
                told = facts
                say(**facts)
            time.sleep(0.002)
        engine.stop(time.monotonic_ns())
        venue.answer(time.monotonic_ns())
        say(
            desk=desk.report(),
            risk={name: count for name, count in gate.counters().items() if count},
            wire=[(o["action"], o["strategy_id"], o["symbol"]) for o in channel.sent()],
            departures=publisher.departures,
        )
        desk.close()


def strategy_host(port, wanted):
    """Have ``wanted`` orders rest, ask until they do; says each change. Stops on SIGTERM."""
    from host.publish.follower import FeedFollower  # noqa: F401 (loaded before the clock runs)
    from host.remote.remote_gate import RemoteGate
    from host.remote.strategy_engine import StrategyEngine
    from host.strategy.python_strategy import PythonStrategy, Strategy
    from nic.clock import Clock

    class Resting(Strategy):
        def __init__(self):
            self.top = None
            self.open = set()
            self.kinds = []

        def on_book(self, top):
            if top.bid_price:
                self.top = top

        def want(self):
            while self.top is not None and len(self.open) < wanted:
                handle = self.orders.buy(self.top.index, 100, self.top.bid_price - 10_000)
                if not handle:
                    return
                self.open.add(handle)

        def on_order(self, event):
            self.kinds.append(event["event"])
            if event["leaves_quantity"] == 0:
                self.open.discard(event["user_ref_num"])

    with RdmaReader(
        DEVICE, ("127.0.0.1", port), SECRET, content=CONTENT, name="peer", beside=ORDER_CONTENT
    ) as reader:
        line = RdmaLine(reader.connection, "requests", "reports")
        engine = StrategyEngine(reader, symbols=8)
        gate = RemoteGate(line)
        engine.connect(gate, Clock(), spin=False)
        strategy = Resting()
        engine.add_strategy(PythonStrategy(strategy), 0)
        engine.start()
        told = {}
        asked = 0.0
        while not line.failure() and not gate.ended_by():
            engine.run(5_000_000)
            if gate.is_open and not STOPPING and time.monotonic() - asked > 0.3:
                asked = time.monotonic()
                strategy.want()
            if STOPPING and not told.get("stopped"):
                engine.stop()
            facts = {
                "number": gate.strategy_number,
                "accepted": strategy.kinds.count("accepted"),
                "canceled": strategy.kinds.count("canceled"),
                "open": len(strategy.open),
                "is_refused": "refused" in strategy.kinds,
                "stopped": bool(STOPPING),
            }
            if facts != told:
                told = facts
                say(**facts)
            if STOPPING and not gate.open_orders:
                break
        gate.take(time.monotonic_ns())
        say(
            ended_by=gate.ended_by(),
            failure=line.failure(),
            refused=gate.refused(),
            counters=gate.counters(),
            kinds=strategy.kinds,
            events=reader.taken,
        )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: STOPPING.append(number))
    roles = {"feed_host": feed_host, "strategy_host": strategy_host}
    roles[sys.argv[1]](*map(int, sys.argv[2:]))
