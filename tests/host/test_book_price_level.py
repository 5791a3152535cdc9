# SPDX-License-Identifier: Apache-2.0
"""Price-level books: event flags of DEEP 1.0, garbage, and equality with the reference book."""

import random

import pytest

from host.book.book import CHANGED
from host.book.price_level_book import PriceLevelBook
from host.book.reference import ReferencePriceLevelBook
from nic.wire.deep10 import DEEP10
from nic.wire.reference import encode

BBO, TRADE, STATE, DEPTH = (CHANGED[name] for name in ("bbo", "trade", "state", "depth"))


def message(name, symbol=b"V", timestamp=1, **values):
    return encode(DEEP10, name, {"symbol": symbol, "timestamp": timestamp, **values})


def level(side, price, size, complete=True, symbol=b"V", timestamp=1, flags=0):
    return message(
        "price_level_update_buy" if side == "B" else "price_level_update_sell",
        symbol,
        timestamp,
        event_flags=flags | complete,
        size=size,
        price=price,
    )


def best(book, symbol="V"):
    top = book.top(symbol)
    return tuple(top[f] for f in ("bid_price", "bid_shares", "ask_price", "ask_shares"))


def filled_book():
    book = PriceLevelBook(symbols=8, levels=64)
    for price in (101000, 102000, 103000):
        book.apply_message(level("S", price, 5))
    book.apply_message(level("B", 100000, 5))
    return book


def test_a_sweep_publishes_only_when_it_is_complete():
    book = filled_book()
    assert best(book) == (100000, 5, 101000, 5)
    assert book.apply_message(level("S", 101000, 0, complete=False)) == DEPTH
    assert best(book) == (100000, 5, 101000, 5)
    assert book.in_transition("V")
    assert book.levels("V", "S") == [(102000, 5, 0), (103000, 5, 0)]
    assert book.apply_message(level("S", 102000, 0)) == DEPTH | BBO
    assert best(book) == (100000, 5, 103000, 5)
    assert not book.in_transition("V")


def test_a_transition_of_one_side_is_closed_by_the_other():
    book = filled_book()
    book.apply_message(level("S", 101000, 0, complete=False))
    assert book.apply_message(level("B", 101000, 3)) == DEPTH | BBO
    assert best(book) == (101000, 3, 102000, 5)


def test_symbols_have_transitions_of_their_own():
    book = filled_book()
    book.apply_message(level("S", 101000, 0, complete=False))
    assert book.apply_message(level("B", 50, 1, symbol=b"ZIEXT")) == STATE | DEPTH | BBO
    assert best(book) == (100000, 5, 101000, 5)
    assert book.symbols() == ["V", "ZIEXT"]


def test_size_is_set_and_an_absent_level_is_a_counted_no_op():
    book = filled_book()
    assert book.apply_message(level("B", 100000, 7)) == DEPTH | BBO
    assert book.apply_message(level("B", 100000, 7)) == DEPTH
    assert book.apply_message(level("B", 99000, 0)) == 0
    assert book.counters()["absent_level"] == 1
    assert best(book) == (100000, 7, 101000, 5)


def test_orphan_transitions_are_counted_and_become_visible():
    book = filled_book()
    book.apply_message(level("S", 101000, 0, complete=False, timestamp=5))
    book.apply_message(level("S", 102000, 0, complete=False, timestamp=5))
    assert book.counters()["orphan_transition"] == 0
    assert book.apply_message(level("B", 1, 1, timestamp=6)) == DEPTH | BBO
    assert book.counters()["orphan_transition"] == 1
    assert best(book) == (100000, 5, 103000, 5)


def test_only_the_lowest_flag_bit_counts():
    book = filled_book()
    assert not book.apply_message(level("B", 100100, 1, complete=False, flags=0xFE)) & BBO
    assert book.apply_message(level("B", 100100, 1, complete=True, flags=0xFE)) & BBO


def test_trades_and_the_last_sale():
    book = filled_book()

    def trade(flags, price):
        return message("trade_report", sale_condition_flags=flags, size=9, price=price)

    assert book.apply_message(trade(0, 100500)) == TRADE
    assert book.last_trade() == (100500, 9, "")
    for flags in (0x40, 0x20, 0x60):
        assert book.apply_message(trade(flags, 99)) == TRADE
    assert book.last_trade() == (99, 9, "")
    assert book.top("V")["last_price"] == 100500
    assert book.apply_message(trade(0x98, 100600)) == TRADE
    assert book.top("V")["last_price"] == 100600
    assert best(book) == (100000, 5, 101000, 5)


def test_states_longer_messages_and_prices_beyond_32_bits():
    book = PriceLevelBook(symbols=4, levels=8)
    status = message("trading_status", b"BRK.A", trading_status=b"T", reason=b"    ")
    assert book.apply_message(status + b"more") == STATE
    assert book.apply_message(status) == 0
    assert book.top("BRK.A")["trading_state"] == "T"
    halt = message("operational_halt_status", b"BRK.A", operational_halt_status=b"O")
    assert book.apply_message(halt) == STATE
    assert book.top("BRK.A")["operational_halt"]
    for status, state in ((1, "1"), (0, "0")):
        test = message("short_sale_price_test_status", b"BRK.A", status=status)
        assert book.apply_message(test) == STATE
        assert book.apply_message(test) == 0
        assert book.top("BRK.A")["short_sale_state"] == state
    book.apply_message(encode(DEEP10, "system_event", {"system_event": b"R", "timestamp": 1}))
    assert book.phase() == "market"
    directory = message("security_directory", b"BRK.A", round_lot_size=1)
    assert book.apply_message(directory) == STATE
    assert book.top("BRK.A")["round_lot_size"] == 1
    price = 743_210_0000
    assert book.apply_message(level("S", price, 1, symbol=b"BRK.A")) == DEPTH | BBO
    assert best(book, "BRK.A") == (0, 0, price, 1)


