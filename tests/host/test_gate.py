# SPDX-License-Identifier: Apache-2.0
"""Each check of the gate at its edge, what always passes, kills, limits, and the record."""

from dataclasses import fields, replace

import pytest
from oms_support import BUY, CANCEL, KEY, LIMITS, NEW, NOW, REPLACE, SELL, TOP, Desk

from host.ipc.ring import Ring
from host.journal.journal import Journal
from host.journal.record import Record
from host.risk.gate import RiskGate
from host.risk.seal import Seal, SealChecker
from nic.offload.enumerations import ALL_CHECKS, LIMIT, RISK, checks
from nic.offload.limits import Limits

CLOSED = Limits(**dict.fromkeys(LIMIT.names, 0) | {"enabled_checks": ALL_CHECKS})
"""Every check is made, and every limit at its tightest."""


def desk_with(**limits):
    desk = Desk()
    desk.gate.set_limits(None, replace(LIMITS, **limits), 2)
    return desk


def refused(desk, action=NEW, **request):
    values = {"side": BUY, "quantity": 100, "price": 100_000, **request}
    number = desk.submit(action, **values)
    assert number == 0, f"passed as {number}"
    return desk.gate.last_reason_name


def test_nothing_passes_before_the_default_limits():
    gate = RiskGate(1, 4, Seal(KEY))
    gate.set_session_up(0, True)
    gate.set_top(0, TOP)
    assert gate.submit_order(action=NEW, t_ns=NOW, quantity=1, price=100_000) == 0
    assert gate.last_reason_name == "no_limits_set"
    with pytest.raises(ValueError, match="default limits come first"):
        gate.set_limits(0, LIMITS, 1)
    gate.set_limits(None, LIMITS, 1)
    assert gate.submit_order(action=NEW, t_ns=NOW, quantity=1, price=100_000) == 1


def test_limits_are_taken_in_sequence_and_as_a_whole():
    desk = Desk()
    desk.gate.set_limits(0, replace(LIMITS, maximum_quantity_shares=50), 5)
    for late in (4, 5):
        with pytest.raises(ValueError, match=f"limits {late} came after 5"):
            desk.gate.set_limits(None, LIMITS, late)
    assert desk.gate.limits_sequence_number == 5
    assert refused(desk) == "maximum_quantity"
    desk.new(symbol_index=1)
    desk.gate.set_limits(None, replace(LIMITS, maximum_quantity_shares=20), 6)
    assert desk.gate.limits(0).maximum_quantity_shares == 50
    assert desk.gate.limits(1).maximum_quantity_shares == 20
    assert refused(desk, quantity=51) == "maximum_quantity"
    assert refused(desk, symbol_index=1, quantity=21) == "maximum_quantity"
    with pytest.raises(IndexError):
        desk.gate.set_limits(99, LIMITS, 7)
    with pytest.raises(TypeError):
        desk.gate.set_limits(None, {}, 7)


@pytest.mark.parametrize("entry", fields(Limits), ids=lambda entry: entry.name)
def test_every_limit_fits_its_width(entry):
    top = (1 << entry.metadata["bits"]) - 1
    assert getattr(replace(LIMITS, **{entry.name: top}), entry.name) == top
    for bad in (-1, top + 1):
        with pytest.raises(ValueError, match=entry.name):
            replace(LIMITS, **{entry.name: bad})
    with pytest.raises(TypeError, match=entry.name):
        replace(LIMITS, **{entry.name: 1.0})


def test_the_limit_numbers_are_the_order_of_the_values():
    nothing = replace(CLOSED, enabled_checks=0)
    for name in LIMIT.names:
        values = replace(nothing, **{name: 1}).values()
        assert [i for i, value in enumerate(values) if value] == [LIMIT.value(name)]


def test_session_and_table():
    desk = Desk(open_orders=2, capacity=4)
    desk.gate.set_session_up(0, False)
    assert refused(desk) == "order_entry_down"
    assert refused(desk, venue=16) == "order_entry_down"
    desk.gate.set_session_up(0, True)
    desk.new()
    desk.new()
    assert refused(desk) == "order_table_full"


