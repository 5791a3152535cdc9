# SPDX-License-Identifier: Apache-2.0
"""Every order's life, message by message (OUCH 5.0 semantics)."""

import pytest
from oms_support import (
    BUY,
    CANCEL,
    DEAD,
    DOWN,
    NEW,
    NOW,
    QUERY,
    REPLACE,
    REPLAYING,
    SELL,
    TOP,
    UP,
    Desk,
)


@pytest.fixture
def desk():
    made = Desk()
    yield made
    made.check()


def illegal(desk):
    return {k: v for k, v in desk.oms.counters().items() if k.startswith("illegal_") and v}


def test_new_accepted_partly_filled_filled(desk):
    number = desk.new(quantity=300)
    assert number == 1
    assert desk.state(number) == "pending_new"
    assert desk.reserved() == (300, 0)
    desk.accept(number, 300)
    assert desk.state(number) == "live"
    desk.execute(number, 100, match=1)
    assert desk.state(number) == "partially_filled"
    assert desk.reserved() == (200, 0)
    desk.execute(number, 200, 99_000, match=2)
    order = desk.oms.order(number)
    assert (order["state"], order["leaves_quantity"], order["executed_quantity"]) == (
        "filled",
        0,
        300,
    )
    assert order["executed_notional"] == 100 * 100_000 + 200 * 99_000
    assert desk.reserved() == (0, 0)
    assert desk.oms.positions()[0]["position"] == 300
    assert illegal(desk) == {}


def test_numbers_count_up_and_the_channel_gets_the_symbol(desk):
    numbers = [desk.new(symbol_index=i % 2) for i in range(4)]
    assert numbers == [1, 2, 3, 4]
    sent = desk.channels[0].sent()
    assert [order["user_ref_num"] for order in sent] == numbers
    assert [order["pass_number"] for order in sent] == [1, 2, 3, 4]
    assert sent[1]["symbol"].to_bytes(8, "little") == b"SYM1    "
    assert desk.oms.order(2)["symbol"] == "SYM1"


def test_accepted_and_dead_at_once(desk):
    number = desk.new()
    desk.accept(number, state=DEAD)
    assert desk.state(number) == "cancelled"
    assert desk.reserved() == (0, 0)


def test_rejected(desk):
    number = desk.new()
    desk.report("rejected", number, reason=0x17)
    assert desk.state(number) == "rejected"
    assert desk.oms.order(number)["reason"] == 0x17


def test_cancel_is_pending_until_answered_and_fills_are_legal_meanwhile(desk):
    number = desk.live(quantity=300)
    desk.cancel(number)
    assert desk.state(number) == "cancel_pending"
    desk.execute(number, 100)
    assert desk.state(number) == "cancel_pending"
    desk.report("canceled", number, quantity=200, reason=ord("U"))
    order = desk.oms.order(number)
    assert (order["state"], order["reason"]) == ("cancelled", ord("U"))
    assert illegal(desk) == {}


def test_a_filled_order_ends_a_pending_cancel(desk):
    number = desk.live()
    desk.cancel(number)
    desk.execute(number, 100)
    assert desk.state(number) == "filled"


def test_cancel_to_a_smaller_size_is_incremental(desk):
    number = desk.live(quantity=500)
    desk.execute(number, 100)
    desk.cancel(number, quantity=300)
    assert desk.state(number) == "cancel_pending"
    desk.report("canceled", number, quantity=200, reason=ord("U"))
    order = desk.oms.order(number)
    assert (order["state"], order["leaves_quantity"], order["quantity"]) == (
        "partially_filled",
        200,
        300,
    )
    assert desk.reserved() == (200, 0)


def test_a_superfluous_cancel_changes_no_state(desk):
    number = desk.live(quantity=100)
    desk.cancel(number, quantity=100)
    assert desk.state(number) == "live"
    assert desk.oms.counters()["cancels_superfluous"] == 1


def test_shares_taken_off_without_a_request(desk):
    number = desk.live(quantity=300)
    desk.report("canceled", number, quantity=100, reason=ord("Q"))
    assert desk.oms.order(number)["leaves_quantity"] == 200
    assert desk.state(number) == "live"
    desk.report("canceled", number, quantity=200, reason=ord("S"))
    assert desk.state(number) == "cancelled"
    assert illegal(desk) == {}


