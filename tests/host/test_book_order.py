# SPDX-License-Identifier: Apache-2.0
"""Order-level books: rules of ITCH 5.0, limits, garbage, and equality with the reference book."""

import random

import pytest

from host.book.book import CHANGED
from host.book.order_book import OrderBook
from host.book.reference import ReferenceOrderBook
from nic.wire.itch50 import ITCH50
from nic.wire.reference import encode

BBO, TRADE, STATE, DEPTH = (CHANGED[name] for name in ("bbo", "trade", "state", "depth"))
STOCKS = {1: b"ALFA", 2: b"BRAVO", 3: b"CHARLIE", 4: b"DELTA"}


def message(name, locate=1, timestamp=1, **values):
    return encode(ITCH50, name, {"stock_locate": locate, "timestamp": timestamp, **values})


def add(reference, side, shares, price, locate=1, name="add_order", **values):
    return message(
        name,
        locate,
        order_reference_number=reference,
        buy_sell_indicator=side.encode("latin-1"),
        shares=shares,
        stock=STOCKS.get(locate, b"OTHER"),
        price=price,
        **values,
    )


def delete(reference, locate=1):
    return message("order_delete", locate, order_reference_number=reference)


def execute(reference, shares, locate=1):
    return message(
        "order_executed", locate, order_reference_number=reference, executed_shares=shares
    )


def execute_at(reference, shares, price, printable, locate=1):
    return message(
        "order_executed_with_price",
        locate,
        order_reference_number=reference,
        executed_shares=shares,
        printable=printable,
        execution_price=price,
    )


def cancel(reference, shares, locate=1):
    return message(
        "order_cancel", locate, order_reference_number=reference, cancelled_shares=shares
    )


def replace(reference, new, shares, price, locate=1):
    return message(
        "order_replace",
        locate,
        original_order_reference_number=reference,
        new_order_reference_number=new,
        shares=shares,
        price=price,
    )


def small_book(**sizes):
    return OrderBook(**{"symbols": 8, "orders": 64, "levels": 64, **sizes})


def best(book, symbol="ALFA"):
    top = book.top(symbol)
    return tuple(top[f] for f in ("bid_price", "bid_shares", "ask_price", "ask_shares"))


def test_adds_make_queues_levels_and_top():
    book = small_book()
    assert book.apply_message(add(1, "B", 100, 5000)) == STATE | DEPTH | BBO
    assert book.apply_message(add(2, "B", 50, 5000)) == DEPTH | BBO
    assert book.apply_message(add(3, "B", 70, 4900)) == DEPTH
    mpid = add(4, "S", 30, 5100, name="add_order_with_mpid", attribution=b"ABCD")
    assert book.apply_message(mpid) == DEPTH | BBO
    assert best(book) == (5000, 150, 5100, 30)
    assert book.levels("ALFA", "B") == [(5000, 150, 2), (4900, 70, 1)]
    assert book.levels("ALFA", "B", 1) == [(5000, 150, 2)]
    assert book.orders("ALFA", "B") == [(1, 5000, 100), (2, 5000, 50), (3, 4900, 70)]
    assert book.symbols() == ["ALFA"]
    assert book.order_count == 4
    assert book.message_counts() == {"A": 3, "F": 1}


def test_executions_deduct_and_report_trades():
    book = small_book()
    book.apply_message(add(1, "B", 100, 5000))
    assert book.apply_message(execute(1, 40)) == DEPTH | BBO | TRADE
    assert book.last_trade() == (5000, 40, "B")
    assert best(book)[:2] == (5000, 60)
    assert book.apply_message(execute_at(1, 10, 5050, b"Y")) == DEPTH | BBO | TRADE
    assert book.last_trade() == (5050, 10, "B")
    assert book.apply_message(execute_at(1, 10, 5060, b"N")) == DEPTH | BBO
    assert book.last_trade() == (5050, 10, "B")
    assert book.top("ALFA")["last_price"] == 5050
    assert book.apply_message(execute(1, 40)) == DEPTH | BBO | TRADE
    assert best(book) == (0, 0, 0, 0)
    assert book.order_count == 0
    assert book.counters()["trades"] == 3


def test_cancel_keeps_priority_and_replace_loses_it():
    book = small_book()
    for reference in (1, 2, 3):
        book.apply_message(add(reference, "S", 100, 5000))
    book.apply_message(cancel(1, 30))
    assert [entry[0] for entry in book.orders("ALFA", "S")] == [1, 2, 3]
    assert book.apply_message(replace(1, 9, 70, 5000)) == DEPTH
    assert book.orders("ALFA", "S") == [(2, 5000, 100), (3, 5000, 100), (9, 5000, 70)]
    assert book.apply_message(replace(2, 10, 100, 4990)) == DEPTH | BBO
    assert best(book) == (0, 0, 4990, 100)
    assert book.apply_message(delete(10)) == DEPTH | BBO
    assert best(book) == (0, 0, 5000, 170)


