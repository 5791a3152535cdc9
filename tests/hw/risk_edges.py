# SPDX-License-Identifier: Apache-2.0
"""For each reason of the risk gate: bring a case to the edge where it refuses, or just not yet."""

from __future__ import annotations

from collections.abc import Callable

from risk_support import HIGHEST, ORDERS, SYMBOLS, Case

from host.risk.reference_checks import credit_in_use, worst_position
from host.risk.reference_request import BUY
from nic.offload.enumerations import MARKET_PHASE, ORDER_TYPE

Edge = Callable[[Case], None]


def limit(name: str, measure) -> Edge:
    """Put a limit next to what it is held against."""

    def edge(case: Case) -> None:
        case.values[name] = case.near(measure(case.situation()), name)

    return edge


def set_limit(name: str, *values: int) -> Edge:
    """Give a limit one of these values."""

    def edge(case: Case) -> None:
        case.values[name] = case.rng.choice(values)

    return edge


def set_request(name: str, *values: int) -> Edge:
    """Ask for something else."""
    return lambda case: setattr(case.request, name, case.rng.choice(values))


def top(**choices: tuple) -> Edge:
    """Change the symbol's market; a callable gets the case."""

    def edge(case: Case) -> None:
        request = case.request
        case.gate.resolve(request)
        for name, values in choices.items():
            value = case.rng.choice(values)
            number = value(case) if callable(value) else value
            setattr(case.gate.tops[request.symbol_index], name, number)

    return edge


def killed(scope: str) -> Edge:
    """Kill what the request is of, or its neighbour."""

    def edge(case: Case) -> None:
        case.gate.resolve(case.request)
        key = {"session": "venue", "strategy": "strategy_id", "symbol": "symbol_index"}.get(scope)
        number = getattr(case.request, key) if key else None
        if key and case.rng.random() < 0.4:
            number = (number + 1) % 4
        case.gate.switches.on.add((scope, number))

    return edge


def beyond(reference: Callable[[Case], int]) -> Callable[[Case], int]:
    """How far the price lies beyond a reference."""

    def distance(case: Case) -> int:
        return (case.request.price - reference(case)) * case.request.direction

    return distance


def collar(name: str, field: Callable[[Case], str]) -> Edge:
    """Both measures of a collar next to the price's distance."""

    def edge(case: Case) -> None:
        case.gate.resolve(case.request)
        market = case.gate.tops[case.request.symbol_index]
        chosen = field(case)
        if case.rng.random() < 0.3:
            setattr(market, chosen, 0)
        reference = getattr(market, chosen)
        distance = max((case.request.price - reference) * case.request.direction, 0)
        units, points = f"collar_{name}_price_units", f"collar_{name}_basis_points"
        case.values[units] = case.near(distance, units) if case.rng.random() < 0.7 else 0
        exact = distance * 10_000 // reference if reference else 5
        case.values[points] = case.near(min(exact, HIGHEST[points]), points)

    return edge


def opposite(case: Case) -> str:
    """The best price that a request is held against."""
    return "ask_price" if case.request.side == BUY else "bid_price"


def own_price(case: Case) -> int:
    return min(max(case.request.price + case.rng.choice((-1, 0, 1)), 0), HIGHEST_PRICE)


HIGHEST_PRICE = (1 << 31) - 1