def test_replace_takes_over_with_what_is_outstanding(desk):
    number = desk.live(quantity=500)
    desk.execute(number, 100)
    new = desk.replace(number, 700, price=99_500)
    assert (desk.state(number), desk.state(new)) == ("replace_pending", "pending_new")
    assert desk.reserved() == (600, 0)
    desk.replaced(number, new, 600, price=99_500)
    old, order = desk.oms.order(number), desk.oms.order(new)
    assert (old["state"], old["replaced_by"], old["leaves_quantity"]) == ("replaced", new, 0)
    assert (order["state"], order["replaces"]) == ("partially_filled", number)
    assert (order["leaves_quantity"], order["executed_quantity"], order["quantity"]) == (
        600,
        100,
        700,
    )
    desk.execute(new, 600, 99_500, match=2)
    assert desk.state(new) == "filled"
    assert desk.oms.positions()[0]["position"] == 700
    assert illegal(desk) == {}


def test_replaced_and_dead_at_once(desk):
    number = desk.live()
    new = desk.replace(number, 200)
    desk.replaced(number, new, 200, state=DEAD)
    assert (desk.state(number), desk.state(new)) == ("replaced", "cancelled")
    assert desk.reserved() == (0, 0)


def test_fill_before_the_replace_arrives_shrinks_what_it_leaves(desk):
    number = desk.live(quantity=500)
    new = desk.replace(number, 500, price=99_000)
    desk.execute(number, 200)
    assert desk.state(number) == "replace_pending"
    desk.replaced(number, new, 300, price=99_000)
    assert desk.oms.order(new)["leaves_quantity"] == 300
    assert desk.oms.order(new)["executed_quantity"] == 200
    assert desk.reserved() == (300, 0)


@pytest.mark.parametrize("end", ["executed", "canceled"])
def test_a_replace_ends_with_its_original(desk, end):
    number = desk.live(quantity=500)
    new = desk.replace(number, 900)
    assert desk.reserved() == (900, 0)
    desk.report(end, number, quantity=500, price=100_000, match_number=1, reason=ord("U"))
    assert desk.state(number) == {"executed": "filled", "canceled": "cancelled"}[end]
    assert desk.state(new) == "ignored"
    assert desk.reserved() == (0, 0)
    assert desk.oms.counters()["replaces_ignored"] == 1
    assert illegal(desk) == {}


def test_a_rejected_replace_leaves_the_original(desk):
    number = desk.live(quantity=500)
    desk.execute(number, 100)
    new = desk.replace(number, 900)
    desk.report("rejected", new, reason=0x15)
    assert (desk.state(number), desk.state(new)) == ("partially_filled", "rejected")
    assert desk.reserved() == (400, 0)
    again = desk.replace(number, 600)
    desk.replaced(number, again, 500)
    assert desk.state(again) == "partially_filled"


def test_one_replace_in_flight_per_order(desk):
    number = desk.live()
    new = desk.replace(number, 200)
    for named in (number, new):
        assert desk.submit(REPLACE, user_ref_num=named, quantity=300, price=100_000) == 0
        assert desk.gate.last_reason_name == "order_busy"


def test_a_replace_and_its_original_can_both_be_cancelled(desk):
    number = desk.live(quantity=500)
    new = desk.replace(number, 700)
    assert desk.oms.cancel_all(NOW) == 2
    assert (desk.state(number), desk.state(new)) == ("cancel_pending", "cancel_pending")
    desk.replaced(number, new, 700)
    assert (desk.state(number), desk.state(new)) == ("replaced", "cancel_pending")
    desk.report("canceled", new, quantity=700, reason=ord("U"))
    assert desk.state(new) == "cancelled"
    assert illegal(desk) == {}


def test_cancel_all_goes_through_the_gate_and_not_twice(desk):
    numbers = [desk.live() for _ in range(3)] + [desk.new()]
    assert desk.oms.cancel_all(NOW) == 4
    assert desk.oms.cancel_all(NOW) == 0
    sent = desk.channels[0].sent()[-4:]
    assert sorted(order["names"] for order in sent) == numbers
    assert {(order["action"], order["quantity"]) for order in sent} == {(CANCEL, 0)}


def test_late_in_a_cross_the_cancel_waits_or_is_refused(desk):
    number = desk.live()
    desk.cancel(number)
    desk.report("cancel_pending", number)
    assert desk.state(number) == "cancel_pending"
    desk.report("cancel_reject", number)
    assert desk.state(number) == "live"
    desk.replace(number, 200)