@pytest.mark.parametrize(
    "bad",
    [
        {"action": 3},
        {"side": ord("X")},
        {"quantity": 0},
        {"quantity": 1_000_000},
        {"price": 0},
        {"price": -1},
        {"price": 1 << 31},
        {"time_in_force": ord("6")},
        {"post_only": 2},
    ],
)
def test_invalid_requests(bad):
    assert refused(Desk(), **bad) == "invalid_request"


def test_unknown_symbol_and_order():
    desk = Desk()
    assert refused(desk, symbol_index=2) == "unknown_symbol"
    assert refused(desk, REPLACE, user_ref_num=5) == "unknown_order"
    assert refused(desk, CANCEL, user_ref_num=5) == "unknown_order"
    assert refused(desk, CANCEL) == "unknown_order"


@pytest.mark.parametrize(
    "top, reason",
    [
        ({"book_state": 1}, "symbol_not_clean"),
        ({"book_state": 2}, "symbol_not_clean"),
        ({"trading_state": ord("H")}, "symbol_halted"),
        ({"trading_state": 0}, "symbol_halted"),
        ({"operational_halt": 1}, "symbol_halted"),
        ({"ask_price": 0}, "no_fresh_reference"),
        ({"last_price": 0}, "no_fresh_reference"),
        ({"ask_price": 1 << 40}, "no_fresh_reference"),
        ({"updated_ns": NOW - 10**11 - 1}, "no_fresh_reference"),
        ({"updated_ns": NOW + 1}, "no_fresh_reference"),
    ],
)
def test_what_is_not_known_is_not_traded(top, reason):
    desk = Desk()
    desk.gate.set_top(0, {**TOP, **top})
    assert refused(desk) == reason
    desk.new(symbol_index=1)


def test_a_reference_as_old_as_allowed_is_fresh():
    desk = Desk()
    desk.gate.set_top(0, {**TOP, "updated_ns": NOW - 10**11})
    desk.new()


def test_only_the_opposite_side_is_needed():
    desk = Desk()
    desk.gate.set_top(0, {**TOP, "bid_price": 0})
    desk.new(BUY)
    assert refused(desk, side=SELL) == "no_fresh_reference"


def test_stale_feed():
    desk = Desk()
    desk.gate.set_feed_stale(True)
    assert refused(desk) == "feed_stale"
    desk.gate.set_feed_stale(False)
    desk.new()


