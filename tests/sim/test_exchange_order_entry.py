# SPDX-License-Identifier: Apache-2.0
"""OUCH 5.0 order entry: numbers, reasons, and the behaviours of the document worth testing."""

import pytest
from exchange_support import Market, decode_ouch, ouch
from hypothesis import given, settings
from hypothesis import strategies as st

P = 1_000_000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"symbol": b"NONE"}, "invalid_symbol"),
        ({"symbol": b""}, "invalid_symbol"),
        ({"quantity": 0}, "invalid_quantity"),
        ({"quantity": 1_000_000}, "invalid_quantity"),
        ({"price": 0}, "invalid_price"),
        ({"price": P + 1}, "invalid_price"),
        ({"price": 0x7FFFFFFF}, "invalid_price"),
        ({"price": 1 << 40}, "invalid_price"),
        ({"side": "X"}, "invalid_side"),
        ({"display": b"Q"}, "invalid_display"),
        ({"cross_type": b"O"}, "invalid_cross_order"),
        ({"capacity": b"Z"}, "other"),
        ({"time_in_force": b"9"}, "other"),
        ({"time_in_force": b"6"}, "other"),
        ({"inter_market_sweep_eligibility": b"?"}, "iso_not_allowed"),
        ({"symbol": b"MSFT"}, "halted"),
        ({"tags": {"min_qty": 101}, "time_in_force": b"3"}, "invalid_min_quantity"),
        ({"tags": {"min_qty": 50}}, "invalid_min_quantity"),
        ({"tags": {"max_floor": 100}}, "invalid_max_floor"),
        ({"tags": {"price_type": b"M"}}, "pegging_not_allowed"),
        ({"tags": {"route": b"SCAN"}}, "other"),
        ({"tags": {"customer_type": b"R"}}, "retail_not_allowed"),
        ({"tags": {"firm": b"TWO"}}, "firm_not_authorized"),
        ({"tags": {"discretion_price": P}}, "other"),
        ({"tags": {"side": b"S"}}, "other"),
    ],
)
def test_reject_reasons(change, reason):
    market = Market()
    assert market.enter(1, **change) == [("rejected", 1, reason)]
    assert market.letters() == ""
    # the number is used up
    assert market.enter(1) == []
    assert market.enter(2) == [("accepted", 2, 100, "L")]


@pytest.mark.parametrize(
    "change",
    [
        {"price": 9_999},
        {"price": 0x7735939C},
        {"quantity": 999_999},
        {"side": "T"},
        {"side": "E"},
        {"time_in_force": b"5"},
        {"time_in_force": b"E"},
        {"inter_market_sweep_eligibility": b"Y"},
        {"tags": {"firm": b"ONE"}},
        {"tags": {"firm": b"    "}},
        {"tags": {"price_type": b"L", "customer_type": b"N"}},
    ],
)
def test_what_is_accepted(change):
    market = Market()
    assert market.enter(1, **change) == [("accepted", 1, change.get("quantity", 100), "L")]


def test_accepted_repeats_the_order_and_its_tags():
    market = Market()
    tags = {"post_only": b"P", "locate_broker": b"BRKR", "user_ref_idx": 7}
    market.desk.receive(0, ouch("enter_order", tags, user_ref_num=5, side=b"T"), 1234)
    ((name, fields),) = map(decode_ouch, market.raw())
    assert name == "order_accepted"
    assert fields["tags"] == {"post_only": b"P", "user_ref_idx": 7}  # locate broker is not allowed
    expected = {"timestamp": 1234, "user_ref_num": 5, "side": b"T", "quantity": 100, "price": P}
    expected |= {"symbol": b"AAPL", "cl_ord_id": b"client", "capacity": b"P", "cross_type": b"N"}
    assert {key: fields[key] for key in expected} == expected


def test_user_ref_numbers_are_strictly_increasing():
    market = Market()
    assert market.enter(5) == [("accepted", 5, 100, "L")]
    assert market.enter(5) == []
    assert market.enter(4) == []
    assert market.enter(0) == []
    assert market.send(ouch("account_query_request")) == [("account", 6)]
    assert market.enter(0xFFFFFFFF) == [("accepted", 0xFFFFFFFF, 100, "L")]
    assert market.enter(6) == []
    assert market.desk.counters()["old_user_ref_num"] == 4


