# SPDX-License-Identifier: Apache-2.0
"""Orders of strategy hosts by RDMA to the desk of a feed host, on verbs devices in memory."""

import time

import pytest

pytest.importorskip("host.ipc.rdma_line", reason="libibverbs-dev was missing at the build")

from order_line_support import Notes, request
from trading_support import World, exchange_of

from host.ipc.event_layout import CONTENT, EVENT_BYTES
from host.ipc.order_layout import ORDER_CONTENT, SLOT_BYTES
from host.ipc.rdma_line import DeskWatcher, RdmaLine
from host.ipc.rdma_stream import RdmaPublisher, RdmaReader
from host.publish.feed_publisher import FeedPublisher
from host.remote.desk import OrderDesk
from host.remote.remote_gate import RemoteGate
from host.remote.strategy_engine import StrategyEngine
from host.strategy.market_maker import MarketMaker
from host.strategy.python_strategy import PythonStrategy
from host.strategy.strategy import FastStrategy
from nic.clock import Clock
from nic.port import PortError
from nic.verbs.connection import Shape
from sim.verbs.fake_device import STATUSES, FakeDevice

SECRET = b"a secret of the house"


class RemoteHost:
    """A strategy host on another host's device."""

    def __init__(self, device, address, strategy):
        self.reader = RdmaReader(
            device, address, SECRET, content=CONTENT, name="strategies", beside=ORDER_CONTENT
        )
        self.line = RdmaLine(self.reader.connection, "requests", "reports")
        self.engine = StrategyEngine(self.reader, symbols=64)
        self.gate = RemoteGate(self.line)
        self.engine.connect(self.gate, Clock(), spin=False)
        made = strategy if isinstance(strategy, FastStrategy) else PythonStrategy(strategy)
        self.engine.add_strategy(made, 0)
        self.strategy = strategy

    def turn(self):
        for _ in range(200):
            before = self.engine.busy_rounds
            self.engine.run(0)
            if self.engine.busy_rounds == before:
                return


class RdmaWorld(World):
    """A feed host that publishes by RDMA and takes orders back the same way."""

    def __init__(self, device, *, limits=None, slots=64, **desk):
        super().__init__(exchange_of(), limits=limits)
        shape = Shape(slots, SLOT_BYTES)
        self.publisher = RdmaPublisher(
            device,
            ("127.0.0.1", 0),
            SECRET,
            slots=4096,
            slot_bytes=EVENT_BYTES,
            content=CONTENT,
            requests=shape,
            reports=shape,
            beside=ORDER_CONTENT,
        )
        self.engine.set_tap(FeedPublisher(self.publisher, self.book, t_ns=self.now))
        gate, oms = self.trading.gate, self.trading.oms
        self.desk = OrderDesk(gate, oms, 0, **{"silence_ns": 0} | desk)
        self.engine.add_strategy(self.desk, 0)
        self.publisher.watcher = DeskWatcher(self.desk)
        self.hosts = []

    def host(self, device, strategy):
        found = RemoteHost(device, self.publisher.server.address, strategy)
        self.hosts.append(found)
        end = time.monotonic() + 5
        while not (found.gate.is_open or found.gate.end_reason):
            self.publisher.service()
            found.turn()
            assert time.monotonic() < end
            time.sleep(0.001)
        found.engine.start()
        return found

    def exchange_orders(self):
        for _ in range(3):
            for host in self.hosts:
                host.turn()
            for _ in range(8):
                self.desk.take(self.now)
            self.settle()
        for host in self.hosts:
            host.turn()

    def round(self, count=1):
        for _ in range(count):
            self.step()
            self.desk.service(self.now)
            self.publisher.service()
            self.publisher.push()
            self.exchange_orders()

    def buy(self, notes, quantity=100):
        handle = notes.orders.buy("AAPL", quantity, self.book.top("AAPL")["bid_price"] - 2_000)
        self.exchange_orders()
        return handle

    def end(self):
        self.desk.close()
        self.publisher.close()
        for host in self.hosts:
            host.reader.close()


@pytest.fixture
def here():
    device = FakeDevice("here")
    yield device
    assert device.made == 0


@pytest.fixture
def there():
    device = FakeDevice("there")
    yield device
    assert device.made == 0


@pytest.fixture
def make(here, there):
    made = []

    def world(**options):
        made.append(RdmaWorld(here, **options))
        return made[-1].until_up()

    yield world
    for found in made:
        found.end()


