# SPDX-License-Identifier: Apache-2.0
"""Checks against new risk, each at its edge and each switched off; see also test_gate.py."""

from dataclasses import replace

import pytest
from oms_support import BUY, CANCEL, LIMITS, NEW, NOW, REPLACE, SELL, TOP, Desk

from nic.offload.enumerations import (
    ALL_CHECKS,
    FIRST_OF_NEW_RISK,
    MARKET_PHASE,
    ORDER_TYPE,
    RISK,
    checks,
)
from nic.offload.limits import Limits, widest_limits

SHORT, EXEMPT = ord("T"), ord("E")
DAY, IOC = ord("0"), ord("3")
TICKS = {"tick_size_price_units": 100, "tick_size_from_price": 10_000}


def desk_with(*enabled, **limits):
    """A desk that makes only the named checks."""
    desk = Desk()
    desk.gate.set_limits(None, replace(LIMITS, enabled_checks=checks(*enabled), **limits), 2)
    return desk


def refused(desk, action=NEW, **request):
    """The reason of a request that must not pass."""
    values = {"side": BUY, "quantity": 100, "price": 100_000, **request}
    number = desk.submit(action, **values)
    assert number == 0, f"passed as {number}"
    return desk.gate.last_reason_name


def bits(table, *names):
    """Bits of a table's entries."""
    return sum(1 << table.value(name) for name in names)


@pytest.mark.parametrize(
    "check, limits",
    [
        ("symbol_restricted", {"is_restricted": 1}),
        ("symbol_not_allowed", {"is_allowed": 0}),
        ("minimum_quantity", {"minimum_quantity_shares": 101}),
        ("lot_size", {"lot_size_shares": 3}),
        ("lot_size", {"lot_size_shares": 0}),
        ("tick_size", {"tick_size_price_units": 3}),
        ("tick_size", {"tick_size_price_units": 0}),
        ("maximum_quantity", {"maximum_quantity_shares": 99}),
        ("maximum_notional", {"maximum_notional": 100 * 100_000 - 1}),
        ("average_daily_volume", {"average_daily_volume_bound_shares": 99}),
        ("maximum_long_position", {"maximum_long_position_shares": 99}),
        ("gross_notional", {"maximum_gross_notional": 100 * 100_000 - 1}),
        ("net_notional", {"maximum_net_notional": 100 * 100_000 - 1}),
        ("daily_quantity", {"maximum_daily_quantity_shares": 99}),
        ("daily_notional", {"maximum_daily_notional": 100 * 100_000 - 1}),
        ("credit_limit", {"maximum_credit": 100 * 100_000 - 1}),
        ("open_orders", {"maximum_open_orders": 0}),
        ("unacknowledged_orders", {"maximum_unacknowledged_orders": 0}),
        ("message_rate", {"message_rate_per_second": 0}),
        ("symbol_message_rate", {"symbol_message_rate_per_second": 0}),
        ("symbol_message_rate", {"symbol_message_burst": 0}),
        ("strategy_message_rate", {"strategy_message_burst": 0}),
        ("repeated_execution", {"maximum_executions": 0}),
        ("order_to_trade_ratio", {"order_to_trade_floor": 0}),
    ],
)
def test_a_limit_refuses_when_its_check_is_enabled_and_only_then(check, limits):
    desk = desk_with(check, **limits)
    assert refused(desk) == check
    others = ALL_CHECKS & ~checks(check, "price_band")
    desk.gate.set_limits(None, replace(LIMITS, enabled_checks=others, **limits), 3)
    desk.new()
    assert desk.gate.counters()[check] == 1


def test_the_edge_of_a_limit_passes():
    desk = desk_with(
        *RISK.names[FIRST_OF_NEW_RISK:],
        minimum_quantity_shares=100,
        lot_size_shares=50,
        tick_size_price_units=100,
        maximum_quantity_shares=100,
        maximum_notional=100 * 100_000,
        average_daily_volume_bound_shares=100,
        maximum_long_position_shares=100,
        maximum_gross_notional=100 * 100_000,
        maximum_net_notional=100 * 100_000,
        maximum_daily_quantity_shares=100,
        maximum_daily_notional=100 * 100_000,
        maximum_loss=0,
        maximum_credit=100 * 100_000,
        maximum_open_orders=1,
        maximum_unacknowledged_orders=1,
        maximum_executions=1,
        order_to_trade_floor=1,
        order_to_trade_ratio=0,
        allowed_order_types=bits(ORDER_TYPE, "buy", "day"),
        allowed_phases=bits(MARKET_PHASE, "market"),
    )
    desk.gate.set_market_phase(MARKET_PHASE.value("market"))
    desk.gate.set_top(0, {"band_upper_price": 100_000})
    desk.new()
    assert desk.gate.daily_totals()["credit_alerts"] == 1