def test_modified_restated_priority(desk):
    number = desk.live(SELL, 500)
    desk.report("modified", number, quantity=300)
    desk.report("restated", number, reason=ord("R"))
    desk.report("priority", number, order_reference_number=77, price=100_100)
    order = desk.oms.order(number)
    assert (order["leaves_quantity"], order["order_reference_number"]) == (300, 77)
    assert desk.reserved() == (0, 300)
    desk.report("modified", number, quantity=301)
    assert illegal(desk) == {"illegal_modified": 1}


def test_a_broken_trade_takes_back_position_and_profit(desk):
    number = desk.live(quantity=300)
    desk.execute(number, 100, 90_000, match=7)
    desk.execute(number, 200, 100_000, match=8)
    desk.report("broken", number, match_number=7, reason=ord("E"))
    assert desk.state(number) == "broken"
    order = desk.oms.order(number)
    assert (order["broken_shares"], order["executed_notional"]) == (100, 200 * 100_000)
    position = desk.oms.positions()[0]
    assert (position["position"], position["cost"], position["realised"]) == (200, 200 * 100_000, 0)
    desk.report("broken", number, match_number=7)
    assert desk.oms.counters()["execution_not_found"] == 1


def test_a_live_order_with_a_broken_trade_ends_broken(desk):
    number = desk.live(quantity=300)
    desk.execute(number, 100, match=7)
    desk.report("broken", number, match_number=7)
    assert desk.state(number) == "partially_filled"
    assert desk.reserved() == (200, 0)
    desk.execute(number, 200, match=8)
    assert desk.state(number) == "broken"
    assert desk.oms.positions()[0]["position"] == 200


def test_illegal_messages_change_nothing_and_are_reported(desk):
    live, filled, pending = desk.live(quantity=100), desk.live(), desk.new()
    desk.execute(filled, 100)
    before = (list(desk.oms.orders()), desk.oms.positions(), desk.reserved())
    desk.accept(live)
    desk.accept(filled)
    desk.accept(pending, quantity=101)
    desk.accept(pending, price=1 << 31)
    desk.execute(live, 101)
    desk.execute(live, 0)
    desk.execute(live, 10, price=0)
    desk.execute(filled, 1)
    desk.execute(pending, 1)
    desk.report("canceled", live, quantity=101)
    desk.report("canceled", live, quantity=0)
    desk.report("canceled", filled, quantity=1)
    desk.report("rejected", live)
    desk.replaced(live, filled, 50)
    desk.replaced(0, live, 50)
    desk.replaced(live, pending, 50)
    desk.report("cancel_reject", live)
    desk.report("restated", filled)
    desk.report("broken", pending, match_number=1)
    assert (list(desk.oms.orders()), desk.oms.positions(), desk.reserved()) == before
    assert illegal(desk) == {
        "illegal_accepted": 4,
        "illegal_executed": 5,
        "illegal_canceled": 3,
        "illegal_rejected": 1,
        "illegal_replaced": 3,
        "illegal_cancel_reject": 1,
        "illegal_restated": 1,
        "illegal_broken": 1,
    }
    assert desk.oms.illegal_transitions()[0] == {
        "user_ref_num": live,
        "state": "live",
        "event": "accepted",
        "t_ns": NOW,
    }


def test_messages_for_nobody_are_counted(desk):
    desk.accept(5)
    number = desk.new()
    desk.report("accepted", number, venue=3, quantity=100, price=100_000, order_state=ord("L"))
    desk.report("executed", 0, quantity=1, price=1)
    desk.report("broken", 9, match_number=4)
    assert desk.oms.counters()["unknown_order"] == 4
    assert desk.state(number) == "pending_new"


def test_an_order_that_could_not_be_sent_leaves_no_trace(desk):
    live = desk.live()
    before = (list(desk.oms.orders()), desk.reserved(), desk.gate.passes)
    desk.channels[0].is_open = False
    for fields in (
        {"action": NEW, "side": BUY, "quantity": 100, "price": 99_000},
        {"action": REPLACE, "user_ref_num": live, "quantity": 200, "price": 99_000},
        {"action": CANCEL, "user_ref_num": live},
    ):
        assert desk.submit(**fields) == 0
        assert desk.gate.last_reason_name == "order_entry_down"
    after = [{**order, "changed_ns": NOW} for order in desk.oms.orders()]
    assert (after, desk.reserved(), desk.gate.passes) == before
    assert desk.oms.counters()["not_sent"] == 3
    desk.channels[0].is_open = True
    assert desk.new() == live + 1
    assert desk.channels[0].sent()[-1]["pass_number"] == 2
    assert illegal(desk) == {}


