# SPDX-License-Identifier: Apache-2.0
"""The engine: what it counts, what it does when the feed fails, and that it is deterministic."""

import socket
from random import Random

import pytest
from trading_support import MILLISECOND, START, World, blocks_of, exchange_of, recut

from host.book.order_book import OrderBook
from host.engine import Engine
from host.feed.handler import FeedHandler
from host.loop import Loop, PortRequests
from host.strategy.catalogue import make
from host.strategy.python_strategy import PythonStrategy, Strategy
from nic.clock import Clock
from nic.frame import address_number, build_udp
from nic.udp import UdpPort

UDP = (socket.AF_INET, socket.SOCK_DGRAM)
GROUPS = ("239.1.1.1", "239.1.1.2")
PORTS = (26400, 26401)


def packets_of_a_day(seconds=0.5, **options):
    exchange = exchange_of(**options)
    exchange.start(START)
    packets = exchange.take_packets()
    for millisecond in range(int(seconds * 1000)):
        exchange.on_timer(START + millisecond * MILLISECOND)
        packets += exchange.take_packets()
    return packets


def engine_alone(**options):
    engine = Engine(OrderBook(symbols=64, orders=1 << 15))
    engine.connect(FeedHandler(engine, start=1, **options))
    for line, (group, port) in enumerate(zip(GROUPS, PORTS, strict=True)):
        engine.set_line(line, address_number(group), port)
    return engine


def frame_of(packet, line=0, port=None):
    return build_udp(packet, "10.0.0.1", 40000, GROUPS[line], port or PORTS[line])


def trading(seed=1, kind="market_maker", **options):
    return World(exchange_of(seed=seed), strategies=[make(kind, (), {}, 64)], **options)


def idle(**options):
    """A world up and trading, whose strategy does nothing by itself, and its orders."""
    run = World(exchange_of(), strategies=[PythonStrategy(Strategy())], **options).until_up()
    return run, run.engine.strategies()[0].orders


def test_frames_go_to_the_line_of_their_destination():
    engine = engine_alone()
    packets = packets_of_a_day(0.05)
    for packet in packets:
        engine.frame(frame_of(packet), START)
        engine.frame(frame_of(packet, 1), START)
    feed, counters = engine.feed.counters(), engine.counters()
    assert feed["packets_a"] == feed["packets_b"] == len(packets)
    assert counters["packets"] == 2 * len(packets)
    assert counters["unwanted"] == 0 and engine.frame_errors() == {}
    messages = [message for packet in packets for message in blocks_of(packet)[1]]
    assert counters["messages"] == len(messages) == sum(engine.message_types().values())
    letters = {chr(message[0]) for message in messages}
    assert engine.message_types() == {
        letter: sum(message[0] == ord(letter) for message in messages) for letter in letters
    }


def test_frames_of_other_destinations_are_unwanted():
    engine = engine_alone()
    packet = packets_of_a_day(0.01)[0]
    engine.frame(frame_of(packet, 0, PORTS[1]), START)
    engine.frame(frame_of(packet, 1, PORTS[0]), START)
    engine.frame(build_udp(packet, "10.0.0.1", 1, "10.0.0.2", PORTS[0]), START)
    counters = engine.counters()
    assert counters["unwanted"] == counters["packets"] == 3
    assert counters["messages"] == 0 and engine.feed.counters()["packets_a"] == 0


def test_line_that_does_not_exist():
    with pytest.raises(ValueError, match="no line 3"):
        engine_alone().set_line(3, 0, 1)


