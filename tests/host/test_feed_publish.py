# SPDX-License-Identifier: Apache-2.0
"""The normalised feed: what is published, and that a follower knows what the publisher knows."""

import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from feed_support import end_of_session
from trading_support import MILLISECOND, SECOND, START, blocks_of, exchange_of

from host.book.order_book import OrderBook
from host.book.price_level_book import PriceLevelBook
from host.engine import Engine
from host.feed.handler import FeedHandler
from host.ipc.broadcast import BroadcastReader, BroadcastWriter
from host.ipc.event import decode_event
from host.ipc.event_layout import CONTENT, EVENT_BYTES
from host.publish.feed_publisher import FeedPublisher
from host.publish.follower import FeedFollower
from nic.wire.deep10 import DEEP10
from nic.wire.iextp import IEXTP, MESSAGE_PROTOCOL_DEEP10, VERSION
from nic.wire.reference import encode
from tools.replay import Replay, ReplayOptions

SYMBOLS = 64


def packets_of_a_day(seconds=0.3, **options):
    exchange = exchange_of(**options)
    exchange.start(START)
    packets = exchange.take_packets()
    for millisecond in range(int(seconds * 1000)):
        exchange.on_timer(START + millisecond * MILLISECOND)
        packets += exchange.take_packets()
    return packets


class Published:
    """An engine that publishes, and what reads it; time goes on by a microsecond a packet."""

    def __init__(self, folder, *, slots=1 << 16, refresh_ns=0, book=None, **feed):
        self.now = START
        self.path = Path(folder) / "feed"
        self.book = book or OrderBook(symbols=SYMBOLS, orders=1 << 15)
        self.engine = Engine(self.book)
        self.engine.connect(FeedHandler(self.engine, **{"start": 1, **feed}))
        self.writer = BroadcastWriter(
            self.path, slots=slots, slot_bytes=EVENT_BYTES, content=CONTENT
        )
        self.publisher = FeedPublisher(self.writer, self.book, refresh_ns=refresh_ns, t_ns=self.now)
        self.engine.set_tap(self.publisher)

    def follower(self, start="oldest"):
        reader = BroadcastReader(self.path, start=start, content=CONTENT)
        return FeedFollower(reader, symbols=SYMBOLS)

    def take(self, *packets, line=0):
        for packet in packets:
            self.now += 1_000
            self.engine.datagram(line, packet, self.now)

    def wait(self, nanoseconds, step=MILLISECOND):
        end = self.now + nanoseconds
        while self.now < end:
            self.now += step
            self.engine.timer(self.now)

    def tops(self):
        return {symbol: self.book.top(symbol) for symbol in self.book.symbols()}