def test_every_bad_message_has_its_counter():
    book = PriceLevelBook(symbols=2, levels=2)
    book.apply_message(level("B", 100, 1))
    book.apply_message(level("B", 100, 1, symbol=b"W"))
    bad = [
        (b"", "wrong_length"),
        (level("B", 1, 1)[:-1], "wrong_length"),
        (b"~" * 40, "unknown_type"),
        (level("B", 0, 1), "bad_price"),
        (level("B", -5, 1), "bad_price"),
        (level("S", 1 << 62, 1), "bad_price"),
        (level("B", 1, 1, symbol=b"X"), "symbol_pool_full"),
        (level("B", 1, 1, symbol=bytes(8)), "symbol_pool_full"),
        (level("B", 1, 0), "absent_level"),
    ]
    for data, counter in bad:
        before = book.counters()
        assert book.apply_message(data) == 0, (data, counter)
        after = book.counters()
        assert {k for k in after if after[k] != before[k]} == {counter}, data
    assert book.apply_message(level("S", 200, 1)) == STATE
    assert book.counters()["level_pool_full"] == 1
    assert book.top("V")["book_state"] == "gapped"
    assert book.top("W")["book_state"] == "clean"


def test_after_a_gap_nothing_is_published_until_the_books_are_cleared():
    book = filled_book()
    book.apply_message(level("S", 101000, 0, complete=False))
    book.gap()
    assert not book.in_transition("V")
    assert book.apply_message(level("S", 102000, 0)) == DEPTH
    assert best(book) == (100000, 5, 101000, 5)
    assert book.top("V")["book_state"] == "gapped"
    book.clear()
    assert best(book) == (0, 0, 0, 0)
    assert book.apply_message(level("S", 102000, 1)) == DEPTH | BBO


def test_a_deep_ladder_keeps_its_order():
    """More levels than a search looks at first, and than the first arrays hold."""
    rng = random.Random(3)
    book = PriceLevelBook(symbols=2, levels=4000)
    levels = {"B": {}, "S": {}}
    for _ in range(6000):
        side, price = rng.choice("BS"), rng.randint(1, 1500)
        size = rng.choice((0, 1, 2))
        book.apply_message(level(side, price, size))
        levels[side].pop(price, None)
        if size:
            levels[side][price] = size
    assert book.levels("V", "B", 5000) == [
        (price, levels["B"][price], 0) for price in sorted(levels["B"], reverse=True)
    ]
    assert book.levels("V", "S", 5000) == [
        (price, levels["S"][price], 0) for price in sorted(levels["S"])
    ]


def random_message(rng):
    symbol = rng.choice((b"A", b"BB", b"CCC", b"DDDD") if rng.random() < 0.98 else (bytes(8), b""))
    timestamp = rng.randint(1, 6)
    kind = rng.random()
    if kind < 0.85:
        price = rng.choice((0, -1, 1 << 41)) if rng.random() < 0.01 else rng.randint(40, 60) * 100
        size = rng.choice((0, 0, 100, 200, 0xFFFFFFFF))
        data = level(rng.choice("BS"), price, size, rng.random() < 0.7, symbol, timestamp)
    elif kind < 0.9:
        data = message(
            "trade_report",
            symbol,
            timestamp,
            sale_condition_flags=rng.randrange(256),
            size=rng.randint(0, 9),
            price=rng.randint(0, 9),
        )
    elif kind < 0.97:
        name, values = rng.choice(
            (
                ("trading_status", {"trading_status": rng.choice((b"T", b"H", b"P"))}),
                ("operational_halt_status", {"operational_halt_status": rng.choice((b"O", b"N"))}),
                ("security_directory", {"round_lot_size": rng.choice((1, 100))}),
                ("short_sale_price_test_status", {"status": rng.choice((0, 1, 2))}),
                ("security_event", {"security_event": b"O"}),
                ("trade_break", {"price": 5}),
                ("official_price", {"official_price": 7}),
            )
        )
        data = message(name, symbol, timestamp, **values)
    elif kind < 0.98:
        data = encode(
            DEEP10,
            "system_event",
            {"system_event": rng.choice((b"S", b"R")), "timestamp": timestamp},
        )
    else:
        data = rng.randbytes(rng.randint(0, 45))
    if rng.random() < 0.03:
        return data[: rng.randrange(len(data) + 1)] + rng.randbytes(rng.choice((0, 3)))
    return data


@pytest.mark.parametrize("seed", range(10))
def test_equal_to_the_reference_after_every_message(seed):
    rng = random.Random(seed)
    book = PriceLevelBook(symbols=512, levels=1000)
    reference = ReferencePriceLevelBook()
    for step in range(2500):
        what = f"seed {seed}, step {step}"
        chance = rng.random()
        if chance < 0.001:
            book.clear(), reference.clear()
        elif chance < 0.0015:
            book.gap(), reference.gap()
        data = random_message(rng)
        assert book.apply_message(data) == reference.apply(data), (what, data)
        assert book.last_trade() == reference.last_trade, what
        assert book.phase() == reference.phase, what
        counters = {k: v for k, v in book.counters().items() if v}
        assert counters == {k: v for k, v in reference.counters.items() if v}, what
        for index in range(min(len(reference.symbols), 6)):
            symbol = reference.symbols[index].decode("latin-1").rstrip(" ")
            top = book.top(symbol)
            del top["updated_ns"]
            assert top == vars(reference.top(index)), what
            assert book.in_transition(symbol) == (index in reference.pending), what
            for side in "BS":
                assert book.levels(symbol, side, 100) == reference.levels(index, side), what