def test_hidden_trades_and_crosses_leave_the_book_alone():
    book = small_book()
    book.apply_message(add(1, "B", 100, 5000))
    trade = message("trade", buy_sell_indicator=b"B", shares=7, stock=b"ALFA", price=5010)
    assert book.apply_message(trade) == TRADE
    assert book.last_trade() == (5010, 7, "")
    cross = {"stock": b"ALFA", "cross_price": 5020, "cross_type": b"O"}
    assert book.apply_message(message("cross_trade", shares=1 << 33, **cross)) == TRADE
    assert book.last_trade() == (5020, 1 << 33, "")
    assert book.apply_message(message("cross_trade", shares=0, **cross)) == 0
    assert book.apply_message(message("broken_trade", match_number=4)) == 0
    assert best(book) == (5000, 100, 0, 0)


def test_directory_states_and_halts():
    book = small_book()
    directory = message("stock_directory", 2, stock=b"BRAVO", round_lot_size=100)
    assert book.apply_message(directory) == STATE
    assert book.apply_message(directory) == 0
    assert book.top("BRAVO")["round_lot_size"] == 100
    assert book.top("BRAVO")["trading_state"] == ""
    action = {"stock": b"BRAVO", "reason": b"    "}
    assert book.apply_message(message("stock_trading_action", 2, trading_state=b"T", **action))
    assert not book.apply_message(message("stock_trading_action", 2, trading_state=b"T", **action))
    assert book.top("BRAVO")["trading_state"] == "T"
    halt = message(
        "operational_halt", 2, stock=b"BRAVO", market_code=b"Q", operational_halt_action=b"H"
    )
    other = message(
        "operational_halt", 2, stock=b"BRAVO", market_code=b"X", operational_halt_action=b"H"
    )
    assert book.apply_message(halt) == STATE
    assert book.apply_message(other) == 0
    assert book.apply_message(halt[:-1] + b"T") == 0, "another market still halts it"
    assert book.top("BRAVO")["operational_halt"]
    assert book.apply_message(other[:-1] + b"T") == STATE
    assert not book.top("BRAVO")["operational_halt"]


def test_phases_and_short_sale_states():
    book = small_book()
    assert book.phase() == "unknown"
    phases = {"O": "closed", "S": "pre_market", "Q": "market", "M": "post_market", "E": "closed"}
    for code, phase in phases.items():
        assert book.apply_message(message("system_event", 0, event_code=code.encode())) == 0
        assert book.phase() == phase
    restricted = message("reg_sho_restriction", 2, stock=b"BRAVO", reg_sho_action=b"1")
    assert book.apply_message(restricted) == STATE
    assert book.apply_message(restricted) == 0
    assert book.top("BRAVO")["short_sale_state"] == "1"
    book.clear()
    assert book.phase() == "unknown"
    assert book.top("BRAVO")["short_sale_state"] == ""


def test_a_locate_may_get_another_symbol_and_the_first_index_of_a_symbol_moves():
    book = small_book()
    for locate, stock in ((1, b"ALFA"), (2, b"BRAVO"), (1, b"CHARLIE"), (3, b"BRAVO")):
        book.apply_message(message("stock_directory", locate, stock=stock))
    assert book.index("CHARLIE") == 1
    assert book.index("BRAVO") == 3
    with pytest.raises(KeyError):
        book.index("ALFA")
    with pytest.raises(KeyError):
        book.top("TOOLONGASYMBOL")


def test_every_bad_message_has_its_counter():
    book = small_book()
    book.apply_message(add(1, "B", 100, 5000))
    bad = [
        (b"", "wrong_length"),
        (b"\0", "unknown_type"),
        (b"?" * 36, "unknown_type"),
        (add(2, "B", 1, 1)[:-1], "wrong_length"),
        (add(2, "B", 1, 1) + b"\0", "wrong_length"),
        (add(2, "B", 1, 1, locate=0), "locate_out_of_range"),
        (add(2, "B", 1, 1, locate=8), "locate_out_of_range"),
        (add(2, "B", 1, 1, locate=65535), "locate_out_of_range"),
        (add(2, "b", 1, 1), "bad_side"),
        (add(2, "B", 0, 1), "zero_shares"),
        (add(2, "B", 1, 0), "bad_price"),
        (add(1, "S", 1, 1), "duplicate_reference"),
        (delete(7), "unknown_order"),
        (execute(7, 1), "unknown_order"),
        (cancel(7, 1), "unknown_order"),
        (replace(7, 8, 1, 1), "unknown_order"),
        (execute(1, 0), "zero_shares"),
        (cancel(1, 0), "zero_shares"),
    ]
    for data, counter in bad:
        before = book.counters()
        assert book.apply_message(data) == 0, (data, counter)
        after = book.counters()
        assert {k for k in after if after[k] != before[k]} == {counter}, data
    assert best(book) == (5000, 100, 0, 0)
    assert book.apply_message(execute(1, 101, locate=2)) == DEPTH | BBO | TRADE
    assert book.last_trade() == (5000, 100, "B")
    assert book.counters()["reduced_too_much"] == 1
    assert book.counters()["locate_mismatch"] == 1
    assert book.order_count == 0