@pytest.fixture
def published(tmp_path):
    made = []

    def make(**options):
        made.append(Published(tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.writer.close()


def everything(follower):
    """All that is there, event by event, applied to the follower's tops as well."""
    found = []
    while follower.events.next_sequence <= follower.events.newest():
        found += follower.poll_events()
    return found


def without_times(tops):
    """A message that changed nothing still sets a time of the book's own top."""
    return {
        symbol: {name: value for name, value in top.items() if name != "timestamp"}
        for symbol, top in tops.items()
    }


def test_a_follower_knows_what_the_publisher_knows(published):
    run = published()
    follower = run.follower()
    kinds = Counter()
    packets = packets_of_a_day()
    for at in range(0, len(packets), 20):
        run.take(*packets[at : at + 20])
        for event in everything(follower):
            kinds[event["kind"]] += 1
        assert without_times(follower.tops_by_symbol()) == without_times(run.tops())
    assert sum(kinds.values()) == run.writer.published > 1_000
    counted = run.publisher.counters()
    assert counted.pop("refused") == 0
    assert counted == dict(kinds)
    assert {"begin", "add", "execute", "reduce", "delete", "replace", "state"} <= set(kinds)
    counters = follower.counters()
    assert counters["events"] == run.writer.published and counters["events_lost"] == 0
    assert follower.phase() == run.book.phase()
    assert follower.feed_sequence_number == run.engine.feed.counters()["messages"]


def test_events_say_what_the_messages_said(published):
    """The orders by reference, kept from the events alone, are the publisher's book."""
    run = published()
    run.take(*packets_of_a_day(0.2, seed=5))
    orders = {}
    trades = 0
    for event in everything(run.follower()):
        reference, kind = event["order_reference_number"], event["kind"]
        if kind == "replace":
            old = orders.pop(event["previous_order_reference_number"])
            orders[reference] = [*old[:2], event["price"], event["quantity"]]
        elif kind == "add":
            orders[reference] = [event["symbol"], event["side"], event["price"], event["quantity"]]
        elif kind == "delete":
            del orders[reference]
        elif kind in ("execute", "reduce"):
            if kind == "execute" and event["price"]:
                trades += 1
                assert event["side"] == orders[reference][1]
            orders[reference][3] -= event["quantity"]
            if orders[reference][3] == 0:
                del orders[reference]
    assert trades > 10 and len(orders) == run.book.order_count
    levels = {}
    for symbol, side, price, shares in orders.values():
        found = levels.setdefault((symbol, side), {}).setdefault(price, [0, 0])
        found[0] += shares
        found[1] += 1
    for symbol in run.book.symbols():
        for side in "BS":
            expected = {p: [s, n] for p, s, n in run.book.levels(symbol, side, 1_000)}
            assert levels.get((symbol, side), {}) == expected


def test_a_gap_is_told_and_gaps_every_book(published):
    run = published(gap_wait_ns=0, gap_limit_ns=5 * MILLISECOND)
    packets = packets_of_a_day(0.1)
    follower = run.follower()
    run.take(*packets[:40])
    lost = [blocks_of(packet) for packet in packets[40:43]]
    run.take(*packets[43:])
    run.wait(20 * MILLISECOND)
    events = everything(follower)
    (gap,) = [event for event in events if event["kind"] == "gap"]
    assert gap["feed_sequence_number"] == lost[0][0]["sequence_number"]
    assert gap["quantity"] == sum(len(messages) for _, messages in lost) > 0
    assert follower.counters()["feed_messages_lost"] == gap["quantity"]
    tops = follower.tops_by_symbol()
    assert {top["book_state"] for top in tops.values()} == {"gapped"}
    assert without_times(tops) == without_times(run.tops())


def test_restart_silence_and_end(published):
    run = published(restart="detect", start="first", stale_ns=10 * MILLISECOND)
    follower = run.follower()
    run.take(*packets_of_a_day(0.05))
    run.wait(30 * MILLISECOND)
    assert [event["kind"] for event in everything(follower)][-1] == "stale"
    assert follower.is_stale
    second = packets_of_a_day(0.05, seed=9, session="TICKWIRE02")
    run.take(*second)
    kinds = [event["kind"] for event in everything(follower)]
    assert "restart" in kinds and "live" in kinds and not follower.is_stale
    assert without_times(follower.tops_by_symbol()) == without_times(run.tops())
    next_sequence = run.engine.feed.counters()["messages"]
    assert next_sequence > 0 and not follower.is_ended
    header, messages = blocks_of(second[-1])
    run.take(end_of_session(header["sequence_number"] + len(messages), b"TICKWIRE02"))
    assert [event["kind"] for event in everything(follower)] == ["end_of_session"]
    assert follower.is_ended


def test_late_followers_become_complete(published):
    run = published(refresh_ns=50 * MILLISECOND)
    run.take(*packets_of_a_day())
    late = run.follower("newest")
    assert everything(late) == [] and late.tops_by_symbol() == {}
    run.wait(52 * MILLISECOND)
    repeated = everything(late)
    assert {event["kind"] for event in repeated} == {"top"}
    assert len(repeated) in (3, 4)  # three symbols, each once in the time, and a bit
    assert late.tops_by_symbol() == run.tops()
    run.wait(SECOND)
    rate = len(everything(late))
    assert 55 <= rate <= 65  # three symbols twenty times


def test_refresh_is_off_and_bounded(published):
    run = published(refresh_ns=0)
    run.take(*packets_of_a_day(0.05))
    before = run.writer.published
    run.wait(SECOND)
    assert run.writer.published == before
    run.writer.close()
    other = published(refresh_ns=1, book=OrderBook(symbols=256, orders=1 << 15))
    other.take(*packets_of_a_day(0.02, symbols=[f"S{number}" for number in range(100)]))
    other.wait(MILLISECOND)
    before = other.writer.published
    other.wait(MILLISECOND)
    assert other.writer.published - before in (63, 64)  # an index without a symbol takes a turn


def test_overrun_follower_says_so_until_it_is_right_again(published):
    run = published(slots=64, refresh_ns=20 * MILLISECOND)
    follower = run.follower()
    packets = packets_of_a_day()
    run.take(*packets[:5])
    everything(follower)
    overruns = follower.counters()["overruns"]
    run.take(*packets[5:])
    assert follower.poll(1) == 0  # told
    assert follower.counters()["overruns"] == overruns + 1
    states = {top["book_state"] for top in follower.tops_by_symbol().values()}
    assert states == {"rebuilding"}
    while follower.poll(1_000):
        pass
    run.wait(25 * MILLISECOND)
    follower.poll(1_000)
    assert follower.tops_by_symbol() == run.tops()
    counters = follower.counters()
    assert counters["events"] + counters["events_lost"] == run.writer.published
    assert counters["overruns"] == overruns + 1


def test_a_new_publisher_begins_anew(published):
    run = published()
    run.take(*packets_of_a_day(0.05))
    follower = run.follower()
    everything(follower)
    assert follower.tops_by_symbol()
    run.writer.close(keep=True)
    with pytest.raises(EOFError):
        follower.poll()
    again = published()
    second = again.follower()
    assert [event["kind"] for event in everything(second)] == ["begin"]
    assert second.tops_by_symbol() == {}


def segment(first, messages):
    payload = b"".join(len(m).to_bytes(2, "little") + m for m in messages)
    return encode(
        IEXTP,
        "header",
        {
            "version": VERSION,
            "message_protocol_id": MESSAGE_PROTOCOL_DEEP10,
            "channel_id": 1,
            "session_id": 7,
            "payload_length": len(payload),
            "message_count": len(messages),
            "stream_offset": 0,
            "first_message_sequence_number": first,
            "send_time": first,
            "payload": payload,
        },
    )


@pytest.mark.parametrize("seed", range(3))
def test_price_levels(published, seed):
    random = Random(seed)
    run = published(book=PriceLevelBook(symbols=SYMBOLS, levels=4096), transport="iextp")
    follower = run.follower()
    levels = {}
    number = 1
    for _ in range(400):
        symbol = random.choice([b"V", b"GE", b"IBM"])
        common = {"symbol": symbol, "timestamp": number}
        if random.random() < 0.8:
            side = random.choice(["buy", "sell"])
            values = {
                "event_flags": random.random() < 0.7,
                "price": random.randrange(100, 120) * 100 + (2000 if side == "sell" else 0),
                "size": random.choice([0, 100, 300]),
            }
            message = encode(DEEP10, f"price_level_update_{side}", {**common, **values})
        elif random.random() < 0.5:
            values = {"price": 11_000, "size": 50, "sale_condition_flags": 0}
            message = encode(DEEP10, "trade_report", {**common, **values})
        else:
            status = random.choice([b"T", b"H"])
            message = encode(DEEP10, "trading_status", {**common, "trading_status": status})
        run.take(segment(number, [message]))
        number += 1
        for event in everything(follower):
            if event["kind"] == "level":
                key = (event["symbol"], event["side"])
                levels.setdefault(key, {})[event["price"]] = event["quantity"]
        assert without_times(follower.tops_by_symbol()) == without_times(run.tops()), seed
    for (symbol, side), found in levels.items():
        expected = {price: shares for price, shares, _ in run.book.levels(symbol, side, 1_000)}
        assert {p: s for p, s in found.items() if s} == expected, seed
    assert {"level", "trade", "state"} <= set(run.publisher.counters())


def test_nobody_follows_other_events(published, tmp_path):
    run = published()
    with BroadcastWriter(tmp_path / "other", slot_bytes=64) as other:
        with pytest.raises(ValueError, match=f"{EVENT_BYTES} bytes, not 64"):
            FeedPublisher(other, run.book)
        with pytest.raises(ValueError, match=f"{EVENT_BYTES} bytes, not 64"):
            FeedFollower(BroadcastReader(tmp_path / "other"))
        with pytest.raises(ValueError, match="holds other events"):
            BroadcastReader(tmp_path / "other", content=CONTENT)


def test_events_beyond_the_room_are_counted(published):
    run = published()
    reader = BroadcastReader(run.path, start="oldest", content=CONTENT)
    follower = FeedFollower(reader, symbols=2)
    run.take(*packets_of_a_day(0.05))
    while follower.poll(1_000):
        pass
    assert follower.counters()["out_of_range"] > 0
    assert set(follower.tops_by_symbol()) < set(run.tops())


def test_an_event_of_another_version_is_named():
    raw = bytearray(EVENT_BYTES)
    raw[0] = 200
    assert decode_event(bytes(raw))["kind"] == "kind_200"


DATA = os.environ.get("TICKWIRE_DATA", "")


@pytest.mark.skipif(not DATA, reason="TICKWIRE_DATA names no folder of captures")
@pytest.mark.parametrize("path", sorted(Path(DATA or "/nowhere").glob("iex/*DEEP*")), ids=str)
def test_real_captures(path, tmp_path):
    replay = Replay(ReplayOptions(path))
    with BroadcastWriter(
        tmp_path / "feed", slots=1 << 18, slot_bytes=EVENT_BYTES, content=CONTENT
    ) as writer:
        replay.engine.set_tap(FeedPublisher(writer, replay.book, refresh_ns=0))
        follower = FeedFollower(BroadcastReader(tmp_path / "feed", start="oldest"))

        def follow(_):
            while follower.poll(1 << 20):
                pass

        replay.run(follow)
        follow(0)
        assert follower.counters()["events_lost"] == 0
        tops = {symbol: replay.book.top(symbol) for symbol in replay.book.symbols()}
        assert without_times(follower.tops_by_symbol()) == without_times(tops)
