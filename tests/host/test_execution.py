# SPDX-License-Identifier: Apache-2.0
"""Execution: direct intents, slices over time, and the venue of each symbol."""

from random import Random

import pytest
from trading_support import MILLISECOND, SECOND, World, exchange_of

from host.execution.execution import Execution
from host.interfaces import OrderEntry
from host.strategy.python_strategy import PythonStrategy, Strategy
from host.strategy.strategy import Orders

DAY_NS = 86_400 * SECOND


def world(*exchanges, strategies=1, **options):
    """A world whose strategies do nothing by themselves; their orders are ``desk(world)``."""
    made = [PythonStrategy(Strategy()) for _ in range(strategies)]
    options.setdefault("limits", {"maximum_long_position_shares": 1 << 20})
    return World(*(exchanges or [exchange_of()]), strategies=made, **options).until_up()


def desk(run, strategy=0):
    return run.engine.strategies()[strategy].orders


def low(run, symbol="AAPL"):
    """A price at which a buy order rests."""
    return run.book.top(symbol)["bid_price"] - 2_000


def entered(wire):
    return [fields for name, fields in wire.orders() if name == "enter_order"]


def follow(run, milliseconds):
    """Let time go on; (milliseconds since, shares) of each order that leaves."""
    found = []
    known = len(entered(run.wires[0]))
    for millisecond in range(1, milliseconds + 1):
        run.step()
        new = entered(run.wires[0])[known:]
        known += len(new)
        found += [(millisecond, fields["quantity"]) for fields in new]
    return found


def at_once(run):
    run.settle()
    return entered(run.wires[0])


def test_direct_intents_become_the_orders_they_say():
    run = world()
    orders, price = desk(run), run.book.top("MSFT")["ask_price"] + 2_000
    number = orders.sell("MSFT", 70, price, post_only=True)
    assert orders.buy("AAPL", 30, low(run), time_in_force="day")
    assert orders.replace(99, "B", "AAPL", 40, low(run)) == 0
    run.settle()
    newer = orders.replace(number, "S", "MSFT", 60, price + 500, post_only=True)
    run.settle()
    assert orders.cancel(newer, "MSFT") == newer
    assert orders.buy("INTC", 20, low(run, "INTC"), time_in_force="ioc")
    run.settle()
    seen = run.wires[0].orders()
    assert [name for name, _ in seen] == [
        "enter_order",
        "enter_order",
        "replace_order_request",
        "cancel_order_request",
        "enter_order",
    ]
    first, second, third, fourth, fifth = (fields for _, fields in seen)
    assert (first["side"], first["symbol"], first["quantity"]) == (b"S", b"MSFT    ", 70)
    assert (first["price"], first["tags"]["post_only"]) == (price, b"P")
    assert (second["side"], second["time_in_force"], second["tags"]) == (b"B", b"0", {})
    assert (third["orig_user_ref_num"], third["quantity"]) == (number, 60)
    assert (fourth["user_ref_num"], fourth["quantity"]) == (newer, 0)
    assert (fifth["time_in_force"], fifth["quantity"]) == (b"3", 20)
    counters = run.trading.execution.counters()
    assert (counters["intents"], counters["direct"], counters["refused"]) == (6, 5, 1)
    assert desk(run).counters() == {"intents": 5, "refused": 1}


def test_twap_sends_equal_parts_the_first_at_once_the_last_at_the_end():
    run = world()
    handle = desk(run).buy("AAPL", 1_000, low(run), twap_seconds=0.9, slices=10)
    assert handle >= 1 << 31
    assert [fields["quantity"] for fields in at_once(run)] == [100]
    assert follow(run, 1_000) == [(100 * n, 100) for n in range(1, 10)]
    counters = run.trading.execution.counters()
    assert counters["slices_sent"] == 10 and counters["slices_refused"] == 0
    assert counters["schedules_started"] == counters["schedules_done"] == 1
    assert counters["schedules_active"] == counters["direct"] == 0
    parents = {order["parent"] for order in run.trading.oms.open_orders()}
    assert parents == {handle}


@pytest.mark.parametrize("seed", range(8))
def test_twap_of_any_size(seed):
    random = Random(seed)
    quantity, slices = random.randint(1, 3_000), random.randint(1, 40)
    milliseconds = random.randint(slices, 900)
    run = world()
    desk(run).buy("AAPL", quantity, low(run), twap_seconds=milliseconds / 1000, slices=slices)
    first = [(0, fields["quantity"]) for fields in at_once(run)]
    sent = first + follow(run, milliseconds + 2)
    where = f"seed {seed}: {quantity} shares in {slices} slices over {milliseconds} ms: {sent}"
    sizes = [shares for _, shares in sent]
    assert sum(sizes) == quantity, where
    assert len(sizes) == min(slices, quantity), where
    assert max(sizes) - min(sizes) <= 1, where
    if quantity >= slices > 1:
        assert sent[-1][0] == milliseconds, where
        for place, (millisecond, _) in enumerate(sent):
            assert abs(millisecond - place * milliseconds / (slices - 1)) <= 1, where


