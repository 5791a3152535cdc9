# SPDX-License-Identifier: Apache-2.0
"""The matching engine, order type by order type: what owners hear and what the feed says."""

import pytest
from exchange_support import Market, decode_ouch

P = 1_000_000


def test_a_limit_order_rests_and_is_published():
    market = Market()
    assert market.enter(1) == [("accepted", 1, 100, "L")]
    ((letter, fields),) = market.fed()
    assert letter == "A"
    assert (fields["stock"], fields["shares"], fields["price"]) == (b"AAPL    ", 100, P)
    assert fields["buy_sell_indicator"] == b"B"
    assert market.queue("B") == [(fields["order_reference_number"], P, 100)]


def test_price_then_time():
    market = Market()
    late = market.background("S", price=P + 100)
    first = market.background("S", 60)
    second = market.background("S", 60)
    market.fed()
    assert market.enter(1, quantity=130, price=P + 100) == [
        ("accepted", 1, 130, "L"),
        ("executed", 1, 60, P, "R"),
        ("executed", 1, 60, P, "R"),
        ("executed", 1, 10, P + 100, "R"),
    ]
    assert [f["order_reference_number"] for _, f in market.fed()] == [first, second, late]
    assert market.queue("S") == [(late, P + 100, 90)]
    assert market.queue("B") == []


def test_partial_fill_rests_with_what_is_left():
    market = Market()
    market.background("S", 30)
    market.enter(1, quantity=100)
    assert market.letters() == "AEA"
    assert [shares for _, _, shares in market.queue("B")] == [70]
    market.background("S", 20)
    assert market.heard() == [("executed", 1, 20, P, "A")]


def test_both_sides_of_an_own_trade_are_told_with_one_match_number():
    market = Market()
    market.enter(1, "S")
    market.raw()
    market.send(b"")
    assert market.enter(2, "B")[0] == ("accepted", 2, 100, "L")
    market.enter(3, "S")
    market.raw()
    market.desk.receive(0, _enter(4), 50)
    executed = [v for name, v in map(decode_ouch, market.raw()) if name == "order_executed"]
    assert {(v["user_ref_num"], v["liquidity_flag"]) for v in executed} == {(3, b"A"), (4, b"R")}
    assert len({v["match_number"] for v in executed}) == 1


def _enter(number):
    from exchange_support import ouch

    return ouch("enter_order", user_ref_num=number)


def test_two_sessions_trade_with_each_other():
    market = Market()
    market.enter(1, "S", session=1)
    assert market.enter(1, "B", 40)[1:] == [("executed", 1, 40, P, "R")]
    assert market.heard(1) == [("executed", 1, 40, P, "A")]


def test_immediate_or_cancel():
    market = Market()
    market.background("S", 30)
    market.fed()
    assert market.enter(1, quantity=100, time_in_force=b"3") == [
        ("accepted", 1, 100, "L"),
        ("executed", 1, 30, P, "R"),
        ("canceled", 1, 70, "I"),
    ]
    assert market.letters() == "E"
    assert market.enter(2, time_in_force=b"3")[1:] == [("canceled", 2, 100, "I")]
    assert market.letters() == ""


@pytest.mark.parametrize(("minimum", "filled"), [(50, True), (51, False)])
def test_minimum_quantity(minimum, filled):
    market = Market()
    market.background("S", 30)
    market.background("S", 20, hidden=True)
    market.background("S", 500, P + 100)
    heard = market.enter(1, time_in_force=b"3", tags={"min_qty": minimum})
    assert heard[-1] == ("canceled", 1, 50 if filled else 100, "I")
    assert sum(each[2] for each in heard if each[0] == "executed") == (50 if filled else 0)


@pytest.mark.parametrize(("hidden", "reason"), [(False, "G"), (True, "F")])
def test_post_only_that_would_take_is_accepted_then_cancelled(hidden, reason):
    market = Market()
    market.background("S", hidden=hidden)
    market.fed()
    assert market.enter(1, tags={"post_only": b"P"}) == [
        ("accepted", 1, 100, "L"),
        ("canceled", 1, 100, reason),
    ]
    assert market.letters() == ""
    assert market.enter(2, price=P - 100, tags={"post_only": b"P"}) == [("accepted", 2, 100, "L")]
    assert market.letters() == "A"


def test_hidden_orders_are_not_in_the_feed_and_trade_behind_displayed_ones():
    market = Market()
    market.enter(1, "S", 40, display=b"N")
    assert market.letters() == ""
    shown = market.background("S", 10)
    market.fed()
    market.raw()
    market.background("B", 30)
    (first, executed), (second, trade) = market.fed()
    assert (first, second) == ("E", "P")
    assert (executed["order_reference_number"], executed["executed_shares"]) == (shown, 10)
    assert (trade["shares"], trade["price"], trade["order_reference_number"]) == (20, P, 0)
    assert market.heard() == [("executed", 1, 20, P, "J")]


def test_a_better_hidden_price_trades_first():
    market = Market()
    market.background("S", 10, P)
    market.background("S", 10, P - 100, hidden=True)
    assert market.enter(1, quantity=20)[1:] == [
        ("executed", 1, 10, P - 100, "R"),
        ("executed", 1, 10, P, "R"),
    ]


