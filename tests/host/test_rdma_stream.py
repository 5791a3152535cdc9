# SPDX-License-Identifier: Apache-2.0
"""Events from a publisher to its consumers by RDMA, on verbs devices in memory."""

import contextlib
import socket
import threading
import time

import pytest

pytest.importorskip("host.ipc.rdma_stream", reason="libibverbs-dev was missing at the build")

from host.ipc.rdma_stream import RdmaPublisher, RdmaReader
from nic.port import PortError
from nic.verbs.connection import Shape
from nic.verbs.exchange import Exchange, ExchangeError
from sim.verbs.fake_device import STATUSES, FakeDevice

SECRET = b"a secret of the house"
SIZE = 64


def event(number: int) -> bytes:
    return b"".join((number * 7_919 + i).to_bytes(8, "little") for i in range(SIZE // 8))


def number_of(data: bytes) -> int:
    number = int.from_bytes(data[-8:], "little")
    assert data[:-8] == event(number)[:-8]
    return number


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
def publisher(here):
    with RdmaPublisher(here, ("127.0.0.1", 0), SECRET, slots=64, slot_bytes=SIZE, content=5) as p:
        yield p


def reader_of(publisher, there, **options):
    reader = RdmaReader(there, publisher.server.address, SECRET, content=5, **options)
    settle(publisher, reader)
    return reader


def settle(publisher, reader):
    """The publisher takes the consumer in, and the consumer hears where it begins."""
    end = time.monotonic() + 5
    while not reader.is_begun():
        publisher.service()
        reader.read(1)
        assert time.monotonic() < end
        time.sleep(0.001)
    publisher.push()  # it has credit now


def publish(publisher, count):
    for _ in range(count):
        assert publisher.publish_event(event(publisher.published + 1))
    publisher.push()


def numbers(reader, maximum=1000):
    lost, events = reader.read(maximum)
    return lost, [number_of(data) for data in events]


def test_every_consumer_gets_everything(publisher, there):
    with reader_of(publisher, there) as one, reader_of(publisher, there) as two:
        for burst in range(200):
            first = publisher.published + 1
            publish(publisher, burst % 40)
            wanted = (0, list(range(first, publisher.published + 1)))
            assert numbers(one) == wanted
            assert numbers(two) == wanted
        assert publisher.counters()["consumers"] == 2
        assert (one.taken, one.lost, one.overruns) == (publisher.published, 0, 0)
        assert one.next_sequence == publisher.published + 1
        assert one.state() == "open"
        assert one.mode()["slots"] == 64


def test_a_batch_leaves_without_a_flush(here, there):
    with RdmaPublisher(here, ("127.0.0.1", 0), SECRET, slots=64, content=5, batch=4) as publisher:
        reader = reader_of(publisher, there)
        for number in range(1, 7):
            publisher.publish_event(event(number))
        assert numbers(reader) == (0, [1, 2, 3, 4])
        publisher.push()
        assert numbers(reader) == (0, [5, 6])
        reader.close()


def test_a_slow_consumer_holds_up_nobody_and_knows_its_loss(publisher, there):
    with reader_of(publisher, there) as quick, reader_of(publisher, there) as slow:
        for _ in range(300):
            publish(publisher, 1)
            assert len(numbers(quick)[1]) == 1
        lost, taken = 0, []
        for _ in range(10):
            gone, got = numbers(slow)
            lost += gone
            taken += got
            publisher.push()
        assert taken == sorted(set(taken))
        assert taken[-1] == 300
        assert lost + len(taken) == 300
        assert slow.lost == lost > 0
        assert publisher.counters()["skipped"] == lost
        assert quick.lost == 0


def test_many_events_at_once(publisher, there):
    with reader_of(publisher, there) as reader:
        assert publisher.publish_events(b"".join(event(n) for n in range(1, 31))) == 30
        publisher.push()
        assert numbers(reader) == (0, list(range(1, 31)))
        with pytest.raises(ValueError, match="64 bytes each"):
            publisher.publish_events(bytes(100))


def test_heartbeats_arrive_and_take_consumers_in(publisher, there):
    reader = RdmaReader(there, publisher.server.address, SECRET, content=5)
    assert not reader.is_begun()
    end = time.monotonic() + 5
    t_ns = 1_000_000_000
    while reader.heard() == 0 and time.monotonic() < end:
        t_ns += 100_000_000
        publisher.beat(t_ns)
        reader.read(1)
        time.sleep(0.001)
    assert reader.is_begun()
    assert 0 < reader.heard() <= t_ns
    reader.close()


def test_the_end_in_order(publisher, there):
    reader = reader_of(publisher, there)
    publish(publisher, 10)
    publisher.close()
    assert numbers(reader) == (0, list(range(1, 11)))
    with pytest.raises(EOFError):
        reader.read(1)
    assert reader.state() == "closed"
    assert not publisher.publish_event(event(11))
    reader.close()


def test_a_consumer_that_left_is_taken_out(publisher, there):
    with reader_of(publisher, there, name="strategy 7"):
        publish(publisher, 3)
        assert publisher.counters()["consumers"] == 1
    publish(publisher, 3)
    publisher.service()
    counters = publisher.counters()
    assert (counters["consumers"], counters["joined"], counters["parted"]) == (0, 1, 1)
    assert publisher.departures[-1][0] == "strategy 7"
    publish(publisher, 3)


def test_a_broken_queue_pair_takes_the_consumer_out_and_it_comes_back(publisher, here, there):
    reader = reader_of(publisher, there)
    publish(publisher, 5)
    assert numbers(reader) == (0, [1, 2, 3, 4, 5])
    here.send_fault = STATUSES["retry exceeded"]
    publish(publisher, 5)
    publisher.beat(1)
    publisher.service()
    assert publisher.counters()["consumers"] == 0
    assert "retry" in publisher.departures[-1][1]
    publish(publisher, 20)
    assert reader.state() == "died"
    assert reader.reconnect() is True
    settle(publisher, reader)
    assert numbers(reader) == (0, list(range(6, 31)))  # within the store: nothing is lost
    assert (reader.lost, reader.taken, reader.connections) == (0, 30, 2)
    reader.close()


def test_a_reconnection_that_comes_too_late_is_told_its_loss(publisher, there):
    reader = reader_of(publisher, there)
    publish(publisher, 10)
    numbers(reader)
    reader._release()
    publish(publisher, 500)
    publisher.service()
    assert reader.reconnect() is True
    lost, taken = 0, []
    end = time.monotonic() + 5
    while not taken or taken[-1] != 510:
        publisher.service()
        publisher.push()
        gone, got = numbers(reader)
        lost += gone
        taken += got
        assert time.monotonic() < end
    assert 10 + lost + len(taken) == 510
    assert reader.lost == lost > 0
    assert reader.taken == 10 + len(taken)
    reader.close()


def test_another_publisher_begins_anew(here, there):
    first = RdmaPublisher(here, ("127.0.0.1", 0), SECRET, slots=64, content=5)
    reader = reader_of(first, there)
    publish(first, 30)
    assert len(numbers(reader)[1]) == 30
    address = first.server.address
    first.close()
    with pytest.raises(PortError, match="rdma"):
        reader.reconnect()
    with RdmaPublisher(here, address, SECRET, slots=128, content=5) as second:
        assert reader.reconnect() is False
        settle(second, reader)
        publish(second, 3)
        assert numbers(reader) == (0, [1, 2, 3])
        assert (reader.taken, reader.lost) == (33, 0)
        reader.close()


@pytest.mark.parametrize(
    ("secret", "content", "text"),
    [
        (b"another secret, as long", 5, "does not know the shared secret"),
        (b"short", 5, "less than 16 bytes"),
        (SECRET, 6, "other events"),
    ],
)
def test_a_stranger_is_refused_in_one_line(publisher, there, secret, content, text):
    with pytest.raises(PortError, match=text) as caught:
        RdmaReader(there, publisher.server.address, secret, content=content)
    assert "\n" not in str(caught.value)
    publisher.service()
    assert publisher.counters()["consumers"] == 0


def test_the_secret_never_goes_over_the_wire(publisher, there):
    """A relay between them hears all they say, and what it recorded opens no door."""
    relay = socket.create_server(("127.0.0.1", 0))
    heard = [b"", b""]

    def copy(source, sink, which):
        while data := source.recv(4096):
            heard[which] += data
            sink.sendall(data)

    def carry():
        left, _ = relay.accept()
        right = socket.create_connection(publisher.server.address)
        pair = [(left, right, 0), (right, left, 1)]
        for one in [threading.Thread(target=copy, args=p, daemon=True) for p in pair]:
            one.start()

    threading.Thread(target=carry, daemon=True).start()
    with RdmaReader(there, relay.getsockname(), SECRET, content=5) as reader:
        settle(publisher, reader)
        assert reader.state() == "open"
    assert heard[0]
    assert SECRET not in heard[0] + heard[1]
    assert SECRET.hex().encode() not in heard[0] + heard[1]
    refused = publisher.server.refused
    with socket.create_connection(publisher.server.address) as again:
        again.sendall(b"".join(heard[0].splitlines(keepends=True)[:2]))
        again.settimeout(5)
        answer = b""
        while data := again.recv(4096):
            answer += data
    assert b"shared secret" in answer
    assert publisher.server.refused == refused + 1
    relay.close()


@pytest.mark.parametrize("garbage", [b"", b"\n", b"{}\n" * 3, b"x" * 5000, b"[1]\nno\n"])
def test_garbage_is_refused_and_survived(publisher, there, garbage):
    refused = publisher.server.refused
    with socket.create_connection(publisher.server.address) as stream:
        stream.sendall(garbage)
        stream.shutdown(socket.SHUT_WR)
        stream.settimeout(5)
        with contextlib.suppress(ConnectionResetError):  # there was more than it wanted to hear
            while stream.recv(4096):
                pass
    end = time.monotonic() + 5
    while publisher.server.refused == refused and time.monotonic() < end:
        time.sleep(0.005)
    assert publisher.server.refused == refused + 1
    with reader_of(publisher, there) as reader:
        publish(publisher, 1)
        assert len(numbers(reader)[1]) == 1


def test_one_that_says_nothing_is_given_up():
    left, right = socket.socketpair()
    with left, right:
        talk = Exchange(left, SECRET, "server", 0.05)
        with pytest.raises(ExchangeError, match="nothing in time"):
            talk.receive()


def test_too_many_consumers(here, there):
    with RdmaPublisher(here, ("127.0.0.1", 0), SECRET, slots=64, content=5, maximum=1) as publisher:
        first = reader_of(publisher, there)
        with first, pytest.raises(PortError, match="1 consumers already"):
            RdmaReader(there, publisher.server.address, SECRET, content=5)


def test_requests_and_reports_go_each_their_own_way(here, there):
    """Rings beside the feed: every request arrives or is refused, a report reaches its consumer."""
    shape = Shape(16, 32)
    with RdmaPublisher(
        here, ("127.0.0.1", 0), SECRET, slots=64, content=5, requests=shape, reports=shape
    ) as publisher:
        readers = [reader_of(publisher, there) for _ in range(2)]
        for reader in readers:
            assert reader.connection.pull("reports") == []  # begun
        for connection in publisher.consumers:
            assert connection.pull("requests") == []
        slots = [bytes([i]) * 24 + bytes(8) for i in range(40)]
        refused = [slot for slot in slots if not readers[1].connection.push("requests", slot)]
        assert refused == slots[16:]  # the ring is full: nothing is skipped
        first, second = publisher.consumers
        assert first.pull("requests") == []
        got = second.pull("requests")
        assert [slot[:24] for slot in got] == [slot[:24] for slot in slots[:16]]
        assert [int.from_bytes(slot[24:], "little") for slot in got] == list(range(1, 17))
        for slot in got:
            assert second.push("reports", slot)
            assert len(readers[1].connection.pull("reports")) == 1
        assert readers[0].connection.pull("reports") == []
        assert readers[1].connection.push("requests", slots[16])
        publish(publisher, 3)
        assert [numbers(reader) for reader in readers] == [(0, [1, 2, 3])] * 2
        for reader in readers:
            reader.close()


def test_nobody_there_and_an_address_in_use(publisher, here, there):
    with pytest.raises(PortError, match=r"rdma 127\.0\.0\.1:1:"):
        RdmaReader(there, ("127.0.0.1", 1), SECRET)
    with pytest.raises(PortError, match="in use"):
        RdmaPublisher(here, publisher.server.address, SECRET)