def test_shares_of_refused_slices_go_to_the_following_ones():
    run = world()
    desk(run).buy("AAPL", 1_000, low(run), twap_seconds=0.9, slices=10)
    sent = follow(run, 250)
    run.trading.gate.kill("symbol", run.book.index("AAPL"))
    assert follow(run, 300) == []
    run.trading.gate.arm_reset("symbol", run.book.index("AAPL"))
    run.trading.gate.reset_kill("symbol", run.book.index("AAPL"))
    later = follow(run, 400)
    assert [shares for _, shares in sent] == [100, 100, 100]
    assert [shares for _, shares in later] == [175, 175, 175, 175]
    counters = run.trading.execution.counters()
    assert (counters["slices_sent"], counters["slices_refused"]) == (7, 3)
    assert run.trading.gate.counters()["kill_symbol"] == 3
    assert counters["schedules_active"] == 0


def test_schedule_whose_every_slice_is_refused_ends():
    run = world()
    run.trading.gate.kill("global")
    assert desk(run).buy("AAPL", 100, low(run), twap_seconds=0.1, slices=5)
    assert follow(run, 200) == []
    counters = run.trading.execution.counters()
    assert counters["slices_refused"] == 5 and counters["schedules_done"] == 1


def test_cancel_of_a_schedule_takes_what_rests_with_it():
    run = world()
    orders = desk(run)
    handle = orders.buy("AAPL", 1_000, low(run), twap_seconds=0.9, slices=10)
    run.run(0.25)
    assert run.trading.oms.open_order_count == 3
    assert orders.cancel(handle, "AAPL") == handle
    assert follow(run, 1_000) == []
    assert run.trading.oms.open_order_count == 0
    assert run.trading.oms.counters()["canceled"] == 3
    assert run.trading.execution.counters()["schedules_active"] == 0
    assert orders.cancel(handle, "AAPL") == handle, "once more does no harm"
    assert run.trading.oms.counters()["cancels_sent"] == 3


def test_cancel_of_a_schedule_that_is_done():
    run = world()
    orders = desk(run)
    handle = orders.buy("AAPL", 100, low(run), twap_seconds=0.01, slices=2)
    run.run(0.1)
    assert run.trading.execution.counters()["schedules_active"] == 0
    assert orders.cancel(handle, "AAPL") == handle
    run.settle()
    assert run.trading.oms.open_order_count == 0


def test_cancel_of_immediate_slices_names_the_newest_only():
    run = world()
    orders = desk(run)
    handle = orders.buy("AAPL", 1_000, low(run), time_in_force="ioc", twap_seconds=0.9, slices=10)
    run.run(0.35)
    assert run.trading.oms.counters()["canceled"] == 4
    orders.cancel(handle, "AAPL")
    assert follow(run, 1_000) == []
    assert run.trading.gate.counters()["unknown_order"] == 1


def test_handle_of_a_schedule_is_not_that_of_a_later_one():
    run = world(strategies=2)
    orders, other = desk(run), desk(run, 1)
    first = orders.buy("AAPL", 10, low(run), twap_seconds=1, slices=1)
    second = orders.buy("AAPL", 1_000, low(run), twap_seconds=1, slices=10)
    assert first != second
    assert orders.cancel(first, "AAPL") == 0
    assert other.cancel(second, "AAPL") == 0, "the schedule of another strategy"
    assert orders.replace(second, "B", "AAPL", 10, 10_000) == 0
    assert orders.cancel(second + 1, "AAPL") == 0
    counters = run.trading.execution.counters()
    assert counters["bad_intents"] == 4 and counters["schedules_active"] == 1
    assert len(follow(run, 1_000)) > 8


def test_every_schedule_in_use():
    run = world(limits={"maximum_long_position_shares": 1 << 20})
    orders, price = desk(run), low(run)
    handles = [orders.buy("AAPL", 2, price, twap_seconds=10, slices=2) for _ in range(257)]
    assert len(set(handles)) == 257 and handles[-1] == 0
    counters = run.trading.execution.counters()
    assert counters["schedules_full"] == 1 and counters["schedules_active"] == 256
    orders.cancel(handles[100], "AAPL")
    assert orders.buy("AAPL", 2, price, twap_seconds=10, slices=2) not in {0, *handles}
    assert run.trading.execution.counters()["schedules_full"] == 1
    run.stop()
    assert run.trading.execution.counters()["schedules_active"] == 0
    assert run.trading.oms.open_order_count == 0