def test_spoiled_frames_are_counted_by_reason():
    engine = engine_alone()
    frame = frame_of(packets_of_a_day(0.01)[0])
    ip = 14

    def spoiled(at, value):
        changed = bytearray(frame)
        changed[at : at + len(value)] = value
        return bytes(changed)

    def with_checksum(changed):
        changed = bytearray(changed)
        changed[ip + 10 : ip + 12] = b"\0\0"
        total = sum(int.from_bytes(changed[i : i + 2], "big") for i in range(ip, ip + 20, 2))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        changed[ip + 10 : ip + 12] = (~total & 0xFFFF).to_bytes(2, "big")
        return bytes(changed)

    for reason, bad in {
        "truncated": frame[:30],
        "not_ipv4": spoiled(12, b"\x86\xdd"),
        "bad_ip_header": with_checksum(spoiled(ip, b"\x44")),
        "bad_ip_checksum": spoiled(ip + 10, b"\xab\xcd"),
        "fragment": with_checksum(spoiled(ip + 6, b"\x20\x00")),
        "not_udp": with_checksum(spoiled(ip + 9, b"\x06")),
        "bad_udp_length": spoiled(ip + 24, b"\x00\x07"),
    }.items():
        before = engine.frame_errors().get(reason, 0)
        engine.frame(bad, START)
        assert engine.frame_errors().get(reason, 0) == before + 1, (reason, engine.frame_errors())
    engine.frame(b"", START)
    assert engine.frame_errors()["truncated"] == 2
    counters = engine.counters()
    assert counters["packets"] == 8 and counters["unwanted"] == counters["messages"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_noise_changes_nothing(seed):
    """Random bytes and spoiled frames between good ones: the same book."""
    random = Random(seed)
    packets = packets_of_a_day(0.1)
    quiet, noisy = engine_alone(), engine_alone()
    for packet in packets:
        quiet.frame(frame_of(packet), START)
        for _ in range(3):
            noise = bytearray(frame_of(packet))
            if random.random() < 0.5:
                noise = bytearray(random.randbytes(random.randrange(200)))
            else:
                noise = noise[: random.randrange(len(noise))]
            noisy.frame(bytes(noise), START)
        noisy.frame(frame_of(packet), START)
    assert {s: noisy.book.top(s) for s in noisy.book.symbols()} == {
        s: quiet.book.top(s) for s in quiet.book.symbols()
    }, f"seed {seed}"
    assert noisy.counters()["messages"] == quiet.counters()["messages"]
    assert sum(noisy.frame_errors().values()) > 0


def gapped(run):
    """Lose a packet on both lines and give it up."""
    run.is_feed_cut = True
    run.step()
    run.is_feed_cut = False
    run.step()
    assert run.feed.state == "recovering"
    for _ in range(2100):
        run.step()
    assert run.engine.counters()["lost_messages"] > 0


def test_lost_messages_gap_the_books_and_the_gate_refuses_new_risk():
    run, orders = idle()
    price = run.book.top("AAPL")["bid_price"] - 1_000
    resting = [orders.buy("AAPL", 100, price), orders.buy("AAPL", 200, price)]
    run.settle()
    gapped(run)
    assert {run.book.top(symbol)["book_state"] for symbol in run.book.symbols()} == {"gapped"}
    assert orders.buy("AAPL", 100, price) == 0
    assert orders.sell("MSFT", 100, 1_000_000) == 0
    assert orders.replace(resting[1], "B", "AAPL", 300, price) == 0
    assert run.trading.gate.counters()["symbol_not_clean"] == 3
    smaller = orders.replace(resting[1], "B", "AAPL", 150, price)
    assert smaller, "what reduces risk passes"
    assert orders.cancel(resting[0], "AAPL") == resting[0]
    run.settle()
    assert [order["user_ref_num"] for order in run.trading.oms.open_orders()] == [smaller]
    assert run.stop().trading.oms.open_order_count == 0


def test_market_maker_does_not_quote_on_gapped_books():
    run = trading().until_up()
    run.run(0.3)
    gapped(run)
    sent = len(run.wires[0].orders())
    run.run(0.3)
    assert len(run.wires[0].orders()) == sent
    assert run.stop().trading.oms.open_order_count == 0


def test_gap_that_the_other_line_closes_gaps_no_book():
    packets = packets_of_a_day(0.1)
    engine = engine_alone()
    for number, packet in enumerate(packets):
        engine.datagram(number % 2, packet, START)
        if number:
            engine.datagram(1 - number % 2, packets[number - 1], START)
    assert engine.counters()["lost_messages"] == 0
    assert {engine.book.top(s)["book_state"] for s in engine.book.symbols()} == {"clean"}


def test_finish_gives_up_what_is_missing():
    packets = packets_of_a_day(0.1)
    engine = engine_alone()
    for packet in (*packets[:20], *packets[21:]):
        engine.datagram(0, packet, START)
    missing = blocks_of(packets[20])[0]["message_count"]
    assert engine.counters()["lost_messages"] == 0
    engine.finish(START)
    assert engine.counters()["lost_messages"] == missing
    total = sum(blocks_of(packet)[0]["message_count"] for packet in packets)
    assert engine.counters()["messages"] == total - missing


def test_restart_resets_the_books_and_what_was_remembered_of_symbols():
    class Symbols(Strategy):
        def __init__(self):
            self.seen = []

        def on_book(self, top):
            self.seen.append(top.symbol)

    watching = Symbols()
    packets = []
    for session, symbols in (("MONDAY", ["AAPL", "MSFT"]), ("TUESDAY", ["IBM", "AAPL"])):
        exchange = exchange_of(symbols, session=session)
        exchange.start(START)
        packets.append(exchange.take_packets())
    run = World(exchange_of(), strategies=[PythonStrategy(watching, ["AAPL"])], restart="detect")
    for packet in packets[0]:
        run.engine.datagram(0, packet, START)
    assert run.book.symbols() == ["AAPL", "MSFT"]
    assert run.book.top("AAPL")["bid_price"] and set(watching.seen) == {"AAPL"}
    watching.seen.clear()
    fresh = engine_alone()
    for packet in packets[1]:
        run.engine.datagram(0, packet, START)
        fresh.datagram(0, packet, START)
    assert run.engine.counters()["restarts"] == 1
    for symbol in ("IBM", "AAPL"):
        assert run.book.top(symbol) == fresh.book.top(symbol)
        assert run.book.levels(symbol, "B", 99) == fresh.book.levels(symbol, "B", 99)
        assert run.book.levels(symbol, "S", 99) == fresh.book.levels(symbol, "S", 99)
    assert run.engine.symbol_index("AAPL") == 2 and run.engine.symbol_index("IBM") == 1
    assert set(watching.seen) == {"AAPL"}, "index 1 was AAPL before"
    assert run.engine.symbol_index("TOOLONGNAME") == -1 and run.engine.symbol_index("NONE") == -1


def test_silent_feed_is_stale_until_it_is_heard_again():
    run, orders = idle(stale_ns=50 * MILLISECOND)
    price = run.book.top("AAPL")["bid_price"] - 1_000
    resting = orders.buy("AAPL", 100, price)
    run.is_feed_cut = True
    run.run(0.04)
    assert orders.buy("AAPL", 100, price)
    run.run(0.02)
    assert run.engine.counters()["stale"] == 1 and run.feed.state == "stale"
    assert orders.buy("AAPL", 100, price) == 0
    assert run.trading.gate.counters()["feed_stale"] == 1
    assert orders.cancel(resting, "AAPL") == resting
    run.is_feed_cut = False
    run.engine.datagram(0, run.exchanges[0].on_request(request(run.feed, 1)), run.now)
    assert orders.buy("AAPL", 100, price), "an old datagram is a sign of life too"


def request(feed, count):
    header = feed.session + (feed.next_sequence_number).to_bytes(8, "big")
    return header + count.to_bytes(2, "big")


def test_end_of_session():
    run = trading().until_up()
    run.exchanges[0].stop(run.now)
    run.step()
    assert run.engine.counters()["end_of_session"] == 1
    assert run.feed.state == "ended"
    assert run.trading.oms.open_order_count == 0


@pytest.mark.parametrize("kind", ["market_maker", "imbalance_taker"])
def test_same_day_same_orders(kind):
    """Byte for byte, also where the lines cut the same messages into other datagrams."""
    sent = [trading(3, kind, cut=cut).run(1.2).stop().sent for cut in (None, None, 1, 2)]
    assert len(sent[0]) > 3_000
    assert sent[1:] == sent[:1] * 3
    assert trading(4, kind).run(1.2).stop().sent != sent[0]


def test_recut_is_another_cut():
    """The lines of the test above really differ."""
    packets = packets_of_a_day(0.1)
    other = recut(packets, Random(1), 3)
    assert len(other) > len(packets)
    assert [m for p in other for m in blocks_of(p)[1]] == [
        m for p in packets for m in blocks_of(p)[1]
    ]


def test_stop_cancels_and_lets_nothing_new_pass():
    class Stubborn(Strategy):
        def __init__(self):
            self.stopped = []

        def on_stop(self):
            self.stopped.append(self.orders.buy("AAPL", 100, self.price))

    stubborn = Stubborn()
    run = World(
        exchange_of(), strategies=[PythonStrategy(stubborn), make("market_maker", (), {}, 64)]
    )
    run.until_up().run(0.5)
    stubborn.price = run.book.top("AAPL")["bid_price"] - 1_000
    run.stop()
    assert stubborn.stopped[0], "in on_stop orders may still leave, and are cancelled then"
    assert run.trading.oms.open_order_count == 0
    assert stubborn.orders.buy("AAPL", 100, stubborn.price) == 0
    refused = run.engine.strategies()[1].orders.counters()["refused"]
    known = len(run.wires[0].orders())
    run.run(0.2)
    assert run.engine.strategies()[1].orders.counters()["refused"] > refused
    assert len(run.wires[0].orders()) == known


def test_loop_never_shows_an_older_time_than_its_packets():
    """What follows from a timer or a report must find market data in the past, not the future."""

    class Clerk(Strategy):
        def __init__(self):
            self.times, self.last = [], 0

        def on_book(self, top):
            self.last = max(self.last, self.orders.t_ns)

        def on_timer(self, t_ns):
            self.times.append((self.last, t_ns))

    clerk, clock = Clerk(), Clock()
    run = World(exchange_of(), strategies=[PythonStrategy(clerk)])
    packets = packets_of_a_day(0.2)
    with UdpPort(bind=("127.0.0.1", 0)) as port, socket.socket(*UDP) as sender:
        loop = Loop(run.engine, clock, [port], timer_interval_ns=1_000)
        for packet in packets:
            sender.sendto(packet, port.local_address())
            loop.run(100_000)
        loop.run(5 * MILLISECOND)
    assert run.engine.counters()["messages"] == sum(
        blocks_of(packet)[0]["message_count"] for packet in packets
    )
    assert len(clerk.times) > 100 and clerk.last > 0
    assert all(timer >= book for book, timer in clerk.times)
    report = loop.report()
    assert len(packets) >= report["busy_rounds"] > 0 and report["rounds"] > report["busy_rounds"]


def test_loop_closes_a_gap_through_its_recovery_port():
    exchange = exchange_of()
    exchange.start(START)
    exchange.on_timer(START + 100 * MILLISECOND)
    packets = exchange.take_packets()
    with (
        UdpPort(bind=("127.0.0.1", 0)) as line,
        socket.socket(*UDP) as server,
        socket.socket(*UDP) as sender,
    ):
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        target = server.getsockname()
        with UdpPort(bind=("127.0.0.1", 0), destination=target, connect=True) as recovery:
            engine = Engine(OrderBook(symbols=64, orders=1 << 15))
            feed = FeedHandler(engine, PortRequests(recovery), start=1, gap_wait_ns=0)
            engine.connect(feed)
            loop = Loop(engine, Clock(), [line], recovery=recovery)
            for packet in (packets[0], packets[2]):
                sender.sendto(packet, line.local_address())
            loop.run(20 * MILLISECOND)
            asked, client = server.recvfrom(100)
            server.sendto(exchange.on_request(asked), client)
            loop.run(20 * MILLISECOND)
    counters = feed.counters()
    assert counters["gaps_re_request"] == 1 and counters["packets_re_request"] == 1
    assert engine.counters()["messages"] == sum(
        blocks_of(packet)[0]["message_count"] for packet in packets[:3]
    )


def test_loop_has_one_or_two_lines():
    engine = engine_alone()
    with UdpPort(bind=("127.0.0.1", 0)) as port:
        for lines in ([], [port] * 3):
            with pytest.raises(ValueError, match="one or two lines"):
                Loop(engine, Clock(), lines)
        with pytest.raises(ValueError, match="four venues"):
            Loop(engine, Clock(), [port], venues=[None] * 5)