def test_quantity_and_notional():
    desk = desk_with(maximum_quantity_shares=500, maximum_notional=300 * 100_000)
    assert refused(desk, quantity=501) == "maximum_quantity"
    assert refused(desk, quantity=500) == "maximum_notional"
    assert refused(desk, quantity=300, price=100_001) == "maximum_notional"
    desk.new(quantity=300)


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("which", ["best", "last"])
def test_collars(side, which):
    """100 basis points or 500 price units beyond the reference, the wider one; never inside."""
    open_, tight = (
        {"basis_points": 10_000, "price_units": 0},
        {
            "basis_points": 100,
            "price_units": 500,
        },
    )
    limits = {f"collar_{which}_{k}": v for k, v in tight.items()}
    other = "last" if which == "best" else "best"
    limits |= {f"collar_{other}_{k}": v for k, v in open_.items()}
    desk = desk_with(**limits, enabled_checks=LIMITS.enabled_checks & ~checks("market_crossed"))
    sign = 1 if side == BUY else -1
    reason = {"best": "collar_best_price", "last": "collar_last_trade"}[which]
    if which == "best":
        reference = TOP["ask_price"] if side == BUY else TOP["bid_price"]
    else:
        reference = TOP["last_price"]
    edge = reference + sign * (reference // 100)
    desk.new(side, price=edge)
    assert refused(desk, side=side, price=edge + sign) == reason
    desk.new(side, price=reference - sign * 90_000)
    low = {"bid_price": 2_000, "ask_price": 2_000, "last_price": 2_000}
    desk.gate.set_top(1, {**TOP, **low})
    desk.new(side, price=2_000 + sign * 500, symbol_index=1)
    assert refused(desk, side=side, price=2_000 + sign * 501, symbol_index=1) == reason


def test_worst_case_position_counts_open_orders_of_its_side():
    desk = desk_with(maximum_long_position_shares=300, maximum_short_position_shares=200)
    first = desk.live(BUY, 200, 99_000)
    assert refused(desk, quantity=101) == "maximum_long_position"
    desk.new(BUY, 100, 99_000)
    assert refused(desk, quantity=1) == "maximum_long_position"
    desk.execute(first, 200)
    assert refused(desk, quantity=1) == "maximum_long_position"
    # 200 long: 200 close, another 200 may be short
    assert refused(desk, side=SELL, quantity=401) == "maximum_short_position"
    desk.new(SELL, 400, 102_000)
    assert refused(desk, side=SELL, quantity=1, price=102_000) == "maximum_short_position"


def test_gross_notional_adds_open_orders_and_positions_of_all_symbols():
    desk = desk_with(maximum_gross_notional=300 * 100_000)
    filled = desk.live(BUY, 100, 100_000)
    desk.execute(filled, 100, 100_000)
    assert desk.gate.exposures.gross_notional == 100 * 100_000
    desk.new(SELL, 100, 100_000, symbol_index=1)
    assert desk.gate.exposures.gross_notional == 200 * 100_000
    assert refused(desk, quantity=101, symbol_index=1, price=99_999) == "gross_notional"
    desk.new(BUY, 100, 99_999, symbol_index=1)


def test_message_rate_is_a_token_bucket():
    desk = desk_with(message_rate_per_second=1_000, message_burst=3)
    for _ in range(3):
        desk.new()
    assert refused(desk) == "message_rate"
    assert refused(desk, t_ns=NOW + 999_999) == "message_rate"
    desk.new(t_ns=NOW + 1_000_000)
    assert refused(desk, t_ns=NOW + 1_000_000) == "message_rate"
    for _ in range(3):
        desk.new(t_ns=NOW + 10**9)
    assert refused(desk, t_ns=NOW + 10**9) == "message_rate"


def test_a_clock_that_went_back_refuses_rather_than_passes():
    desk = desk_with(message_rate_per_second=1_000, message_burst=3)
    for _ in range(3):
        desk.new()
    desk.gate.set_top(0, {**TOP, "updated_ns": NOW - 10**9})
    assert refused(desk, t_ns=NOW - 10**9) == "message_rate"


def test_duplicates_within_the_window():
    desk = desk_with(duplicate_window_ns=1_000)
    desk.new(price=99_000)
    assert refused(desk, price=99_000) == "duplicate_order"
    assert refused(desk, price=99_000, t_ns=NOW + 999) == "duplicate_order"
    for other in (
        {"price": 99_001},
        {"quantity": 99, "price": 99_000},
        {"strategy_id": 1, "price": 99_000},
        {"symbol_index": 1, "price": 99_000},
    ):
        desk.new(**other)
    desk.new(SELL, price=99_500)
    desk.new(price=99_000, t_ns=NOW + 1_000)
    assert refused(desk, price=99_000, t_ns=NOW + 1_001) == "duplicate_order"


def test_an_order_that_was_not_sent_has_no_duplicate_and_costs_no_token():
    desk = desk_with(duplicate_window_ns=1_000, message_rate_per_second=1, message_burst=1)
    desk.channels[0].is_open = False
    assert refused(desk) == "order_entry_down"
    desk.channels[0].is_open = True
    desk.new()
    assert refused(desk, quantity=1) == "message_rate"


@pytest.mark.parametrize("side", [BUY, SELL])
def test_no_trade_with_oneself(side):
    desk = Desk()
    other = SELL if side == BUY else BUY
    sign = 1 if side == BUY else -1
    resting = desk.live(other, price=100_500)
    desk.live(other, price=100_500 + sign * 300)
    assert refused(desk, side=side, price=100_500) == "self_trade"
    desk.new(side, price=100_500 - sign)
    desk.report("canceled", resting, quantity=100)
    desk.new(side, price=100_500)
    assert refused(desk, side=side, price=100_500 + sign * 300) == "self_trade"


def test_a_replace_in_flight_may_rest_at_either_price():
    desk = Desk()
    number = desk.live(SELL, price=101_000)
    new = desk.replace(number, 100, price=100_400)
    assert refused(desk, price=100_400) == "self_trade"
    desk.report("rejected", new, reason=1)
    desk.new(price=100_400)


def test_a_replace_is_measured_by_what_it_adds():
    desk = desk_with(maximum_long_position_shares=500, maximum_gross_notional=500 * 100_000)
    number = desk.live(BUY, 400)
    assert refused(desk, REPLACE, user_ref_num=number, quantity=501) == "maximum_long_position"
    assert (
        refused(desk, REPLACE, user_ref_num=number, quantity=500, price=100_001) == "gross_notional"
    )
    new = desk.replace(number, 500)
    assert desk.gate.exposures.gross_notional == 500 * 100_000
    desk.replaced(number, new, 500)
    desk.execute(new, 300)
    assert refused(desk, REPLACE, user_ref_num=new, quantity=300) == "replace_below_executed"


def test_a_replace_takes_symbol_side_strategy_and_venue_from_its_order():
    desk = Desk(venues=2)
    number = desk.new(SELL, symbol_index=1, strategy_id=9, venue=1)
    desk.report("accepted", number, venue=1, quantity=100, price=100_000, order_state=ord("L"))
    desk.gate.kill("strategy", 9)
    assert refused(desk, REPLACE, user_ref_num=number, quantity=200, side=BUY) == "kill_strategy"
    desk.submit(CANCEL, user_ref_num=number, venue=0)
    sent = desk.channels[1].sent()[-1]
    assert (sent["side"], sent["symbol_index"], sent["strategy_id"]) == (SELL, 1, 9)


CLOSED_MARKET = {**TOP, "book_state": 1, "trading_state": ord("H"), "last_price": 0, "ask_price": 0}


def closing_desk():
    """300 long, everything about the market unknown, every limit at its tightest."""
    desk = Desk()
    desk.execute(desk.live(BUY, 300), 300)
    desk.gate.set_feed_stale(True)
    desk.gate.set_top(0, CLOSED_MARKET)
    desk.gate.set_limits(None, CLOSED, 2)
    return desk


def test_what_reduces_risk_passes_every_check_but_the_first():
    desk = closing_desk()
    first = desk.new(SELL, 200, 50_000)
    desk.new(SELL, 100, 50_000)
    assert refused(desk, side=SELL, quantity=1) == "symbol_not_allowed"
    assert refused(desk, side=BUY, quantity=1) == "symbol_not_allowed"
    desk.accept(first, 200, 50_000)
    # less, and no nearer to the market
    assert refused(desk, REPLACE, user_ref_num=first, quantity=201, price=50_000) == (
        "symbol_not_allowed"
    )
    desk.replace(first, 150, price=50_000)


@pytest.mark.parametrize(
    "scope, number", [("global", None), ("session", 0), ("strategy", 0), ("symbol", 0)]
)
def test_a_kill_stops_all_but_cancels(scope, number):
    desk = closing_desk()
    live = desk.new(SELL, 100, 50_000)
    desk.gate.kill(scope, number)
    assert refused(desk, side=SELL) == f"kill_{scope}"
    assert refused(desk, REPLACE, user_ref_num=live, quantity=50) == f"kill_{scope}"
    desk.cancel(live)
    with pytest.raises(RuntimeError, match="not armed"):
        desk.gate.reset_kill(scope, number)
    desk.gate.arm_reset(scope, number)
    desk.gate.kill("strategy", 5)
    with pytest.raises(RuntimeError, match="not armed"):
        desk.gate.reset_kill(scope, number)
    desk.gate.arm_reset(scope, number)
    assert refused(desk, side=SELL) == f"kill_{scope}"
    desk.gate.reset_kill(scope, number)
    assert desk.gate.kills() == {
        "global": False,
        "heartbeat": False,
        "session": [],
        "strategy": [5],
        "symbol": [],
    }
    desk.new(SELL, 100, 50_000)


def test_kills_touch_only_what_they_name():
    desk = Desk()
    desk.gate.kill("strategy", 3)
    desk.gate.kill("symbol", 1)
    desk.new(strategy_id=2, symbol_index=0)
    assert refused(desk, strategy_id=3) == "kill_strategy"
    assert refused(desk, symbol_index=1) == "kill_symbol"


@pytest.mark.parametrize(
    "scope, number, error",
    [
        ("everything", None, ValueError),
        ("symbol", None, ValueError),
        ("global", 1, ValueError),
        ("heartbeat", None, ValueError),
        ("session", 16, IndexError),
        ("symbol", 2, IndexError),
        ("strategy", 1 << 16, IndexError),
        ("strategy", -1, IndexError),
    ],
)
def test_what_cannot_be_killed(scope, number, error):
    with pytest.raises(error):
        Desk().gate.kill(scope, number)


def test_cancels_pass_while_everything_else_is_refused():
    desk = Desk()
    live = desk.live()
    desk.gate.set_feed_stale(True)
    desk.gate.set_top(0, CLOSED_MARKET)
    desk.gate.set_limits(None, CLOSED, 2)
    desk.gate.kill()
    desk.cancel(live)
    desk.cancel(live, quantity=50)


def test_closing_through_an_own_order_is_no_reduction():
    desk = Desk()
    desk.execute(desk.live(BUY, 300), 300)
    desk.live(BUY, 100, 99_500)
    assert refused(desk, side=SELL, price=99_500) == "self_trade"
    desk.new(SELL, 100, 99_501)


def test_every_pass_is_sealed_and_numbered_without_holes():
    desk = Desk()
    for _ in range(3):
        desk.new()
        refused(desk, quantity=0)
    desk.oms.cancel_all(NOW)
    sent = desk.channels[0].sent()
    assert [order["pass_number"] for order in sent] == list(range(1, 7))
    assert len({order["seal"] for order in sent}) == 6
    assert desk.gate.passes == desk.gate.counters()["passed"] == 6


def test_the_seal_fits_the_order_that_the_channel_got():
    desk = Desk()
    desk.new(SELL, 300, 100_700, strategy_id=7, symbol_index=1)
    sent = desk.channels[0].sent()[0]
    names = (
        "pass_number",
        "action",
        "side",
        "quantity",
        "price",
        "strategy_id",
        "venue",
        "symbol_index",
    )
    again = Seal(KEY).passed_order(**{name: sent[name] for name in names})
    assert SealChecker(KEY).is_valid(again)
    assert int.from_bytes(again[-8:], "little") == sent["seal"]
    assert not SealChecker(KEY + 2).is_valid(again)


def test_refusals_are_recorded_with_their_reason():
    journal = Journal(Ring(1 << 16))
    gate = RiskGate(1, 4, Seal(KEY), recorder=journal)
    gate.set_top(0, {**TOP, "symbol": int.from_bytes(b"ABC     ", "little")})
    gate.submit_order(action=NEW, t_ns=NOW, side=SELL, quantity=70, price=123, strategy_id=4)
    kind, t_ns, sequence, body = journal.ring.take()
    found = Record(kind, t_ns, sequence, body).fields
    assert t_ns == NOW
    assert found["reason"] == RISK.value("no_limits_set")
    assert (found["quantity"], found["price"], found["strategy_id"]) == (70, 123, 4)
    assert (found["trace_line"], found["symbol"]) == (0xFFFF, b"ABC     ")
    assert journal.ring.take() is None


def test_sizes_must_fit():
    with pytest.raises(ValueError, match="power of two"):
        RiskGate(1, 3, Seal(KEY))
    with pytest.raises(ValueError, match="at least 1"):
        RiskGate(0, 4, Seal(KEY))
    with pytest.raises(TypeError):
        RiskGate(1, 4, None)
    with pytest.raises(IndexError):
        RiskGate(1, 4, Seal(KEY)).set_top(1, TOP)