def test_channels_count_by_themselves():
    market = Market()
    assert market.enter(5) == [("accepted", 5, 100, "L")]
    tags = {"user_ref_idx": 3}
    assert market.enter(1, tags=tags) == [("accepted", 1, 100, "L")]
    cancel = ouch("cancel_order_request", tags, user_ref_num=1, quantity=0)
    market.desk.receive(0, cancel, 9)
    ((name, fields),) = map(decode_ouch, market.raw())
    assert (name, fields["quantity"], fields["tags"]) == ("order_canceled", 100, tags)
    assert market.send(ouch("account_query_request", tags)) == [("account", 2)]
    assert market.send(ouch("account_query_request")) == [("account", 6)]


def test_replace_of_an_order_not_live_is_ignored_and_costs_no_number():
    market = Market()
    assert market.replace(1, 2) == []
    assert market.enter(2) == [("accepted", 2, 100, "L")]
    assert market.replace(2, 2) == []  # used
    assert market.replace(2, 1) == []
    assert market.cancel(2) == [("canceled", 2, 100, "U")]
    assert market.replace(2, 3) == []
    assert market.enter(3) == [("accepted", 3, 100, "L")]


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": 0},
        {"quantity": 1_000_000},
        {"price": 0},
        {"price": P + 1},
        {"display": b"Q"},
        {"time_in_force": b"9"},
        {"tags": {"side": b"S"}},
        {"tags": {"max_floor": 1}},
        {"tags": {"firm": b"ONE"}},
    ],
)
def test_replace_with_invalid_details_cancels_and_costs_no_number(change):
    market = Market()
    market.enter(1)
    market.fed()
    assert market.replace(1, 2, **change) == [("canceled", 1, 100, "U")]
    assert market.letters() == "D"
    assert market.enter(2) == [("accepted", 2, 100, "L")]


def test_replace_that_is_not_possible_now_is_rejected_and_costs_the_number():
    market = Market()
    market.enter(1)
    market.engine.set_trading_state("AAPL", "H", "T1", 2)
    market.fed()
    assert market.replace(1, 2) == [("rejected", 2, "halted")]
    assert market.letters() == ""
    market.engine.set_trading_state("AAPL", "T", "T3", 2)
    assert market.replace(1, 2) == []
    assert market.replace(1, 3) == [("replaced", 1, 3, 100, "L")]


def test_replace_counts_the_whole_chain():
    market = Market()
    market.enter(1, quantity=500)
    market.background("S", 100)
    market.heard()
    assert market.replace(1, 2, 500) == [("replaced", 1, 2, 400, "L")]
    market.background("S", 50)
    market.heard()
    assert market.replace(2, 3, 400) == [("replaced", 2, 3, 250, "L")]
    market.fed()
    # all of it was executed already: replaced and dead
    assert market.replace(3, 4, 150) == [("replaced", 3, 4, 0, "D")]
    assert market.letters() == "D"
    assert market.cancel(4) == []
    assert market.desk.live_count == 0


def test_replace_chain_may_shorten_the_side_of_a_sell():
    market = Market()
    market.enter(1, "S")
    market.replace(1, 2, tags={"side": b"T"})
    assert market.desk.open_orders()[0][5] == "T"
    assert market.replace(2, 3, tags={"side": b"S"}) == [("canceled", 2, 100, "U")]


def test_cancel_counts_the_whole_chain_and_superfluous_ones_are_silent():
    market = Market()
    market.enter(1, quantity=500)
    market.background("S", 100)
    market.heard()
    assert market.cancel(1, 500) == []
    assert market.cancel(1, 600) == []
    assert market.cancel(1, 300) == [("canceled", 1, 200, "U")]
    assert market.cancel(1, 300) == []
    assert market.cancel(1, 50) == [("canceled", 1, 200, "U")]
    assert market.cancel(1) == []
    assert market.cancel(77) == []
    counters = market.desk.counters()
    assert (counters["superfluous"], counters["not_live"]) == (3, 2)


def test_modify():
    market = Market()

    def modify(number, side, quantity):
        return market.send(
            ouch("modify_order_request", user_ref_num=number, side=side, quantity=quantity)
        )

    market.enter(1, "S")
    first = market.queue("S")[0][0]
    market.background("S")
    market.fed()
    assert modify(1, b"E", 100) == [("modified", 1, "E", 100)]
    assert market.letters() == ""
    assert modify(1, b"T", 60) == [("modified", 1, "T", 60)]
    assert market.letters() == "X"
    assert market.queue("S")[0] == (first, P, 60)
    assert modify(1, b"S", 50) == []
    assert modify(1, b"B", 50) == []
    assert modify(1, b"T", 0) == [("canceled", 1, 60, "U")]
    assert modify(1, b"T", 0) == []


