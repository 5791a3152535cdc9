# SPDX-License-Identifier: Apache-2.0
"""The checks against new risk, in the order of the table RISK, as a specification in plain Python.

Each function yields the names of the checks that refuse, whether they are enabled or not; the gate
takes the first one that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from host.risk.reference_exposure import ReferenceExposures
from host.risk.reference_recent import ReferenceBuckets, ReferenceRecent
from host.risk.reference_request import (
    BUY,
    NEW,
    SELL,
    SELL_SHORT,
    TRADING,
    UNRESTRICTED,
    Change,
    ReferenceTop,
    Request,
    is_there,
)
from nic.offload import derived
from nic.offload.enumerations import GATE, RISK
from nic.offload.limits import Limits

BASIS_POINTS = GATE.value("basis_points")


@dataclass(slots=True)
class Totals:
    """What the gate counted of the messages that passed."""

    daily_shares: int = 0
    """Shares added by orders and replaces since the start of the day; never given back."""
    daily_notional: int = 0
    messages: int = 0
    """Orders, replaces and cancels since the start of the day."""
    credit_alerts: int = 0
    """Buys that passed and left more than 70 % of the credit limit in use."""


@dataclass(slots=True)
class Situation:
    """Everything that the checks of one request look at."""

    request: Request
    change: Change
    t_ns: int
    top: ReferenceTop
    limits: Limits
    """In force for the symbol."""
    gate_limits: Limits
    """The default set."""
    market_phase: int
    is_stale: bool
    exposures: ReferenceExposures
    totals: Totals
    recent: ReferenceRecent
    sessions: ReferenceBuckets
    symbols: ReferenceBuckets
    strategies: ReferenceBuckets


def refusals(s: Situation) -> Iterator[str]:
    """Names of all checks against new risk that refuse, in the order of the table."""
    yield from permission(s)
    yield from market(s)
    yield from size(s)
    yield from collars(s)
    yield from short_sale(s)
    yield from position(s)
    yield from money(s)
    yield from flow(s)


def permission(s: Situation) -> Iterator[str]:
    """What may be traded at all, how, and when."""
    if s.limits.is_restricted:
        yield "symbol_restricted"
    if not s.limits.is_allowed:
        yield "symbol_not_allowed"
    if s.request.order_types() & ~s.limits.allowed_order_types:
        yield "order_type_not_allowed"
    if not s.limits.allowed_phases >> s.market_phase & 1:
        yield "market_phase"


def market(s: Situation) -> Iterator[str]:
    """Book, feed, trading state and bands: nothing new is risked on what is not known."""
    if s.top.book_state != 0:
        yield "symbol_not_clean"
    if s.is_stale:
        yield "feed_stale"
    if s.top.trading_state != TRADING or s.top.operational_halt:
        yield "symbol_halted"
    bid, ask = s.top.bid_price, s.top.ask_price
    if is_there(bid) and is_there(ask) and bid >= ask:
        yield "market_crossed"
    band = s.top.band_upper_price if s.request.side == BUY else s.top.band_lower_price
    if not is_there(band) or (s.request.price - band) * s.request.direction > 0:
        yield "price_band"


def size(s: Situation) -> Iterator[str]:
    """What one order may leave open, and its price's grid."""
    limits, leaves, price = s.limits, s.change.leaves, s.request.price
    if leaves < limits.minimum_quantity_shares:
        yield "minimum_quantity"
    if limits.lot_size_shares == 0 or leaves % limits.lot_size_shares:
        yield "lot_size"
    tick = limits.tick_size_price_units
    if price >= limits.tick_size_from_price and (tick == 0 or price % tick):
        yield "tick_size"
    if leaves > limits.maximum_quantity_shares:
        yield "maximum_quantity"
    if s.change.notional > limits.maximum_notional:
        yield "maximum_notional"
    if leaves > limits.average_daily_volume_bound_shares:
        yield "average_daily_volume"


def is_beyond(s: Situation, reference: int, basis_points: int, units: int) -> bool:
    """Whether the price goes beyond its reference by more than both measures; so without one."""
    beyond = (s.request.price - reference) * s.request.direction
    return not is_there(reference) or (
        beyond > units and beyond * BASIS_POINTS > reference * basis_points
    )


def collars(s: Situation) -> Iterator[str]:
    """How far the price goes beyond the opposite best price, then beyond the last trade."""
    limits = s.limits
    best = s.top.ask_price if s.request.side == BUY else s.top.bid_price
    last = s.top.last_price
    is_fresh = 0 <= s.t_ns - s.top.updated_ns <= limits.reference_age_limit_ns
    if not (is_there(best) and is_there(last) and is_fresh):
        yield "no_fresh_reference"
    if is_beyond(s, best, limits.collar_best_basis_points, limits.collar_best_price_units):
        yield "collar_best_price"
    if is_beyond(s, last, limits.collar_last_basis_points, limits.collar_last_price_units):
        yield "collar_last_trade"


