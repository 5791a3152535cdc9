# SPDX-License-Identifier: Apache-2.0
"""The risk gate as a specification: small, plain Python, integers only.

The Cython gate (``host/risk/gate.pyx``) and the gate in gateware decide as this one does: the same
verdict, reason, counters and exposures after every step. Whoever changes one changes this first.
Times are nanoseconds above 0 and below 2^63, prices integers with four implied decimals,
quantities shares. Every change of state is a command (``nic/offload/commands.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace

from host.risk.reference_checks import (
    Situation,
    Totals,
    crosses_own,
    is_credit_alert,
    refusals,
)
from host.risk.reference_exposure import ReferenceExposures, ReferenceOrder
from host.risk.reference_recent import ReferenceBuckets, ReferenceRecent
from host.risk.reference_request import (
    BUY,
    CANCEL,
    DAY,
    IOC,
    NEW,
    REPLACE,
    SELLS,
    Change,
    ReferenceTop,
    Request,
)
from host.risk.reference_switches import ReferenceSwitches
from nic.offload import derived
from nic.offload.enumerations import RISK
from nic.offload.limits import MAXIMUM_PRICE, MAXIMUM_QUANTITY_SHARES, Limits


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
    is_stale: bool = False
    phase: int = 0
    next_number: int = 1
    path_reason: int = 0
    default: Limits | None = None
    sessions_up: set[int] = field(default_factory=set)
    symbol_limits: dict[int, Limits] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    recent: ReferenceRecent = field(default_factory=ReferenceRecent)
    session_buckets: ReferenceBuckets = field(default_factory=ReferenceBuckets)
    symbol_buckets: ReferenceBuckets = field(default_factory=ReferenceBuckets)
    strategy_buckets: ReferenceBuckets = field(default_factory=ReferenceBuckets)
    counts: list[int] = field(default_factory=lambda: [0] * RISK.count)
    tops: list[ReferenceTop] = field(init=False)
    exposures: ReferenceExposures = field(init=False)
    switches: ReferenceSwitches = field(init=False)

    def __post_init__(self) -> None:
        """Make the tables."""
        self.tops = [ReferenceTop() for _ in range(self.symbol_capacity)]
        self.exposures = ReferenceExposures(self.symbol_capacity, self.order_capacity)
        self.switches = ReferenceSwitches(self.symbol_capacity)

    def submit(self, request: Request, t_ns: int) -> int:
        """The number of the order that was sent (or cancelled), or 0; see ``last_reason``."""
        request = replace(request)
        self.timer(t_ns)
        order = self.resolve(request)
        reason = self.check(request, order, t_ns)
        if reason:
            return self.refuse(reason)
        undo = self.take(request, order, t_ns)
        self.passes += 1
        self.path_reason = RISK.value("order_entry_down")
        number = self.path(request, t_ns) if self.path else self.number(request)
        if not number:
            self.passes -= 1
            for step in undo:
                step()
            return self.refuse(self.path_reason)
        self.last_reason = RISK.value("passed")
        self.counts[self.last_reason] += 1
        return number

    def refuse(self, reason: int) -> int:
        """Count a refusal."""
        self.last_reason = reason
        self.counts[reason] += 1
        return 0

    def take(
        self, request: Request, order: ReferenceOrder | None, t_ns: int
    ) -> list[Callable[[], None]]:
        """The request passes: what this uses up; returns what undoes it."""
        totals = replace(self.totals)
        undo = [lambda: setattr(self, "totals", totals)]
        self.totals = replace(self.totals, messages=totals.messages + 1)
        if request.action == CANCEL:
            return undo
        change = self.measure(request, order)
        situation = self.situation(request, change, t_ns)
        self.totals.daily_shares += change.shares_added
        self.totals.daily_notional += change.notional_added
        self.totals.credit_alerts += is_credit_alert(situation)
        limits = self.gate_limits()
        undo += [
            self.session_buckets.take(request.venue, derived.session_bucket(limits), t_ns),
            self.symbol_buckets.take(
                request.symbol_index, derived.symbol_bucket(situation.limits), t_ns
            ),
            self.strategy_buckets.take(request.strategy_id, derived.strategy_bucket(limits), t_ns),
        ]
        if request.action == NEW:
            undo.append(self.recent.remember(request, t_ns))
        return undo

    def number(self, request: Request) -> int:
        """Number an order without a path: the next number whose place in the table is free."""
        number = request.user_ref_num
        if request.action != CANCEL:
            while self.exposures.is_taken(self.next_number):
                self.next_number += 1
            number = self.next_number
            self.next_number += 1
        return number if self.exposures.on_opened(request, number) else 0

    def resolve(self, request: Request) -> ReferenceOrder | None:
        """The order that a replace or cancel names; what the request says of it is overruled."""
        if request.action not in (REPLACE, CANCEL):
            return None
        order = self.exposures.orders.get(request.user_ref_num)
        if order:
            request.symbol_index, request.side = order.symbol_index, order.side
            request.strategy_id, request.venue = order.strategy_id, order.venue
        return order

    def check(self, request: Request, order: ReferenceOrder | None, t_ns: int) -> int:
        """The first reason against the request, in the order of the table RISK; 0 if none."""
        if request.action == CANCEL:
            if request.venue not in self.sessions_up:
                return RISK.value("order_entry_down")
            return 0 if order else RISK.value("unknown_order")
        name = self.always(request, order)
        if name:
            return RISK.value(name)
        change = self.measure(request, order)
        if self.reduces(request, change):
            return 0
        situation = self.situation(request, change, t_ns)
        enabled = situation.limits.enabled_checks
        numbers = (RISK.value(name) for name in refusals(situation))
        return next((number for number in numbers if enabled >> number & 1), 0)

    def always(self, request: Request, order: ReferenceOrder | None) -> str:
        """What holds for every new order and replace, whether it reduces risk or not."""
        switches = self.switches
        if self.default is None:
            return "no_limits_set"
        if switches.is_killed("global"):
            return "kill_global"
        if switches.is_heartbeat_lost(self.default.heartbeat_timeout_ns):
            return "heartbeat_lost"
        if switches.is_killed("session", request.venue):
            return "kill_session"
        if switches.is_killed("strategy", request.strategy_id):
            return "kill_strategy"
        if switches.is_killed("symbol", request.symbol_index):
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
        elif request.side not in (BUY, *SELLS):
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
        not_further = (request.price - order.price) * request.direction <= 0
        is_smaller = shares_added == 0 and notional_added == 0 and not_further
        return Change(leaves, notional, shares_added, notional_added, is_smaller)

    def reduces(self, request: Request, change: Change) -> bool:
        """Whether the request reduces risk.

        It does not reach an own open order of the other side, and it is a replace that asks for no
        more shares, no more notional and no further price than what stands, or it closes: the
        position is of the other side, no smaller than all open orders of this side with this one.
        """
        if crosses_own(self.exposures, request):
            return False
        open_shares = self.exposures.open_shares(request.symbol_index, request.side)
        position = -self.exposures.symbols[request.symbol_index].position * request.direction
        return change.is_smaller or (position > 0 and open_shares + change.shares_added <= position)

    def situation(self, request: Request, change: Change, t_ns: int) -> Situation:
        """What the checks against new risk look at."""
        return Situation(
            request,
            change,
            t_ns,
            self.tops[request.symbol_index],
            self.limits(request.symbol_index),
            self.gate_limits(),
            self.phase,
            self.is_stale,
            self.exposures,
            self.totals,
            self.recent,
            self.session_buckets,
            self.symbol_buckets,
            self.strategy_buckets,
        )

    def gate_limits(self) -> Limits:
        """The default set; only asked once it was given."""
        assert self.default is not None
        return self.default

    def limits(self, symbol_index: int) -> Limits:
        """The set in force for a symbol."""
        return self.symbol_limits.get(symbol_index, self.gate_limits())

    def counters(self) -> dict[str, int]:
        """Number of passes and of refusals by reason."""
        return RISK.as_dict(self.counts)

    def kills(self) -> dict[str, bool | list[int]]:
        """What is killed, as the Cython gate says it."""
        return self.switches.killed()

    def daily_totals(self) -> dict[str, int]:
        """What was counted of the messages that passed, under the names of the Cython gate."""
        return asdict(self.totals)

    # ------------------------------------------------------------------ commands

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

    def kill(self, scope: str = "global", id: int | None = None) -> None:
        """Refuse every new order and replace of a scope; see :class:`ReferenceSwitches`."""
        self.switches.kill(scope, id)

    def arm_reset(self, scope: str = "global", id: int | None = None) -> None:
        """First step of taking a kill back."""
        self.switches.arm_reset(scope, id)

    def reset_kill(self, scope: str = "global", id: int | None = None) -> None:
        """Second step of taking a kill back."""
        self.switches.reset_kill(scope, id)

    def heartbeat(self, t_ns: int) -> None:
        """The control thread lives."""
        self.switches.heartbeat(t_ns, self.heartbeat_timeout_ns())

    def timer(self, t_ns: int) -> None:
        """It is ``t_ns``; every request says so too."""
        self.switches.expire(t_ns, self.heartbeat_timeout_ns())

    def heartbeat_timeout_ns(self) -> int:
        """In force; 0 before the first limits."""
        return self.default.heartbeat_timeout_ns if self.default else 0

    def set_session_up(self, venue: int, is_up: bool) -> None:
        """A venue's session can take orders, or can't."""
        (self.sessions_up.add if is_up else self.sessions_up.discard)(venue)

    def set_feed_stale(self, is_stale: bool) -> None:
        """The feed went silent, or is back."""
        self.is_stale = is_stale

    def set_market_phase(self, phase: int) -> None:
        """The market is in another phase (a number of MARKET_PHASE)."""
        self.phase = phase

    def set_top(self, symbol_index: int, top: Mapping[str, int]) -> None:
        """Something of a symbol's market changed; fields of :class:`ReferenceTop`."""
        self.tops[symbol_index] = replace(self.tops[symbol_index], **top)

    def release_strategy(self, strategy_id: int) -> None:
        """The operator lets a strategy execute again as often as it may."""
        self.exposures.on_strategy_released(strategy_id)

    def start_day(self) -> None:
        """What is summed since the start of the day begins anew; positions and cash stay."""
        self.totals = replace(self.totals, daily_shares=0, daily_notional=0, messages=0)
        self.exposures.on_day_started()
