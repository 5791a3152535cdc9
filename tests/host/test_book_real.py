# SPDX-License-Identifier: Apache-2.0
"""Books from real captures, where ``TICKWIRE_DATA`` names the folder that holds them."""

import gzip
import os
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from host.book.order_book import OrderBook
from host.book.price_level_book import PriceLevelBook
from host.book.reference import ReferenceOrderBook, ReferencePriceLevelBook

DATA = os.environ.get("TICKWIRE_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="TICKWIRE_DATA is not set")

SYMBOL = slice(10, 18)
"""Of every DEEP message but the system event."""


FIELDS = ("bid_price", "bid_shares", "ask_price", "ask_shares", "last_price", "last_shares")


def datagrams(path):
    """UDP payloads of a classic little-endian pcap of Ethernet frames; stops at a cut record."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as file:
        file.read(24)
        while len(header := file.read(16)) == 16:
            length = struct.unpack("<8xI4x", header)[0]
            frame = file.read(length)
            if len(frame) < length:
                return
            ip = 18 if frame[12:14] == b"\x81\x00" else 14
            udp = ip + 4 * (frame[ip] & 15)
            end = udp + int.from_bytes(frame[udp + 4 : udp + 6], "big")
            yield frame[udp + 8 : end]


def blocks(payload, at, count, byte_order):
    for _ in range(count):
        length = int.from_bytes(payload[at : at + 2], byte_order)
        yield payload[at + 2 : at + 2 + length]
        at += 2 + length


def test_deep_capture_equals_the_reference():
    """Every level update and trade, and the other messages of a sample of the 7,802 symbols."""
    book, reference = PriceLevelBook(prefault=True), ReferencePriceLevelBook()
    messages, restarts, last_sequence, compared, changes = 0, 0, 0, 0, Counter()
    for payload in datagrams(Path(DATA) / "iex" / "DEEP10.pcap.gz"):
        count, sequence = struct.unpack_from("<14xH8xq", payload)
        if sequence == 1 and last_sequence > 1:
            restarts += 1
            book.clear(), reference.clear()
        last_sequence = sequence + count
        for message in blocks(payload, 40, count, "little"):
            messages += 1
            changed = book.apply_message(message)
            if changed & 1:
                changes[message[SYMBOL]] += 1
            moves = message[0] in b"85T"
            if message[0] == ord("S") or (not moves and sum(message[SYMBOL]) % 211):
                continue
            compared += moves
            expected = reference.apply(message)
            if moves:  # the first message of a symbol may be one that the sample leaves out
                assert changed & ~4 == expected & ~4, (restarts, sequence, message)
            index = reference.indices[message[SYMBOL]]
            symbol = message[SYMBOL].decode().rstrip()
            top = book.top(symbol)
            best = vars(reference.top(index))
            assert all(top[name] == best[name] for name in FIELDS), (restarts, sequence, message)
    assert (messages, restarts) == (391_999, 11)
    assert compared > 10_000
    assert len(book.symbols()) == 7802
    counters = book.counters()
    assert counters["bbo_changes"] == reference.counters["bbo_changes"] == sum(changes.values())
    assert counters["trades"] == reference.counters["trades"] > 0
    assert counters["absent_level"] == reference.counters["absent_level"] > 0
    assert counters["wrong_length"] == counters["unknown_type"] == counters["bad_price"] == 0
    assert counters["orphan_transition"] == reference.counters["orphan_transition"] > 0
    for index, wire in reference.symbols.items():
        symbol = wire.decode().rstrip()
        for side in "BS":
            assert book.levels(symbol, side, 10_000) == reference.levels(index, side)


def test_head_of_a_nasdaq_day():
    path = Path(DATA) / "nasdaq-itch50" / "first-1000-messages-20191230.itch"
    book, reference = OrderBook(), ReferenceOrderBook()
    data = np.fromfile(path, dtype=np.uint8)
    assert book.apply_binary_file(data)["messages"] == 1000
    assert book.message_counts() == {"R": 993, "H": 3, "Y": 3, "S": 1}
    for message in blocks(bytes(data), 0, 1000, "big"):
        reference.apply(message)
    assert len(book.symbols()) == len(reference.symbols) == 993
    for index, wire in reference.symbols.items():
        top = book.top(wire.decode().rstrip())
        del top["updated_ns"]
        assert top == vars(reference.top(index))


def test_nasdaq_datagrams():
    book, reference = OrderBook(), ReferenceOrderBook()
    for path in sorted((Path(DATA) / "nasdaq-itch50").glob("*.pcap")):
        for payload in datagrams(path):
            count = int.from_bytes(payload[18:20], "big")
            for message in blocks(payload, 20, count, "big"):
                assert book.apply_message(message) == reference.apply(message), (path, message)
    expected = {"A": 37, "F": 2, "D": 2, "L": 1, "I": 1, "E": 1, "U": 1, "H": 1}
    assert book.message_counts() == expected
    counters = {name: count for name, count in book.counters().items() if count}
    assert counters == {name: count for name, count in reference.counters.items() if count}
    assert book.order_count == len(reference.orders) > 30
    for index, wire in reference.symbols.items():
        symbol = wire.decode().rstrip()
        for side in "BS":
            assert book.orders(symbol, side) == reference.queue(index, side)