def worst_position(s: Situation) -> int:
    """Size of the position on the request's side if every open order of that side filled."""
    index, side = s.request.symbol_index, s.request.side
    shares = s.exposures.open_shares(index, side) + s.change.shares_added
    return shares + s.exposures.symbols[index].position * s.request.direction


def short_sale(s: Situation) -> Iterator[str]:
    """Regulation SHO: what is marked long is owned; what is sold short is located, and not low."""
    side = s.request.side
    if side == SELL and s.change.shares_added and worst_position(s) > 0:
        yield "short_sale_mark"
    is_marked_short = side not in (BUY, SELL) and s.change.shares_added
    if is_marked_short and worst_position(s) > s.limits.short_sale_locate_shares:
        yield "short_sale_locate"
    is_low = not is_there(s.top.bid_price) or s.request.price <= s.top.bid_price
    if side == SELL_SHORT and s.top.short_sale_state != UNRESTRICTED and is_low:
        yield "short_sale_restricted"


def position(s: Situation) -> Iterator[str]:
    """Worst-case position of the side, where the request adds to it."""
    if s.change.shares_added and s.request.side == BUY:
        if worst_position(s) > s.limits.maximum_long_position_shares:
            yield "maximum_long_position"
    elif s.change.shares_added and worst_position(s) > s.limits.maximum_short_position_shares:
        yield "maximum_short_position"


def credit_in_use(s: Situation) -> int:
    """Cash that went out, and what open buys with this one may need."""
    paid = max(-s.exposures.cash, 0)
    return paid + s.exposures.total_notional(BUY) + s.change.notional_added


def money(s: Situation) -> Iterator[str]:
    """Sums over all symbols, where the request adds to them; and the loss."""
    limits, exposures, totals = s.gate_limits, s.exposures, s.totals
    added = s.change.notional_added
    side = s.request.side
    net = exposures.net_position_notional * s.request.direction + exposures.total_notional(side)
    if added and exposures.gross_notional + added > limits.maximum_gross_notional:
        yield "gross_notional"
    if added and net + added > limits.maximum_net_notional:
        yield "net_notional"
    shares_added = s.change.shares_added
    if shares_added and totals.daily_shares + shares_added > limits.maximum_daily_quantity_shares:
        yield "daily_quantity"
    if added and totals.daily_notional + added > limits.maximum_daily_notional:
        yield "daily_notional"
    if -(exposures.cash + exposures.net_position_notional) > limits.maximum_loss:
        yield "loss_limit"
    if added and side == BUY and credit_in_use(s) > limits.maximum_credit:
        yield "credit_limit"


def is_credit_alert(s: Situation) -> bool:
    """Whether a request that passes leaves more than 70 % of the credit limit in use."""
    is_enabled = s.limits.enabled_checks >> RISK.value("credit_limit") & 1
    if not is_enabled or s.request.side != BUY or not s.change.notional_added:
        return False
    return credit_in_use(s) > derived.credit_alert_above(s.gate_limits)


def flow(s: Situation) -> Iterator[str]:
    """How many and how fast; duplicates, and trades with oneself."""
    limits, request, t_ns = s.gate_limits, s.request, s.t_ns
    if len(s.exposures.orders) >= limits.maximum_open_orders:
        yield "open_orders"
    if s.exposures.unacknowledged_orders >= limits.maximum_unacknowledged_orders:
        yield "unacknowledged_orders"
    if not s.sessions.has_token(request.venue, derived.session_bucket(limits), t_ns):
        yield "message_rate"
    if not s.symbols.has_token(request.symbol_index, derived.symbol_bucket(s.limits), t_ns):
        yield "symbol_message_rate"
    if not s.strategies.has_token(request.strategy_id, derived.strategy_bucket(limits), t_ns):
        yield "strategy_message_rate"
    if s.exposures.strategy_executions.get(request.strategy_id, 0) >= limits.maximum_executions:
        yield "repeated_execution"
    allowed = limits.order_to_trade_floor + limits.order_to_trade_ratio * s.exposures.executions
    if s.totals.messages >= allowed:
        yield "order_to_trade_ratio"
    if request.action == NEW and s.recent.holds(request, t_ns, limits.duplicate_window_ns):
        yield "duplicate_order"
    if crosses_own(s.exposures, request):
        yield "self_trade"


def crosses_own(exposures: ReferenceExposures, request: Request) -> bool:
    """Whether the price reaches the best own open order of the other side."""
    other = SELL if request.side == BUY else BUY
    best = exposures.best_price(request.symbol_index, other)
    return best != 0 and (request.price - best) * request.direction >= 0