def bucket(kind: str, key: str, prefix: str) -> Edge:
    """A bucket that is nearly, or quite, empty, or closed."""

    def edge(case: Case) -> None:
        case.gate.resolve(case.request)
        rate, burst = case.rng.choice(((1_000, 3), (1_000, 3), (0, 3), (7, 0), (999_999, 65_535)))
        case.values[f"{prefix}message_rate_per_second"] = rate
        case.values[f"{prefix}message_burst"] = burst
        ahead = max(burst - 1, 0) * (-(-(10**9) // rate) if rate else 0)
        buckets = getattr(case.gate, f"{kind}_buckets")
        next_ns = case.t_ns + ahead + case.rng.choice((-1, 0, 1))
        buckets.next_ns[getattr(case.request, key)] = next_ns

    return edge


def full_table(case: Case) -> None:
    orders = case.gate.exposures.orders
    source = next(iter(orders.values()), None)
    while source and len(orders) < ORDERS - case.rng.randrange(2):
        orders[max(orders) + 1] = source


def duplicate(case: Case) -> None:
    window = case.rng.choice((0, 1, 1_000, 10**9))
    case.values["duplicate_window_ns"] = window
    case.gate.recent.remember(case.request, case.t_ns - window + case.rng.choice((-1, 0, 1, 5)))


def no_limits(case: Case) -> None:
    case.values = {}


def net(s) -> int:
    side, state = s.request.side, s.exposures
    direction = s.request.direction
    return (
        state.net_position_notional * direction + state.total_notional(side)
        + s.change.notional_added
    )  # fmt: skip


def gross(s) -> int:
    return s.exposures.gross_notional + s.change.notional_added


def lost(s) -> int:
    return -(s.exposures.cash + s.exposures.net_position_notional)


def stale(case: Case) -> None:
    case.gate.is_stale = True


def session_down(case: Case) -> None:
    case.gate.resolve(case.request)
    case.gate.sessions_up.discard(case.request.venue)


def heartbeat(case: Case) -> None:
    case.values["heartbeat_timeout_ns"] = 10
    case.gate.switches.heartbeat_ns = case.rng.choice((0, case.t_ns))
    if case.rng.random() < 0.3:
        case.gate.switches.on.add(("heartbeat", None))


def grid(name: str, attribute: str, largest: int) -> Edge:
    """A divisor of what is asked for, or not."""

    def edge(case: Case) -> None:
        value = max(getattr(case.situation().change, attribute, 0) or case.request.price, 1)
        divisors = [d for d in (1, 2, 3, 5, 7, 10, 50, 96, 100, 256, 4_097) if d <= largest]
        fitting = [d for d in divisors if value % d == 0]
        choices = [*divisors, *fitting, *fitting, 0, min(value, largest)]
        case.values[name] = case.rng.choice(choices)
        if name == "tick_size_price_units":
            case.values["tick_size_from_price"] = case.rng.choice(
                (0, case.request.price, min(case.request.price + 1, HIGHEST_PRICE))
            )

    return edge


EDGES: dict[str, Edge] = {
    "no_limits_set": no_limits,
    "kill_global": killed("global"),
    "heartbeat_lost": heartbeat,
    "kill_session": killed("session"),
    "kill_strategy": killed("strategy"),
    "kill_symbol": killed("symbol"),
    "order_entry_down": session_down,
    "invalid_request": lambda case: case.rng.choice(
        (
            set_request("action", 3),
            set_request("quantity", 0, 999_999, 1_000_000, (1 << 20) - 1),
            set_request("price", 0, HIGHEST_PRICE),
            set_request("time_in_force", 0, ord("6")),
            set_request("side", 0, ord("A")),
        )
    )(case),
    "unknown_symbol": set_request("symbol_index", SYMBOLS, SYMBOLS - 1),
    "unknown_order": set_request("user_ref_num", 99, 0),
    "order_busy": lambda case: None,
    "replace_below_executed": lambda case: None,
    "order_table_full": full_table,
    "symbol_restricted": set_limit("is_restricted", 1),
    "symbol_not_allowed": set_limit("is_allowed", 0),
    "order_type_not_allowed": lambda case: case.values.update(
        allowed_order_types=0xFF ^ 1 << case.rng.randrange(ORDER_TYPE.count)
    ),
    "market_phase": lambda case: (
        setattr(case.gate, "phase", case.rng.randrange(MARKET_PHASE.count)),
        case.values.update(allowed_phases=case.rng.getrandbits(5)),
    ),
    "symbol_not_clean": top(book_state=(0, 1, 2)),
    "feed_stale": stale,
    "symbol_halted": top(trading_state=(ord("T"), ord("H"), 0), operational_halt=(0, 0, 1)),
    "market_crossed": top(
        bid_price=(lambda c: c.gate.tops[c.request.symbol_index].ask_price, 0, 1),
        ask_price=(lambda c: c.gate.tops[c.request.symbol_index].ask_price, 0, 1),
    ),
    "price_band": top(
        band_lower_price=(own_price, own_price, 0), band_upper_price=(own_price, own_price, 0)
    ),
    "minimum_quantity": limit("minimum_quantity_shares", lambda s: s.change.leaves),
    "lot_size": grid("lot_size_shares", "leaves", HIGHEST["lot_size_shares"]),
    "tick_size": grid("tick_size_price_units", "", HIGHEST["tick_size_price_units"]),
    "maximum_quantity": limit("maximum_quantity_shares", lambda s: s.change.leaves),
    "maximum_notional": limit("maximum_notional", lambda s: s.change.notional),
    "average_daily_volume": limit("average_daily_volume_bound_shares", lambda s: s.change.leaves),
    "no_fresh_reference": lambda case: (
        top(updated_ns=(lambda c: c.t_ns + c.rng.choice((-100, -1, 0, 1)),))(case),
        case.values.update(reference_age_limit_ns=case.rng.choice((0, 1, 99, 100))),
        top(last_price=(0, own_price, own_price))(case),
    ),
    "collar_best_price": collar("best", opposite),
    "collar_last_trade": collar("last", lambda case: "last_price"),
    "short_sale_mark": lambda case: None,
    "short_sale_locate": limit("short_sale_locate_shares", worst_position),
    "short_sale_restricted": top(
        short_sale_state=(ord("0"), ord("1"), 0), bid_price=(own_price, own_price, 0)
    ),
    "maximum_long_position": limit("maximum_long_position_shares", worst_position),
    "maximum_short_position": limit("maximum_short_position_shares", worst_position),
    "gross_notional": limit("maximum_gross_notional", gross),
    "net_notional": limit("maximum_net_notional", net),
    "daily_quantity": limit(
        "maximum_daily_quantity_shares",
        lambda s: s.totals.daily_shares + s.change.shares_added,
    ),
    "daily_notional": limit(
        "maximum_daily_notional", lambda s: s.totals.daily_notional + s.change.notional_added
    ),
    "loss_limit": limit("maximum_loss", lost),
    "credit_limit": limit("maximum_credit", credit_in_use),
    "open_orders": limit("maximum_open_orders", lambda s: len(s.exposures.orders)),
    "unacknowledged_orders": limit(
        "maximum_unacknowledged_orders", lambda s: s.exposures.unacknowledged_orders
    ),
    "message_rate": bucket("session", "venue", ""),
    "symbol_message_rate": bucket("symbol", "symbol_index", "symbol_"),
    "strategy_message_rate": bucket("strategy", "strategy_id", "strategy_"),
    "repeated_execution": limit(
        "maximum_executions",
        lambda s: s.exposures.strategy_executions.get(s.request.strategy_id, 0),
    ),
    "order_to_trade_ratio": lambda case: (
        set_limit("order_to_trade_ratio", 0, 1, 2)(case),
        limit("order_to_trade_floor", lambda s: max(s.totals.messages - s.exposures.executions, 0))(
            case
        ),
    ),
    "duplicate_order": duplicate,
    "self_trade": lambda case: None,
}