def test_a_check_of_the_first_group_can_not_be_disabled():
    desk = Desk()
    desk.gate.set_limits(None, widest_limits(0), 2)
    desk.gate.kill()
    assert refused(desk) == "kill_global"
    assert refused(desk, quantity=0) == "kill_global"


TYPES = {
    "buy": {},
    "sell": {"side": SELL},
    "sell_short": {"side": SHORT},
    "sell_short_exempt": {"side": EXEMPT},
    "ioc": {"time_in_force": IOC},
    "post_only": {"post_only": 1},
}


@pytest.mark.parametrize("missing", ["day", *TYPES])
def test_order_types(missing):
    allowed = bits(ORDER_TYPE, *ORDER_TYPE.names) - bits(ORDER_TYPE, missing)
    desk = desk_with("order_type_not_allowed", allowed_order_types=allowed)
    for name, request in TYPES.items():
        needed = {name, "day" if name != "ioc" else "ioc", *([] if "side" in request else ["buy"])}
        if missing in needed:
            assert refused(desk, price=101_000, **request) == "order_type_not_allowed"
        else:
            desk.new(**{"price": 90_000 if "side" not in request else 101_000, **request})


def test_replaces_can_be_forbidden():
    desk = desk_with(
        "order_type_not_allowed",
        allowed_order_types=bits(ORDER_TYPE, *ORDER_TYPE.names) - bits(ORDER_TYPE, "replace"),
    )
    number = desk.live()
    assert refused(desk, REPLACE, user_ref_num=number, quantity=200) == "order_type_not_allowed"
    desk.replace(number, 50)  # it is less


@pytest.mark.parametrize("phase", MARKET_PHASE.names)
def test_market_phases(phase):
    desk = desk_with("market_phase", allowed_phases=bits(MARKET_PHASE, phase))
    for other in MARKET_PHASE.names:
        desk.gate.set_market_phase(MARKET_PHASE.value(other))
        if other == phase:
            desk.new()
        else:
            assert refused(desk) == "market_phase"
    with pytest.raises(ValueError, match="no market phase 5"):
        desk.gate.set_market_phase(5)


def test_a_crossed_or_locked_market():
    desk = desk_with("market_crossed")
    for bid, ask, crossed in (
        (100, 101, False),
        (101, 101, True),
        (102, 101, True),
        (102, 0, False),
        (1 << 40, 101, False),
    ):
        desk.gate.set_top(0, {"bid_price": bid, "ask_price": ask})
        if crossed:
            assert refused(desk) == "market_crossed"
        else:
            desk.new()


def test_price_bands():
    desk = desk_with("price_band")
    assert refused(desk) == "price_band"
    desk.gate.set_top(0, {"band_upper_price": 100_000})
    desk.new(price=100_000)
    assert refused(desk, price=100_001) == "price_band"
    assert refused(desk, side=SELL) == "price_band"
    desk.gate.set_top(0, {"band_lower_price": 99_000})
    desk.new(SELL, price=99_000)
    desk.new(BUY, price=50_000)
    assert refused(desk, side=SHORT, price=98_999) == "price_band"


def test_lots_and_ticks():
    desk = desk_with("lot_size", "tick_size", lot_size_shares=12, **TICKS)
    assert refused(desk, quantity=18) == "lot_size"
    desk.new(quantity=24)
    assert refused(desk, quantity=24, price=10_001) == "tick_size"
    desk.new(quantity=24, price=9_999)
    desk.new(quantity=24, price=10_000)


def test_a_collar_without_its_reference_refuses():
    desk = desk_with("collar_best_price", "collar_last_trade")
    desk.gate.set_top(0, {"ask_price": 0})
    assert refused(desk) == "collar_best_price"
    assert refused(desk_and(desk, last_price=0), side=SELL) == "collar_last_trade"


def desk_and(desk, **top):
    """The desk with another top."""
    desk.gate.set_top(0, top)
    return desk