def test_unacknowledged_orders_are_unknown_until_the_replay(desk):
    live, accepted, rejected, lost = desk.live(), desk.new(), desk.new(), desk.new()
    replacement = desk.replace(live, 300)
    cancelled = desk.live()
    desk.cancel(cancelled)
    desk.oms.reports.session(0, DOWN, NOW)
    states = [desk.state(n) for n in (live, accepted, rejected, lost, replacement, cancelled)]
    assert states == ["replace_pending", *["unknown"] * 4, "cancel_pending"]
    assert desk.submit(NEW, quantity=100, price=100_000) == 0
    assert desk.gate.last_reason_name == "order_entry_down"
    desk.oms.reports.session(0, REPLAYING, NOW)
    desk.accept(accepted)
    desk.report("rejected", rejected, reason=1)
    assert desk.submit(NEW, quantity=100, price=100_000) == 0
    desk.report("other", lost, reason=QUERY)
    desk.oms.reports.session(0, UP, NOW)
    states = [desk.state(n) for n in (live, accepted, rejected, lost, replacement, cancelled)]
    assert states == ["live", "live", "rejected", "not_received", "not_received", "live"]
    counters = desk.oms.counters()
    assert (counters["became_unknown"], counters["not_received"], counters["cancels_lost"]) == (
        4,
        2,
        1,
    )
    assert desk.reserved() == (300, 0)
    assert desk.new() == 7
    assert illegal(desk) == {}


def test_an_unknown_order_whose_number_was_consumed_stays_unknown(desk):
    number = desk.new()
    desk.oms.reports.session(0, DOWN, NOW)
    desk.oms.reports.session(0, UP, NOW)
    assert desk.oms.resolve_unknown(number + 1) == 1
    assert desk.state(number) == "unknown"
    assert desk.reserved() == (100, 0)
    desk.accept(number)
    assert desk.state(number) == "live"
    assert desk.oms.counters()["still_unknown"] == 1


def test_the_exchange_may_know_of_higher_numbers(desk):
    desk.report("other", 5_000, reason=QUERY)
    desk.oms.reports.session(0, UP, NOW)
    assert desk.new() == 5_000
    with pytest.raises(ValueError, match="5000 is below 5001"):
        desk.oms.set_next_user_ref_num(5_000)
    desk.oms.set_next_user_ref_num(6_000)
    assert desk.new() == 6_000


def test_old_orders_make_room_and_open_ones_stay():
    desk = Desk(open_orders=4, capacity=8)
    kept = desk.live(price=99_000)
    for _ in range(40):
        desk.execute(desk.live(), 100)
    assert desk.oms.order(kept)["state"] == "live"
    assert desk.oms.counters()["numbers_skipped"] > 0
    assert len(list(desk.oms.orders())) <= 8
    desk.check()


def test_a_full_table_refuses():
    desk = Desk(open_orders=4, capacity=8)
    for _ in range(4):
        desk.new()
    assert desk.submit(NEW, quantity=100, price=100_000) == 0
    assert desk.gate.last_reason_name == "order_table_full"
    desk.check()


def test_two_venues_share_the_numbers_and_nothing_else():
    desk = Desk(venues=2)
    numbers = [desk.new(venue=venue) for venue in (0, 1, 0, 1)]
    assert [order["user_ref_num"] for order in desk.channels[1].sent()] == [2, 4]
    desk.oms.reports.session(1, DOWN, NOW)
    assert [desk.state(n) for n in numbers] == ["pending_new", "unknown"] * 2
    assert desk.submit(NEW, venue=1, quantity=100, price=100_000) == 0
    desk.new(venue=0)
    desk.check()


def test_positions_are_valued_at_what_closing_would_get(desk):
    long, short = desk.live(), desk.new(SELL, 50, symbol_index=1)
    desk.accept(short, 50)
    desk.execute(long, 100, 100_000)
    desk.execute(short, 50, 100_000, match=2)
    found = desk.oms.positions()
    assert found[0]["mark_price"] == 99_000
    assert found[0]["unrealised"] == -100 * 1_000
    assert (found[1]["mark_price"], found[1]["unrealised"]) == (101_000, -50 * 1_000)
    desk.gate.set_top(0, {**TOP, "bid_price": 0})
    assert desk.oms.positions()[0]["mark_price"] == TOP["last_price"]


def test_capacities_must_fit():
    desk = Desk()
    with pytest.raises(ValueError, match="power of two"):
        type(desk.oms)(desk.gate, capacity=100)
    with pytest.raises(ValueError, match="power of two"):
        type(desk.oms)(desk.gate, capacity=32)