def test_a_replacement_that_cannot_be_leaves_the_original_removed():
    book = small_book()
    book.apply_message(add(1, "B", 100, 5000))
    book.apply_message(add(2, "B", 10, 4000))
    assert book.apply_message(replace(1, 2, 5, 5000)) == DEPTH | BBO
    assert book.orders("ALFA", "B") == [(2, 4000, 10)]
    assert book.counters()["duplicate_reference"] == 1


def test_full_order_pool_gaps_the_symbol_only():
    book = small_book(orders=3)
    for reference in range(1, 4):
        book.apply_message(add(reference, "B", 1, 10))
    assert book.apply_message(add(4, "B", 1, 10)) == STATE
    assert book.apply_message(add(5, "B", 1, 10)) == 0
    assert book.counters()["order_pool_full"] == 2
    assert book.top("ALFA")["book_state"] == "gapped"
    book.apply_message(delete(2))
    assert book.apply_message(add(6, "S", 1, 20, locate=2)) & DEPTH
    assert book.top("BRAVO")["book_state"] == "clean"


def test_full_level_pool_gaps_the_symbol():
    book = small_book(levels=2)
    for reference, price in ((1, 10), (2, 11), (3, 12), (4, 11)):
        book.apply_message(add(reference, "B", 1, price))
    assert book.counters()["level_pool_full"] == 1
    assert book.top("ALFA")["book_state"] == "gapped"
    assert book.levels("ALFA", "B") == [(11, 2, 2), (10, 1, 1)]
    assert book.order_count == 3


def test_gap_and_clear():
    book = small_book()
    book.apply_message(message("stock_directory", stock=b"ALFA", round_lot_size=10))
    book.apply_message(add(1, "B", 100, 5000))
    book.gap()
    assert book.top("ALFA")["book_state"] == "gapped"
    assert book.apply_message(add(2, "S", 1, 10, locate=2))
    assert book.top("BRAVO")["book_state"] == "gapped"
    book.clear()
    assert best(book) == (0, 0, 0, 0)
    assert book.top("ALFA")["book_state"] == "clean"
    assert book.top("ALFA")["round_lot_size"] == 10
    assert book.order_count == 0
    assert book.apply_message(delete(1)) == 0
    assert book.apply_message(add(1, "B", 100, 5000)) == DEPTH | BBO


def test_sizes_are_checked():
    for sizes in ({"symbols": 1}, {"orders": 0}, {"levels": 0}, {"levels": 1 << 24}):
        with pytest.raises(ValueError, match=next(iter(sizes))):
            OrderBook(**sizes)


def test_direct_changes_equal_messages():
    book, other = small_book(), small_book()
    book.apply_message(message("stock_directory", stock=b"ALFA"))
    other.apply_message(message("stock_directory", stock=b"ALFA"))
    steps = [
        (add(1, "B", 100, 5000), lambda: other.add(1, 1, "B", 100, 5000)),
        (add(2, "S", 100, 5100), lambda: other.add(1, 2, "S", 100, 5100)),
        (cancel(2, 40), lambda: other.reduce(2, 40)),
        (replace(1, 3, 10, 4900), lambda: other.replace(1, 3, 10, 4900)),
        (delete(2), lambda: other.delete(2)),
    ]
    for data, change in steps:
        assert book.apply_message(data) == change()
        assert best(book) == best(other)
        assert book.orders("ALFA", "B") == other.orders("ALFA", "B")
    assert other.add(1, 9, "B", 1, 1 << 32) == 0
    assert other.add(1, 9, "B", 1, -1) == 0
    assert other.add(8, 9, "B", 1, 1) == 0
    assert other.replace(3, 9, 1, 0) == 0
    assert other.counters()["bad_price"] == 3
    assert other.order_count == 1