def test_short_sales_are_marked():
    desk = desk_with("short_sale_mark")
    assert refused(desk, side=SELL, quantity=1, price=101_000) == "short_sale_mark"
    desk.execute(desk.live(BUY, 300), 300)
    desk.new(SELL, 200, 101_000)
    assert refused(desk, side=SELL, quantity=101, price=101_000) == "short_sale_mark"
    desk.new(SELL, 100, 101_000)
    desk.new(SHORT, 500, 101_000)
    desk.new(EXEMPT, 500, 101_000)


def test_short_sales_are_located():
    desk = desk_with("short_sale_locate", short_sale_locate_shares=500)
    desk.new(SHORT, 300, 101_000)
    assert refused(desk, side=SHORT, quantity=201, price=101_000) == "short_sale_locate"
    assert refused(desk, side=EXEMPT, quantity=201, price=101_000) == "short_sale_locate"
    desk.execute(desk.live(BUY, 100), 100)
    desk.new(SHORT, 300, 101_000)
    desk.new(SELL, 1_000, 101_000)
    assert desk.reserved() == (0, 1_600)


@pytest.mark.parametrize(
    "state, is_restricted", [("0", False), ("1", True), ("2", True), ("", True)]
)
def test_short_sales_below_the_bid(state, is_restricted):
    desk = desk_with("short_sale_restricted")
    desk.gate.set_top(0, {"short_sale_state": ord(state or "\0")})
    desk.new(SHORT, price=TOP["bid_price"] + 1)
    if is_restricted:
        assert refused(desk, side=SHORT, price=TOP["bid_price"]) == "short_sale_restricted"
        assert refused(desk_and(desk, bid_price=0), side=SHORT) == "short_sale_restricted"
    else:
        desk.new(SHORT, price=TOP["bid_price"])
    desk.new(EXEMPT, price=TOP["bid_price"])
    desk.new(SELL, price=TOP["bid_price"])


def test_net_notional_nets_positions_but_not_open_orders():
    desk = desk_with("net_notional", maximum_net_notional=300 * 100_000)
    desk.execute(desk.live(BUY, 200), 200)
    assert refused(desk, quantity=101) == "net_notional"
    desk.new(BUY, 100, 99_000, symbol_index=1)
    assert refused(desk, quantity=2, symbol_index=1) == "net_notional"
    # 200 long: 500 may be sold, whatever is open to buy
    assert refused(desk, side=SELL, quantity=501, symbol_index=1) == "net_notional"
    desk.new(SELL, 500, symbol_index=1)


def test_daily_totals_count_what_was_ordered_until_the_day_starts_anew():
    desk = desk_with("daily_quantity", "daily_notional", maximum_daily_quantity_shares=300)
    number = desk.live(BUY, 200)
    desk.report("canceled", number, quantity=200)
    assert refused(desk, quantity=101) == "daily_quantity"
    number = desk.live(BUY, 50)
    assert refused(desk, REPLACE, user_ref_num=number, quantity=101) == "daily_quantity"
    desk.replace(number, 100)
    assert desk.gate.daily_totals() == {
        "daily_shares": 300,
        "daily_notional": 300 * 100_000,
        "messages": 3,
        "credit_alerts": 0,
    }
    desk.gate.start_day()
    desk.new(BUY, 300)


def test_loss_is_cash_and_positions_at_their_marks():
    desk = desk_with("loss_limit", maximum_loss=100 * 500)
    desk.execute(desk.live(BUY, 100), 100, 100_000)
    desk.gate.exposures.tell("mark", 0, 99_500)
    desk.new(price=99_000)
    desk.gate.exposures.tell("mark", 0, 99_499)
    assert refused(desk, price=99_000) == "loss_limit"
    assert refused(desk, symbol_index=1) == "loss_limit"
    desk.new(SELL, 100, 99_001)  # closes
    desk.gate.exposures.tell("mark", 0, 99_500)
    desk.new(price=98_999)


def test_a_broken_trade_gives_its_cash_back():
    desk = desk_with()
    desk.execute(desk.live(BUY, 100), 100, 99_000, match=7)
    assert desk.gate.exposures.cash == -100 * 99_000
    desk.execute(desk.live(SELL, 40, 100_500), 40, 101_000, match=8)
    assert desk.gate.exposures.cash == -100 * 99_000 + 40 * 101_000
    desk.report("broken", 1, match_number=7)
    assert desk.gate.exposures.cash == 40 * 101_000
    assert desk.gate.exposures.net_position_notional == -40 * 101_000