def test_mass_cancel_by_symbol_side_and_group():
    market = Market()
    market.engine.set_trading_state("MSFT", "T", "", 1)

    def mass_cancel(number, tags=None, symbol=b"", firm=b"ONE"):
        return market.send(
            ouch("mass_cancel_request", tags, user_ref_num=number, firm=firm, symbol=symbol)
        )

    market.enter(1, "B")
    market.enter(2, "S", price=P + 100)
    market.enter(3, "B", symbol=b"MSFT")
    market.enter(4, "B", tags={"group_id": 9})
    market.enter(1, "B", session=1)
    assert mass_cancel(5, symbol=b"NONE") == [("rejected", 5, "invalid_symbol")]
    assert mass_cancel(6, firm=b"TWO") == [("rejected", 6, "firm_not_authorized")]
    assert mass_cancel(7, {"group_id": 9}) == [
        ("mass_cancel_response", 7),
        ("canceled", 4, 100, "U"),
    ]
    assert mass_cancel(8, {"side": b"S"})[1:] == [("canceled", 2, 100, "U")]
    assert mass_cancel(9, symbol=b"MSFT")[1:] == [("canceled", 3, 100, "U")]
    assert mass_cancel(9) == []
    assert mass_cancel(10, firm=b"")[1:] == [("canceled", 1, 100, "U")]
    assert mass_cancel(11) == [("mass_cancel_response", 11)]
    assert [order[0] for order in market.desk.open_orders()] == [1]


def test_disable_and_enable_order_entry():
    market = Market()
    market.enter(1)
    disable = ouch("disable_order_entry_request", user_ref_num=2, firm=b"ONE")
    assert market.send(disable) == [("disable_order_entry_response", 2)]
    assert market.enter(3) == [("rejected", 3, "firm_not_authorized")]
    assert market.enter(1, session=1) == [("accepted", 1, 100, "L")]
    assert market.cancel(1) == [("canceled", 1, 100, "U")]
    enable = ouch("enable_order_entry_request", user_ref_num=4, firm=b"ONE")
    assert market.send(enable) == [("enable_order_entry_response", 4)]
    assert market.enter(5) == [("accepted", 5, 100, "L")]


def test_time_to_live():
    market = Market()
    market.enter(1, time_in_force=b"6", tags={"expire_time": 10})
    market.enter(2, time_in_force=b"6", tags={"expire_time": 5})
    entered = market.now
    market.desk.timer(entered + 4_999_999_999)
    assert market.heard() == []
    market.desk.timer(entered + 5_000_000_000)
    assert market.heard() == [("canceled", 2, 100, "T")]
    market.desk.timer(entered + 20_000_000_000)
    assert market.heard() == [("canceled", 1, 100, "T")]


def test_a_full_table_rejects():
    market = Market()
    for number in range(1, 65):
        assert market.enter(number) == [("accepted", number, 100, "L")]
    assert market.enter(65) == [("rejected", 65, "processing_error")]
    market.cancel(10)
    assert market.enter(66) == [("accepted", 66, 100, "L")]


def test_malformed_messages_are_counted_and_change_nothing():
    market = Market()
    good = ouch("enter_order", user_ref_num=1)
    for bad in (b"", b"?", good[:-1], good + b"x", b"Z" * 40, b"X\0"):
        assert market.send(bad) == []
    counters = market.desk.counters()
    assert (counters["bad_length"], counters["unknown_type"]) == (4, 2)
    # the tags are cut: the frame is whole, so the order is rejected
    assert market.enter(1, payload=b"\x09\x0c") == [("rejected", 1, "other")]
    assert market.enter(2, payload=b"\x03\x0cPP") == [("rejected", 2, "other")]
    assert market.enter(3, payload=b"\x02\xf0?") == [("accepted", 3, 100, "L")]
    counters = market.desk.counters()
    assert (counters["bad_appendage"], counters["unknown_tags"]) == (2, 1)


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=80), max_size=20))
def test_random_bytes_never_trouble_the_desk(messages):
    market = Market()
    for message in messages:
        for kind in b"OUXMCDEQ":
            market.desk.receive(0, bytes([kind]) + message, 5)
    assert market.desk.live_count == len(market.desk.open_orders())