@pytest.mark.parametrize("stride", [1, 2, 8, 4096, 1 << 32, 1 << 40, 0x9E3779B97F4A7C15])
def test_any_references_keep_their_orders(stride):
    """The map holds references of any pattern, through many additions and removals."""
    rng = random.Random(stride)
    book = OrderBook(symbols=8, orders=2000, levels=64)
    book.apply_message(message("stock_directory", stock=b"ALFA"))
    live = {}
    for i in range(12000):
        if live and (len(live) == 2000 or rng.random() < 0.45):
            reference = rng.choice(list(live)[:50]) if rng.random() < 0.5 else next(reversed(live))
            del live[reference]
            assert book.delete(reference)
            assert not book.delete(reference)
        else:
            reference = (i * stride) % (1 << 64)
            if reference in live:
                continue
            live[reference] = 1 + i % 1000
            assert book.add(1, reference, "B", live[reference], 100 + i % 7)
    assert {entry[0]: entry[2] for entry in book.orders("ALFA", "B")} == live


def random_message(rng, symbols):
    """A message over few references, prices and locates, so that most meet what came before."""
    kind = rng.choices("AFDUXECPQRHhYSB?", (30, 4, 18, 10, 8, 12, 4, 2, 2, 2, 2, 2, 1, 1, 1, 2))[0]
    locate = rng.choice(range(symbols + 2)) if rng.random() < 0.05 else rng.randint(1, 3)
    stock = STOCKS[3] if rng.random() < 0.02 else STOCKS.get(locate, b"OTHER")
    reference, new = rng.randint(1, 60), rng.randint(1, 60)
    shares = rng.choice((0, 1, 50, 100, 100, 100, 200, 0xFFFFFFFF))
    price = rng.choice((0, 0xFFFFFFFF)) if rng.random() < 0.02 else 100 * rng.randint(45, 75)
    side = rng.choice("BBBBSSSSb")
    data = {
        "A": lambda: add(reference, side, shares, price, locate),
        "F": lambda: add(reference, side, shares, price, locate, "add_order_with_mpid"),
        "D": lambda: delete(reference, locate),
        "U": lambda: replace(reference, new, shares, price, locate),
        "X": lambda: cancel(reference, shares, locate),
        "E": lambda: execute(reference, shares, locate),
        "C": lambda: execute_at(reference, shares, price, rng.choice((b"Y", b"N")), locate),
        "P": lambda: message("trade", locate, shares=shares, stock=stock, price=price),
        "Q": lambda: message("cross_trade", locate, shares=shares, stock=stock, cross_price=price),
        "R": lambda: message("stock_directory", locate, stock=stock, round_lot_size=shares),
        "H": lambda: message(
            "stock_trading_action", locate, stock=stock, trading_state=rng.choice((b"T", b"H"))
        ),
        "h": lambda: message(
            "operational_halt",
            locate,
            stock=stock,
            market_code=rng.choice((b"Q", b"B", b"X", b"?")),
            operational_halt_action=rng.choice((b"T", b"H")),
        ),
        "Y": lambda: message(
            "reg_sho_restriction", locate, stock=stock, reg_sho_action=rng.choice((b"0", b"1"))
        ),
        "S": lambda: message("system_event", 0, event_code=rng.choice((b"Q", b"M", b"x"))),
        "B": lambda: message("broken_trade", locate, match_number=5),
        "?": lambda: rng.randbytes(rng.randint(0, 50)),
    }[kind]()
    if rng.random() < 0.03:
        return data[: rng.randrange(len(data) + 1)]
    return data


def state(book, symbol):
    top = book.top(symbol)
    del top["updated_ns"]
    return top


@pytest.mark.parametrize("seed", range(12))
def test_equal_to_the_reference_after_every_message(seed):
    rng = random.Random(seed)
    book = OrderBook(symbols=6, orders=100, levels=100)
    reference = ReferenceOrderBook(locates=6)
    for step in range(1500):
        what = f"seed {seed}, step {step}"
        chance = rng.random()
        if chance < 0.001:
            book.clear(), reference.clear()
        elif chance < 0.002:
            book.gap(), reference.gap()
        data = random_message(rng, 6)
        assert book.apply_message(data) == reference.apply(data), what
        assert book.last_trade() == reference.last_trade, what
        assert book.phase() == reference.phase, what
        counters = {k: v for k, v in book.counters().items() if v}
        assert counters == {k: v for k, v in reference.counters.items() if v}, what
        assert book.order_count == len(reference.orders), what
        for index, wire in reference.symbols.items():
            symbol = wire.decode().rstrip(" ")
            if book.index(symbol) != index:
                continue
            assert state(book, symbol) == vars(reference.top(index)), what
            for side in "BS":
                assert book.levels(symbol, side, 1000) == reference.levels(index, side), what
                assert book.orders(symbol, side) == reference.queue(index, side), what