def test_credit_counts_what_was_paid_and_open_buys_and_alerts_above_seventy_percent():
    desk = desk_with("credit_limit", maximum_credit=1_000 * 100_000)
    desk.execute(desk.live(BUY, 400), 400)
    desk.new(BUY, 300)
    assert desk.gate.daily_totals()["credit_alerts"] == 0
    assert refused(desk, quantity=301) == "credit_limit"
    desk.new(BUY, 1, symbol_index=1)
    assert desk.gate.daily_totals()["credit_alerts"] == 1
    desk.new(SELL, 1_000, 101_000, symbol_index=1)
    assert desk.gate.daily_totals()["credit_alerts"] == 1


def test_unacknowledged_orders_are_those_without_an_answer():
    desk = desk_with("unacknowledged_orders", maximum_unacknowledged_orders=2)
    first, second = desk.new(), desk.new()
    assert refused(desk) == "unacknowledged_orders"
    desk.accept(first)
    assert desk.gate.exposures.unacknowledged_orders == 1
    third = desk.replace(first, 100)
    assert refused(desk) == "unacknowledged_orders"
    desk.replaced(first, third, 100)
    desk.report("rejected", second, reason=1)
    assert desk.gate.exposures.unacknowledged_orders == 0
    desk.new()


def test_open_orders_count_replaces_in_flight():
    desk = desk_with("open_orders", maximum_open_orders=2)
    number = desk.live()
    desk.replace(number, 100)
    assert refused(desk) == "open_orders"


def test_rates_have_a_bucket_for_each_session_symbol_and_strategy():
    desk = Desk(venues=2)
    limits = {
        f"{kind}message_{name}": value
        for kind in ("", "symbol_", "strategy_")
        for name, value in (("rate_per_second", 1_000), ("burst", 2))
    }
    names = ("message_rate", "symbol_message_rate", "strategy_message_rate")
    desk.gate.set_limits(None, replace(LIMITS, enabled_checks=checks(*names), **limits), 2)
    desk.new(venue=0, symbol_index=0, strategy_id=0)
    desk.new(venue=0, symbol_index=1, strategy_id=1)
    assert refused(desk, venue=0, symbol_index=0, strategy_id=0) == "message_rate"
    desk.new(venue=1, symbol_index=0, strategy_id=1)
    assert refused(desk, venue=1, symbol_index=0, strategy_id=0) == "symbol_message_rate"
    assert refused(desk, venue=1, symbol_index=1, strategy_id=1) == "strategy_message_rate"
    desk.new(venue=1, symbol_index=1, strategy_id=0)
    top = {**TOP, "updated_ns": NOW + 10**6}
    desk.gate.set_top(0, top)
    desk.new(venue=0, symbol_index=0, strategy_id=0, t_ns=NOW + 10**6)


def test_executions_of_a_strategy_are_limited_until_it_is_released():
    desk = desk_with("repeated_execution", maximum_executions=2)
    for _ in range(2):
        number = desk.new(strategy_id=5)
        desk.accept(number)
        desk.execute(number, 100)
    assert refused(desk, strategy_id=5) == "repeated_execution"
    assert desk.gate.exposures.strategy_executions(5) == 2
    desk.new(strategy_id=6)
    desk.gate.release_strategy(5)
    desk.new(strategy_id=5)


def test_messages_for_executions():
    desk = desk_with("order_to_trade_ratio", order_to_trade_floor=3, order_to_trade_ratio=2)
    first = desk.live()
    desk.cancel(first, 50)
    desk.new()
    assert refused(desk) == "order_to_trade_ratio"
    desk.cancel(first)  # cancels pass, and count
    desk.execute(first, 100)
    desk.new()
    assert refused(desk) == "order_to_trade_ratio"
    desk.gate.start_day()
    desk.new()


def test_what_was_not_sent_uses_nothing_up():
    desk = desk_with("daily_quantity", maximum_daily_quantity_shares=100, maximum_credit=10)
    desk.channels[0].is_open = False
    before = desk.gate.daily_totals()
    assert refused(desk) == "order_entry_down"
    assert desk.gate.daily_totals() == before
    desk.channels[0].is_open = True
    desk.new()
    assert desk.submit(CANCEL, user_ref_num=1) == 1


def test_widest_limits_refuse_nothing():
    assert isinstance(widest_limits(), Limits)
    desk = Desk()
    everything = ALL_CHECKS & ~checks("price_band", "short_sale_mark")
    desk.gate.set_limits(None, widest_limits(everything), 2)
    desk.gate.set_top(0, {"short_sale_state": ord("0")})
    for side in (BUY, SHORT, EXEMPT):
        desk.new(side, 999_999, 100_000 if side == BUY else 100_001)