def test_attributed_orders_are_add_with_mpid():
    market = Market()
    market.enter(1, display=b"A")
    ((letter, fields),) = market.fed()
    assert (letter, fields["attribution"]) == ("F", b"ONE ")


def test_cancel_to_a_size_keeps_the_place_and_replace_loses_it():
    market = Market()
    market.enter(1)
    other = market.background("B")
    market.fed()
    assert market.cancel(1, 40) == [("canceled", 1, 60, "U")]
    assert market.letters() == "X"
    assert market.queue("B")[0][2] == 40
    assert market.replace(1, 2, 40) == [("replaced", 1, 2, 40, "L")]
    assert market.letters() == "U"
    assert market.queue("B")[0][0] == other
    assert market.cancel(2) == [("canceled", 2, 40, "U")]
    assert market.letters() == "D"


def test_a_replace_that_takes_is_delete_then_trades_then_add():
    market = Market()
    market.enter(1, price=P - 100)
    market.background("S", 30)
    market.fed()
    assert market.replace(1, 2, 100, P) == [
        ("replaced", 1, 2, 100, "L"),
        ("executed", 2, 30, P, "R"),
    ]
    assert market.letters() == "DEA"
    assert [each[1:] for each in market.queue("B")] == [(P, 70)]


def test_a_replaced_post_only_order_stays_post_only():
    market = Market()
    market.enter(1, price=P - 100, tags={"post_only": b"P"})
    market.background("S")
    market.fed()
    assert market.replace(1, 2, 100, P) == [
        ("replaced", 1, 2, 100, "L"),
        ("canceled", 2, 100, "G"),
    ]
    assert market.letters() == "D"


def test_halted_symbol_refuses_orders_and_lets_cancels_pass():
    market = Market()
    market.enter(1)
    market.fed()
    assert market.engine.set_trading_state("AAPL", "H", "T1", 9)
    assert not market.engine.set_trading_state("AAPL", "H", "T1", 9)
    ((letter, fields),) = market.fed()
    assert (letter, fields["trading_state"], fields["reason"]) == ("H", b"H", b"T1  ")
    assert market.enter(2) == [("rejected", 2, "halted")]
    assert market.background("S") == 0
    assert market.cancel(1, 30) == [("canceled", 1, 70, "U")]
    market.engine.set_trading_state("AAPL", "T", "T3", 10)
    assert market.enter(3, "S")[1:] == [("executed", 1, 30, P, "A"), ("executed", 3, 30, P, "R")]


def test_pause_and_operational_halt_refuse_too():
    market = Market()
    market.engine.set_trading_state("AAPL", "P", "LUDP", 9)
    assert market.enter(1) == [("rejected", 1, "halted")]
    market.engine.set_trading_state("AAPL", "T", "", 9)
    market.engine.set_operational_halt("AAPL", True, 10)
    assert market.letters() == "HHh"
    assert market.enter(2) == [("rejected", 2, "halted")]
    market.engine.set_operational_halt("AAPL", False, 11)
    assert market.enter(3) == [("accepted", 3, 100, "L")]


def test_closed_market():
    market = Market()
    market.engine.close()
    assert market.enter(1) == [("rejected", 1, "destination_closed")]


def test_self_match_prevention_cancels_the_resting_order():
    market = Market(prevent_self_match=True)
    market.enter(1, "S")
    market.background("S", 50)
    market.fed()
    assert market.enter(2, "B", 80) == [
        ("accepted", 2, 80, "L"),
        ("aiq_canceled", 1),
        ("executed", 2, 50, P, "R"),
    ]
    assert market.letters() == "DEA"
    market.enter(1, "S", 30, session=1)
    assert market.heard(0) == [("executed", 2, 30, P, "A")]


def test_broken_trade_is_told_to_feed_and_clients():
    market = Market()
    market.enter(1, "S")
    market.enter(1, "B", session=1)
    market.raw(), market.raw(1), market.fed()
    assert market.engine.break_trade(1, "E", 99) == 2
    assert market.letters() == "B"
    for session in (0, 1):
        ((name, fields),) = map(decode_ouch, market.raw(session))
        assert (name, fields["match_number"], fields["reason"]) == ("broken_trade", 1, b"E")
    with pytest.raises(ValueError, match="no match 2"):
        market.engine.break_trade(2, "E", 99)


def test_a_full_book_cancels_what_can_not_rest():
    market = Market()
    rested = sum(bool(market.background("B", 1, 10_000 + i * 100)) for i in range(5000))
    assert rested < 5000
    counters = market.engine.counters()
    assert counters["no_room"] == 5000 - rested
    assert market.enter(1, price=P - 200) == [
        ("accepted", 1, 100, "L"),
        ("canceled", 1, 100, "Z"),
    ]
    assert (
        counters["entered_shares"] == market.engine.resting_shares() + counters["canceled_shares"]
    )


def test_two_symbols_do_not_mix():
    market = Market()
    market.engine.set_trading_state("MSFT", "T", "", 2)
    market.background("S")
    assert market.enter(1, symbol=b"MSFT") == [("accepted", 1, 100, "L")]
    assert market.queue("B", "MSFT") and not market.queue("B", "AAPL")
