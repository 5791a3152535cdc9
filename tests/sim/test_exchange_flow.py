# SPDX-License-Identifier: Apache-2.0
"""Background flow: rate, mix, quotes, bounds; and how fast the core is."""

import time

import pytest

from sim.exchange.feed_writer import FeedWriter
from sim.exchange.flow import BackgroundFlow
from sim.exchange.matching import MatchingEngine
from sim.exchange.order_entry import OrderDesk
from sim.exchange.publisher import Publisher

SECOND = 1_000_000_000
SYMBOLS = [f"S{n:02d}" for n in range(20)]


def open_flow(rate=20_000, seed=5, **options):
    publisher = Publisher("FLOW")
    engine = MatchingEngine(FeedWriter(publisher, SYMBOLS), 1 << 14)
    OrderDesk(16).connect_venue(engine)
    for symbol in SYMBOLS:
        engine.set_trading_state(symbol, "T", "", 0)
    flow = BackgroundFlow(engine, seed, rate, **options)
    flow.start(0)
    return publisher, engine, flow


def spread_ticks(engine, symbol):
    top = engine.displayed_book.top(symbol)
    assert top["bid_price"] and top["ask_price"], symbol
    return (top["ask_price"] - top["bid_price"]) // 100


def test_two_sided_from_the_start():
    _, engine, _ = open_flow()
    assert all(1 <= spread_ticks(engine, symbol) <= 5 for symbol in SYMBOLS)


@pytest.mark.parametrize("seed", [1, 2])
def test_rate_mix_spreads_and_bounds(seed):
    publisher, engine, flow = open_flow(seed=seed)
    before = publisher.next_sequence_number
    opening = publisher.messages_by_type()
    widths = []
    for step in range(1, 401):
        flow.run_until(step * SECOND // 200)
        publisher.timer(0)
        publisher.take_packets()
        widths += [spread_ticks(engine, symbol) for symbol in SYMBOLS]
    made = publisher.next_sequence_number - before
    assert 40_000 <= made < 40_020  # an action may make a few messages more than was due
    assert max(widths) <= 6
    assert sum(w <= 5 for w in widths) > 0.99 * len(widths)
    by_type = publisher.messages_by_type()
    part = {k: (v - opening.get(k, 0)) / made for k, v in by_type.items()}
    assert 0.38 < part["A"] + part["F"] < 0.5
    assert 0.33 < part["D"] < 0.45
    assert 0.05 < part["U"] < 0.11
    assert 0.02 < part["E"] < 0.12
    assert 0.01 < part["X"] < 0.04
    assert part["P"] > 0
    assert engine.displayed_book.order_count <= 96 * len(SYMBOLS)
    assert {m[2] for m in publisher.messages(before, made)} == set(range(1, 21))


def test_times_are_those_of_the_rate():
    publisher, _, flow = open_flow(rate=1000)
    before = publisher.next_sequence_number
    flow.run_until(SECOND)
    times = [int.from_bytes(m[5:11], "big") for m in publisher.messages(before, 1 << 30)]
    assert times == sorted(times)
    # the messages of one action have one time; an action that sweeps makes up to some twenty
    assert all(abs(t - n * SECOND // 1000) <= 20_000_000 for n, t in enumerate(times))


def test_halted_symbols_get_no_orders():
    publisher, engine, flow = open_flow()
    engine.set_trading_state("S00", "H", "T1", 0)
    before = publisher.next_sequence_number
    flow.run_until(SECOND // 2)
    assert all(m[2] != 1 for m in publisher.messages(before, 1 << 30))
    assert flow.counters()["skipped"] > 0


def test_what_can_not_be_made_good_is_given_up_and_counted():
    publisher, _, flow = open_flow()
    flow.catch_up_messages = 100
    before = publisher.next_sequence_number
    flow.run_until(SECOND)
    made = publisher.next_sequence_number - before
    assert 100 <= made < 120
    assert flow.counters()["behind"] == 1
    assert flow.counters()["skipped"] == 20_000 - 100


def test_no_rate_no_messages():
    publisher, _, flow = open_flow(rate=0)
    before = publisher.next_sequence_number
    flow.run_until(SECOND)
    assert publisher.next_sequence_number == before


def test_wrong_arguments():
    publisher = Publisher("FLOW")
    engine = MatchingEngine(FeedWriter(publisher, SYMBOLS), 1 << 14)
    with pytest.raises(ValueError, match="too low"):
        BackgroundFlow(engine, 1, 1000, first_prices=[9000] * 20)
    with pytest.raises(ValueError, match="orders per symbol"):
        BackgroundFlow(engine, 1, 1000, orders_per_symbol=8)


def test_the_core_makes_a_hundred_thousand_messages_a_second_at_less_than_half_of_a_core():
    publisher, _, flow = open_flow(rate=100_000)
    before = publisher.next_sequence_number
    began = time.process_time()
    for step in range(1, 1001):
        flow.run_until(step * SECOND // 500)
        publisher.timer(step * SECOND // 500)
        publisher.take_packets()
    spent = time.process_time() - began
    made = publisher.next_sequence_number - before
    print(f"{made / spent:,.0f} messages per second of processor time")
    assert made / spent > 200_000