def test_slices_after_a_silence_leave_one_a_timer():
    run = world()
    desk(run).buy("AAPL", 1_000, low(run), twap_seconds=0.9, slices=10)
    run.settle()
    known = len(entered(run.wires[0]))
    for _ in range(4):
        run.step(SECOND)
    run.settle()
    assert len(entered(run.wires[0])) - known == 4
    assert len(follow(run, 10)) == 5


@pytest.mark.parametrize(
    ("symbol", "quantity", "options"),
    [
        ("AAPL", 0, {"twap_seconds": 1}),
        ("AAPL", 100, {"twap_seconds": 1, "slices": 0}),
        ("AAPL", 100, {"twap_seconds": 1, "slices": 1_025}),
        (64, 100, {"twap_seconds": 1}),
        (64, 100, {}),
    ],
)
def test_intents_that_make_no_sense(symbol, quantity, options):
    run = world()
    assert desk(run).buy(symbol, quantity, 10_000, **options) == 0
    assert run.trading.execution.counters()["bad_intents"] == 1
    assert at_once(run) == []


def test_longest_schedule():
    """A day in 1,024 slices: nothing runs over."""
    run = world(exchange_of(["AAPL"], messages_per_second=200))
    desk(run).buy("AAPL", 2_048, low(run), twap_seconds=DAY_NS / SECOND, slices=1_024)
    assert [fields["quantity"] for fields in at_once(run)] == [2]
    due = run.now + DAY_NS // 1_023
    while run.now + SECOND < due:
        run.step(SECOND // 2)
    assert len(entered(run.wires[0])) == 1
    run.step(due + MILLISECOND - run.now)
    assert [fields["quantity"] for fields in entered(run.wires[0])] == [2, 2]


def test_each_symbol_has_its_venue():
    run = world(exchange_of(), exchange_of(messages_per_second=0))
    orders, execution = desk(run), run.trading.execution
    execution.set_venue(run.book.index("MSFT"), 1)
    numbers = {name: orders.buy(name, 100, low(run, name)) for name in ("AAPL", "MSFT", "INTC")}
    run.settle()
    assert [f["symbol"] for f in entered(run.wires[0])] == [b"AAPL    ", b"INTC    "]
    assert [f["symbol"] for f in entered(run.wires[1])] == [b"MSFT    "]
    assert [order["venue"] for order in run.trading.oms.open_orders()] == [0, 1, 0]
    execution.set_venue(run.book.index("MSFT"), 0)
    newer = orders.replace(numbers["MSFT"], "B", "MSFT", 200, low(run, "MSFT"))
    run.settle()
    assert newer and run.trading.oms.order(newer)["venue"] == 1, "an order stays where it is"
    run.exchanges[1].engine.enter_background("MSFT", "S", 50, 10_000, run.now)
    run.settle()
    assert run.trading.oms.order(newer)["executed_quantity"] == 50
    assert orders.cancel(newer, "MSFT") == newer
    run.settle()
    assert [name for name, _ in run.wires[1].orders()] == [
        "enter_order",
        "replace_order_request",
        "cancel_order_request",
    ]
    assert run.trading.oms.order(newer)["state"] == "cancelled"
    execution.set_venue(None, 1)
    orders.buy("INTC", 100, low(run, "INTC"))
    run.settle()
    assert [f["symbol"] for f in entered(run.wires[1])] == [b"MSFT    ", b"INTC    "]


def test_orders_of_a_venue_that_is_down_are_refused_and_the_other_goes_on():
    run = world(exchange_of(), exchange_of(messages_per_second=0))
    run.trading.execution.set_venue(run.book.index("MSFT"), 1)
    run.wires[1].cut()
    run.step()
    assert desk(run).buy("MSFT", 100, low(run, "MSFT")) == 0
    assert desk(run).buy("AAPL", 100, low(run))
    assert run.trading.gate.counters()["order_entry_down"] == 1
    run.run(0.5)
    assert run.trading.are_up()
    assert desk(run).buy("MSFT", 100, low(run, "MSFT"))


def test_venue_nobody_configured():
    run = world()
    run.trading.execution.set_venue(run.book.index("MSFT"), 3)
    assert desk(run).buy("MSFT", 100, low(run, "MSFT")) == 0
    assert run.trading.gate.counters()["order_entry_down"] == 1
    with pytest.raises(ValueError, match="symbol index 64 is out of range"):
        run.trading.execution.set_venue(64, 0)
    with pytest.raises(OverflowError):
        run.trading.execution.set_venue(0, -1)


def test_execution_alone_refuses_without_a_gate_that_passes():
    execution = Execution(OrderEntry(), 4)
    orders = Orders(execution, 0)
    assert orders.buy(3, 100, 10_000) == 0
    assert execution.counters()["refused"] == 1
