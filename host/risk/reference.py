# SPDX-License-Identifier: Apache-2.0
"""The risk gate as a specification: small, plain Python, integers only.

The Cython gate (``host/risk/gate.pyx``) and the gate in gateware decide as this one does: the same
verdict, reason, counters and exposures after every step. Whoever changes one changes this first.
Times are nanoseconds below 2^63, prices integers with four implied decimals, quantities shares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from host.risk.reference_exposure import BUY, SELL, ReferenceExposures, ReferenceOrder
from nic.offload.enumerations import GATE, RISK
from nic.offload.limits import (
    MAXIMUM_PRICE,
    MAXIMUM_QUANTITY_SHARES,
    Limits,
    interval_ns,
    is_rate_closed,
    tolerance_ns,
)

NEW, REPLACE, CANCEL = 0, 1, 2
DAY, IOC = ord("0"), ord("3")
TRADING = ord("T")
VENUES = GATE.value("venues")
SET_BITS = GATE.value("duplicate_set_bits")
WAYS = GATE.value("duplicate_ways")
BASIS_POINTS = GATE.value("basis_points")


@dataclass(slots=True)
class Request:
    """An order request: the fields of ``OrderRequest`` in ``host/model.pxd``."""

    action: int
    side: int = BUY
    quantity: int = 0
    price: int = 0
    symbol_index: int = 0
    time_in_force: int = DAY
    post_only: int = 0
    strategy_id: int = 0
    venue: int = 0
    user_ref_num: int = 0
    parent: int = 0


@dataclass(slots=True)
class ReferenceTop:
    """What is known of a symbol: the fields of ``Top`` that the gate reads; 0 is an empty side."""

    bid_price: int = 0
    ask_price: int = 0
    last_price: int = 0
    updated_ns: int = 0
    trading_state: int = 0
    operational_halt: int = 0
    book_state: int = 0


@dataclass(slots=True)
class Recent:
    """A place in the table of orders that passed lately."""

    key: tuple[int, int] = (0, 0)
    passed_ns: int = 0


class ReferenceRecent:
    """Orders that passed lately: 2^10 sets of 4 ways."""

    def __init__(self) -> None:
        """Begin with empty places, which have passed at time 0."""
        self.sets = [[Recent() for _ in range(WAYS)] for _ in range(1 << SET_BITS)]

    @staticmethod
    def key(request: Request) -> tuple[int, int]:
        """What makes two orders the same: price, quantity and side; symbol and strategy."""
        terms = request.price | request.quantity << 31 | (request.side == SELL) << 51
        return terms, request.symbol_index | request.strategy_id << 32

    def ways(self, key: tuple[int, int]) -> list[Recent]:
        """The set of a key: an exclusive-or fold of 64 bits."""
        terms, origin = key
        fold = (terms ^ origin << 13 ^ origin >> 27) & (1 << 64) - 1
        fold ^= fold >> 32
        fold ^= fold >> 2 * SET_BITS
        fold ^= fold >> SET_BITS
        return self.sets[fold & (1 << SET_BITS) - 1]

    def holds(self, request: Request, t_ns: int, window_ns: int) -> bool:
        """Whether the same order passed less than the window before, or (clock went back) after."""
        key = self.key(request)
        found = [way for way in self.ways(key) if way.key == key]
        return bool(window_ns and found) and t_ns < found[0].passed_ns + window_ns

    def remember(self, request: Request, t_ns: int) -> Callable[[], None]:
        """The order passed; returns what undoes this.

        It takes the place of its like, else the way that passed longest ago, the lowest of equals.
        """
        key = self.key(request)
        ways = self.ways(key)
        index = next(
            (i for i, way in enumerate(ways) if way.key == key),
            min(range(WAYS), key=lambda i: (ways[i].passed_ns, i)),
        )
        evicted, ways[index] = ways[index], Recent(key, t_ns)

        def undo() -> None:
            ways[index] = evicted

        return undo


@dataclass(slots=True)
class Change:
    """What a request adds to the worst case, if it passes."""

    leaves: int
    notional: int
    shares_added: int
    notional_added: int
    is_smaller: bool = False


@dataclass(slots=True)
class ReferenceGate:
    """The gate. ``path`` gets the request as passed and returns its number, 0 when it can't send.

    Without a path the gate numbers orders by itself, from 1.
    """

    symbol_capacity: int
    order_capacity: int
    path: Callable[[Request, int], int] | None = None
    last_reason: int = 0
    passes: int = 0
    limits_sequence_number: int = 0
    stale: bool = False
    killed: bool = False
    next_number: int = 1
    rate_next_ns: int = 0
    path_reason: int = 0
    default: Limits | None = None
    strategies_killed: set[int] = field(default_factory=set)
    symbols_killed: set[int] = field(default_factory=set)
    sessions_up: set[int] = field(default_factory=set)
    symbol_limits: dict[int, Limits] = field(default_factory=dict)
    recent: ReferenceRecent = field(default_factory=ReferenceRecent)
    counts: list[int] = field(default_factory=lambda: [0] * RISK.count)
    tops: list[ReferenceTop] = field(init=False)
    exposures: ReferenceExposures = field(init=False)

    def __post_init__(self) -> None:
        """Make the tables."""
        self.tops = [ReferenceTop() for _ in range(self.symbol_capacity)]
        self.exposures = ReferenceExposures(self.symbol_capacity, self.order_capacity)

    def submit(self, request: Request, t_ns: int) -> int:
        """The number of the order that was sent (or cancelled), or 0; see ``last_reason``."""
        request = replace(request)
        reason = self.check(request, t_ns)
        if reason:
            return self.refuse(reason)
        rate_before, undo = self.rate_next_ns, None
        if request.action != CANCEL:
            self.take_token(t_ns)
        if request.action == NEW:
            undo = self.recent.remember(request, t_ns)
        self.passes += 1
        self.path_reason = RISK.value("order_entry_down")
        number = self.path(request, t_ns) if self.path else self.number(request)
        if not number:
            self.passes -= 1
            self.rate_next_ns = rate_before
            if undo:
                undo()
            return self.refuse(self.path_reason)
        self.last_reason = RISK.value("passed")
        self.counts[self.last_reason] += 1
        return number

    def refuse(self, reason: int) -> int:
        """Count a refusal."""
        self.last_reason = reason
        self.counts[reason] += 1
        return 0

    def number(self, request: Request) -> int:
        """Number an order without a path: the next number whose place in the table is free."""
        number = request.user_ref_num
        if request.action != CANCEL:
            while self.exposures.is_taken(self.next_number):
                self.next_number += 1
            number = self.next_number
            self.next_number += 1
        return number if self.exposures.on_opened(request, number) else 0

    def check(self, request: Request, t_ns: int) -> int:
        """The first reason against the request, in the order of the table RISK; 0 if none."""
        order = None
        if request.action in (REPLACE, CANCEL):
            order = self.exposures.orders.get(request.user_ref_num)
            if order:
                # whatever the request says: these are the order's
                request.symbol_index, request.side = order.symbol_index, order.side
                request.strategy_id, request.venue = order.strategy_id, order.venue
        if request.action == CANCEL:
            if request.venue not in self.sessions_up:
                return RISK.value("order_entry_down")
            return 0 if order else RISK.value("unknown_order")
        name = self.sendable(request, order)
        if name:
            return RISK.value(name)
        change = self.measure(request, order)
        if self.reduces(request, change):
            return 0
        name = (
            self.state(request)
            or self.size(request, change)
            or self.collars(request, t_ns)
            or self.exposure(request, change)
            or self.flow(request, t_ns)
        )
        return RISK.value(name) if name else 0

    def sendable(self, request: Request, order: ReferenceOrder | None) -> str:
        """What holds for every new order and replace, whether it reduces risk or not."""
        if self.default is None:
            return "no_limits_set"
        if self.killed:
            return "kill_global"
        if request.strategy_id in self.strategies_killed:
            return "kill_strategy"
        if request.symbol_index in self.symbols_killed:
            return "kill_symbol"
        if request.venue not in self.sessions_up:
            return "order_entry_down"
        if (
            request.action not in (NEW, REPLACE)
            or request.post_only not in (0, 1)
            or not 0 < request.quantity <= MAXIMUM_QUANTITY_SHARES
            or not 0 < request.price <= MAXIMUM_PRICE
            or request.time_in_force not in (DAY, IOC)
        ):
            return "invalid_request"
        if request.action == REPLACE:
            if not order:
                return "unknown_order"
            if order.pending or order.replaces or order.cancel_in_flight:
                return "order_busy"
            if request.quantity <= order.executed:
                return "replace_below_executed"
        elif request.side not in (BUY, SELL):
            return "invalid_request"
        elif request.symbol_index >= self.symbol_capacity:
            return "unknown_symbol"
        if len(self.exposures.orders) >= self.order_capacity:
            return "order_table_full"
        return ""

    def measure(self, request: Request, order: ReferenceOrder | None) -> Change:
        """What the worst case grows by: a new order by itself, a replace by what it asks more.

        While a replace is in flight either may come to be, so the larger of the two is reserved.
        """
        if not order:
            notional = request.quantity * request.price
            return Change(request.quantity, notional, request.quantity, notional)
        leaves = request.quantity - order.executed
        notional = leaves * request.price
        shares_added = max(leaves - order.leaves, 0)
        notional_added = max(notional - order.leaves * order.price, 0)
        not_further = (request.price - order.price) * (1 if order.side == BUY else -1) <= 0
        is_smaller = shares_added == 0 and notional_added == 0 and not_further
        return Change(leaves, notional, shares_added, notional_added, is_smaller)

    def reduces(self, request: Request, change: Change) -> bool:
        """Whether the request reduces risk.

        It does not reach an own open order of the other side, and it is a replace that asks for no
        more shares, no more notional and no further price than what stands, or it closes: the
        position is of the other side, no smaller than all open orders of this side with this one.
        """
        if self.crosses_own(request):
            return False
        symbol = self.exposures.symbols[request.symbol_index]
        open_shares = self.exposures.open_shares(request.symbol_index, request.side)
        position = -symbol.position if request.side == BUY else symbol.position
        return change.is_smaller or (position > 0 and open_shares + change.shares_added <= position)

    def crosses_own(self, request: Request) -> bool:
        """Whether the price reaches the best own open order of the other side."""
        if request.side == BUY:
            best = self.exposures.best_price(request.symbol_index, SELL)
            return best != 0 and request.price >= best
        best = self.exposures.best_price(request.symbol_index, BUY)
        return best != 0 and request.price <= best

    def state(self, request: Request) -> str:
        """Book, feed and trading state: nothing new is risked on what is not known."""
        top = self.tops[request.symbol_index]
        if top.book_state != 0:
            return "symbol_not_clean"
        if self.stale:
            return "feed_stale"
        if top.trading_state != TRADING or top.operational_halt:
            return "symbol_halted"
        return ""

    def size(self, request: Request, change: Change) -> str:
        """What one order may leave open."""
        limits = self.limits(request.symbol_index)
        if change.leaves > limits.maximum_quantity_shares:
            return "maximum_quantity"
        if change.notional > limits.maximum_notional:
            return "maximum_notional"
        return ""

    def collars(self, request: Request, t_ns: int) -> str:
        """How far the price goes beyond the opposite best price, then beyond the last trade."""
        limits = self.limits(request.symbol_index)
        top = self.tops[request.symbol_index]
        best = top.ask_price if request.side == BUY else top.bid_price
        age = t_ns - top.updated_ns
        if not (0 < best <= MAXIMUM_PRICE and 0 < top.last_price <= MAXIMUM_PRICE):
            return "no_fresh_reference"
        if not 0 <= age <= limits.reference_age_limit_ns:
            return "no_fresh_reference"
        for name, reference, basis_points, units in (
            (
                "collar_best_price",
                best,
                limits.collar_best_basis_points,
                limits.collar_best_price_units,
            ),
            (
                "collar_last_trade",
                top.last_price,
                limits.collar_last_basis_points,
                limits.collar_last_price_units,
            ),
        ):
            beyond = (request.price - reference) * (1 if request.side == BUY else -1)
            if beyond > units and beyond * BASIS_POINTS > reference * basis_points:
                return name
        return ""

    def exposure(self, request: Request, change: Change) -> str:
        """Worst-case position of the side and gross notional, where the request adds to them."""
        limits = self.limits(request.symbol_index)
        position = self.exposures.symbols[request.symbol_index].position
        worst = self.exposures.open_shares(request.symbol_index, request.side) + change.shares_added
        if change.shares_added:
            if request.side == BUY and worst + position > limits.maximum_long_position_shares:
                return "maximum_long_position"
            if request.side == SELL and worst - position > limits.maximum_short_position_shares:
                return "maximum_short_position"
        gross = self.exposures.gross_notional + change.notional_added
        if change.notional_added and gross > self.gate_limits().maximum_gross_notional:
            return "gross_notional"
        return ""

    def flow(self, request: Request, t_ns: int) -> str:
        """Message rate, duplicates, and trades with oneself."""
        if not self.has_token(t_ns):
            return "message_rate"
        window_ns = self.gate_limits().duplicate_window_ns
        if request.action == NEW and self.recent.holds(request, t_ns, window_ns):
            return "duplicate_order"
        if self.crosses_own(request):
            return "self_trade"
        return ""

    def has_token(self, t_ns: int) -> bool:
        """Whether the bucket holds a token.

        ``rate_next_ns`` is when the bucket will be full again: each token moves it one interval
        on, and a token is there while it is at most the tolerance ahead. Integer additions only.
        """
        limits = self.gate_limits()
        return not is_rate_closed(limits) and t_ns + tolerance_ns(limits) >= self.rate_next_ns

    def take_token(self, t_ns: int) -> None:
        """Take a token if there is one; what reduces risk passes without."""
        if self.has_token(t_ns):
            self.rate_next_ns = max(self.rate_next_ns, t_ns) + interval_ns(self.gate_limits())

    def gate_limits(self) -> Limits:
        """The default set; only asked once it was given."""
        assert self.default is not None
        return self.default

    def limits(self, symbol_index: int) -> Limits:
        """The set in force for a symbol."""
        return self.symbol_limits.get(symbol_index, self.gate_limits())

    def set_limits(self, symbol_index: int | None, limits: Limits, sequence_number: int) -> None:
        """Put a whole set in force; ``ValueError`` when late or the default one is missing."""
        if sequence_number <= self.limits_sequence_number:
            raise ValueError("late")
        if symbol_index is None:
            self.default = limits
        elif self.default is None:
            raise ValueError("the default limits come first")
        else:
            self.symbol_limits[symbol_index] = limits
        self.limits_sequence_number = sequence_number

    def counters(self) -> dict[str, int]:
        """Number of passes and of refusals by reason."""
        return RISK.as_dict(self.counts)