def test_orders_go_and_reports_come_back(make, there):
    world = make(limits={"maximum_long_position_shares": 500})
    notes = [Notes(), Notes()]
    for one in notes:
        world.host(there, one)
    world.round(300)  # the tops come round
    first = world.buy(notes[0], 300)
    second = world.buy(notes[1], 300)
    assert notes[0].kinds(first) == ["accepted"]
    assert notes[1].kinds(second) == ["refused"]
    assert world.hosts[1].gate.refused() == {"maximum_long_position": 1}
    assert notes[0].orders.cancel(first, "AAPL") == first
    world.exchange_orders()
    assert notes[0].kinds(first) == ["accepted", "canceled"]
    found = world.desk.report()
    assert (found["requests"], found["taken"], found["refusals"]) == (3, 2, {"gate": 1})
    assert found["hosts"][0]["name"] == "strategies"


def test_a_strategy_trades_over_many_rounds_of_the_rings(make, there):
    world = make(slots=16)
    host = world.host(there, MarketMaker(symbol_capacity=64, minimum_interval_ns=0))
    world.round(700)
    host.engine.stop()
    world.round(20)
    counters = host.gate.counters()
    assert counters["requests"] > 3 * 16
    assert counters["requests"] == counters["taken"] + counters["refused"]
    assert counters["unknown"] == counters["lost_answers"] == 0
    assert host.gate.open_orders == world.trading.oms.open_order_count == 0
    assert host.engine.strategies()[0].report()["fills"] > 0
    assert world.desk.report()["left"] == 0


def test_one_that_went_is_cancelled_for(make, there):
    world = make()
    notes = [Notes(), Notes()]
    for one in notes:
        world.host(there, one)
    world.round(300)
    for one in notes:
        world.buy(one)
    assert world.trading.oms.open_order_count == 2
    world.hosts.pop(0).reader.close()
    world.round(3)
    assert [o["strategy_id"] for o in world.trading.oms.open_orders()] == [1]
    gone, other = world.desk.report()["hosts"]
    assert gone["ended_by"] and gone["orders_cancelled"] == 1
    assert other["state"] == "open"
    world.buy(notes[1])
    assert len([e for e in notes[1].events if e["event"] == "accepted"]) == 2


def test_a_broken_connection_is_the_end_of_the_line(make, here, there):
    world = make()
    notes = Notes()
    host = world.host(there, notes)
    world.round(300)
    world.buy(notes)
    here.send_fault = STATUSES["retry exceeded"]
    world.round(3)
    (found,) = world.desk.report()["hosts"]
    assert "retry" in found["ended_by"] and found["orders_cancelled"] == 1
    assert world.trading.oms.open_order_count == 0
    assert host.line.failure()


def test_a_slow_one_is_cut_off_and_keeps_its_feed(make, there):
    world = make(slots=16)
    host = world.host(there, Notes())
    world.round(300)
    world.hosts.clear()  # it listens to nothing any more
    sent = 0
    for number in range(1, 13):
        sent += host.line.sender.send(
            request(
                number,
                action=1,
                side=ord("B"),
                time_in_force=ord("0"),
                symbol=b"AAPL",
                symbol_index=world.book.index("AAPL"),
                quantity=100,
                price=world.book.top("AAPL")["bid_price"] - 2_000,
                handle=number,
            )
        )
        world.desk.take(world.now)
    assert sent == 12
    world.settle()
    world.round(3)
    (found,) = world.desk.report()["hosts"]
    assert found["refusals"] == {"too_slow": 1}
    assert found["orders_cancelled"] > 5 and world.trading.oms.open_order_count == 0
    assert world.publisher.counters()["consumers"] == 1
    before = host.reader.taken
    host.turn()
    assert host.reader.taken > before
    host.reader.close()


def test_who_only_follows_takes_no_seat(make, there):
    world = make(hosts=1)
    address = world.publisher.server.address
    with RdmaReader(there, address, SECRET, content=CONTENT, beside=None) as follower:
        end = time.monotonic() + 5
        while not follower.is_begun():
            world.publisher.service()
            follower.read(1)
            assert time.monotonic() < end
        assert not follower.connection.senders
        notes = Notes()
        assert world.host(there, notes).gate.is_open
        late = world.host(there, Notes())
        assert late.gate.ended_by() == "no_seat"
        world.round(300)
        world.buy(notes)
        assert notes.events
    with pytest.raises(PortError, match="other requests and reports"):
        RdmaReader(there, address, SECRET, content=CONTENT, beside=ORDER_CONTENT + 1)


def test_the_feed_host_closes(make, there):
    world = make()
    notes = Notes()
    host = world.host(there, notes)
    world.round(300)
    world.buy(notes)
    world.engine.stop(world.now)
    world.settle()
    world.desk.close()
    host.turn()
    assert [e["event"] for e in notes.events] == ["accepted", "canceled"]
    assert host.gate.ended_by() == "stopped"
