# SPDX-License-Identifier: Apache-2.0
"""Whole streams: the generated day, BinaryFILE framing, records of changes, prefetching."""

import random

import numpy as np
import pytest

from host.book.order_book import BBO_CHANGE, OrderBook
from host.book.reference import ReferenceOrderBook
from nic.wire.itch50 import ITCH50
from nic.wire.reference import encode
from tools.itch_stream import generate


def frames(data):
    """The messages of a stream in BinaryFILE framing."""
    raw, at = bytes(data), 0
    while at < len(raw):
        length = int.from_bytes(raw[at : at + 2], "big")
        yield raw[at + 2 : at + 2 + length]
        at += 2 + length


def framed(*messages):
    return np.frombuffer(
        b"".join(len(m).to_bytes(2, "big") + m for m in messages), dtype=np.uint8
    ).copy()


def sizes():
    return {"symbols": 9000, "orders": 60_000, "levels": 60_000}


def test_the_generated_day_is_seeded_and_valid():
    day = generate(60_000, symbols=20, live_orders=5000, seed=7)
    assert np.array_equal(day, generate(60_000, symbols=20, live_orders=5000, seed=7))
    assert not np.array_equal(day, generate(60_000, symbols=20, live_orders=5000, seed=8))
    book = OrderBook(**sizes())
    result = book.apply_binary_file(day)
    assert result["messages"] == 60_000
    assert result["bytes"] == len(day)
    assert not result["truncated"]
    counters = book.counters()
    assert {name for name, count in counters.items() if count} == {"bbo_changes", "trades"}
    assert abs(book.order_count - 5000) < 250
    assert len(book.symbols()) == 20
    for symbol in book.symbols():
        top = book.top(symbol)
        assert top["trading_state"] == "T"
        assert not top["ask_price"] or top["bid_price"] < top["ask_price"]
    counts = book.message_counts()
    assert set(counts) == set("SRHAFDUEXPCIL")
    assert counts["A"] > counts["D"] > counts["U"] > counts["E"] > counts["X"]


def test_the_generated_day_equals_the_reference_book():
    day = generate(6000, symbols=5, live_orders=300, seed=3)
    records = np.zeros(6000, dtype=BBO_CHANGE)
    book, reference = OrderBook(**sizes()), ReferenceOrderBook()
    result = book.apply_binary_file(day, records)
    expected = []
    for number, message in enumerate(frames(day)):
        if reference.apply(message) & 1:
            locate = int.from_bytes(message[1:3], "big")
            top = reference.top(locate)
            best = (top.bid_price, top.bid_shares, top.ask_price, top.ask_shares)
            expected.append((top.timestamp, *best, locate, number))
    assert [tuple(record) for record in records[: result["bbo_changes"]].tolist()] == expected
    assert result["trades"] == reference.counters["trades"]
    for locate, wire in reference.symbols.items():
        symbol = wire.decode().rstrip()
        for side in "BS":
            assert book.orders(symbol, side) == reference.queue(locate, side)
            assert book.levels(symbol, side, 1000) == reference.levels(locate, side)


def test_a_full_ring_overwrites_its_oldest_records():
    day = generate(20_000, symbols=5, live_orders=1000, seed=5)
    whole = np.zeros(20_000, dtype=BBO_CHANGE)
    count = OrderBook(**sizes()).apply_binary_file(day, whole)["bbo_changes"]
    ring = np.zeros(64, dtype=BBO_CHANGE)
    assert OrderBook(**sizes()).apply_binary_file(day, ring)["bbo_changes"] == count
    assert np.array_equal(np.roll(ring, -(count % 64)), whole[count - 64 : count])


def test_the_end_mark_and_a_cut_file():
    event = encode(ITCH50, "system_event", {"event_code": b"O"})
    book = OrderBook(**sizes())
    result = book.apply_binary_file(framed(event, b"", event))
    assert result["end_of_session"]
    assert result["messages"] == 1
    assert result["bytes"] == 2 + len(event) + 2
    assert not result["truncated"]
    for cut in range(1, 2 + len(event)):
        result = book.apply_binary_file(framed(event, event)[:-cut])
        assert result["messages"] == 1, cut
        assert result["bytes"] == 2 + len(event), cut
        assert result["truncated"], cut
    result = book.apply_binary_file(framed())
    assert (result["messages"], result["truncated"]) == (0, False)


@pytest.mark.parametrize("seed", range(4))
def test_looking_ahead_changes_nothing_and_garbage_is_survived(seed):
    """The batch, which prefetches, and message by message, which does not, end the same."""
    rng = random.Random(seed)
    messages = list(frames(generate(8000, symbols=5, live_orders=500, seed=seed)))
    for _ in range(400):
        at = rng.randrange(len(messages))
        kind = rng.random()
        if kind < 0.3:
            messages[at] = messages[at][: rng.randrange(1, len(messages[at]) + 1)]
        elif kind < 0.6:
            changed = bytearray(messages[at])
            changed[rng.randrange(len(changed))] = rng.randrange(256)
            messages[at] = bytes(changed)
        elif kind < 0.8:
            messages[at] = rng.randbytes(rng.randint(1, 60))
        else:
            messages.insert(at, rng.choice(messages))
    batch, single = OrderBook(**sizes()), OrderBook(**sizes())
    assert batch.apply_binary_file(framed(*messages))["messages"] == len(messages), seed
    for message in messages:
        single.apply_message(message)
    assert batch.counters() == single.counters(), seed
    assert batch.message_counts() == single.message_counts(), seed
    assert batch.symbols() == single.symbols(), seed
    for symbol in batch.symbols():
        assert batch.top(symbol) == single.top(symbol), seed
        for side in "BS":
            assert batch.orders(symbol, side) == single.orders(symbol, side), seed


def test_a_day_again_after_a_reset():
    day = generate(20_000, symbols=5, live_orders=1000, seed=5)
    book, fresh = OrderBook(**sizes()), OrderBook(**sizes())
    book.apply_binary_file(day)
    book.clear()
    assert book.order_count == 0
    assert book.apply_binary_file(day) == fresh.apply_binary_file(day)
    for symbol in fresh.symbols():
        assert book.top(symbol) == fresh.top(symbol)
        assert book.orders(symbol, "B") == fresh.orders(symbol, "B")
