# SPDX-License-Identifier: Apache-2.0
"""States of the reference gate at the edges of its limits, and what gateware sees of them."""

from __future__ import annotations

import random
from dataclasses import fields, replace

from host.risk.reference import ReferenceGate
from host.risk.reference_checks import Totals, credit_in_use
from host.risk.reference_exposure import ReferenceOrder
from host.risk.reference_recent import ReferenceRecent
from host.risk.reference_request import BUY, CANCEL, NEW, REPLACE, ReferenceTop, Request
from hw.risk_view import NOTIONAL_ROOM_BITS, SHARES_ROOM_BITS
from nic.offload import derived
from nic.offload.enumerations import ALL_CHECKS, FIRST_OF_NEW_RISK, MARKET_PHASE, RISK
from nic.offload.limit_words import WORDS, words_of
from nic.offload.limits import SCOPE_SYMBOL, Limits

ORDER_BITS, SYMBOL_BITS, STRATEGY_BITS, VENUE_BITS = 4, 3, 2, 2
SYMBOLS = 7
ORDERS = 1 << ORDER_BITS
SIDES = tuple(b"BSTE")
T_NS = 10**15
HIGHEST = {f.name: (1 << f.metadata["bits"]) - 1 for f in fields(Limits)}
RECENT = ReferenceRecent()
"""One for all cases: it takes longer to make than everything else."""
CHECKS = tuple(range(FIRST_OF_NEW_RISK, RISK.count))


class Case:
    """One state, one request; everything about the request's symbol and its neighbours is drawn.

    ``calm`` cases stand in nobody's way; ``blow`` then draws what one check refuses, or just not.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.t_ns = T_NS + rng.randrange(10**9)
        self.gate = ReferenceGate(SYMBOLS, ORDERS, recent=RECENT)
        self.gate.sessions_up.update(range(1 << VENUE_BITS))
        self.gate.phase = MARKET_PHASE.value("market")
        self.price_scale = rng.choice((100, 10_000, 10_000, 1_000_000, (1 << 31) - 1))
        self._orders()
        self._market()
        self.request = self._request()
        self._limits()

    def price(self) -> int:
        """A price of this case's size."""
        near = self.price_scale + self.rng.randrange(-self.price_scale // 50 - 1, 3)
        return min(max(near, 1), (1 << 31) - 1)

    def _orders(self) -> None:
        rng, exposures = self.rng, self.gate.exposures
        for number in rng.sample(range(1, ORDERS + 1), rng.choice((0, 1, 3, 6, 6, 9, 12, 14))):
            order = ReferenceOrder(
                rng.randrange(SYMBOLS) if rng.random() < 0.5 else 1,
                rng.choice(SIDES),
                rng.randrange(1 << STRATEGY_BITS),
                rng.randrange(1 << VENUE_BITS),
                price=self.price(),
                leaves=rng.choice((0, 1, 100, 300, rng.randrange(1_000_000))),
                executed=rng.choice((0, 0, 50, 499_999)),
                is_acknowledged=rng.random() < 0.7,
                cancel_in_flight=rng.random() < 0.05,
            )
            if rng.random() < 0.07:
                order.pending, order.pending_quantity = number + 1_000, order.executed + 150
                order.pending_price = self.price()
            if rng.random() < 0.05:
                order.replaces = number + 2_000
            exposures.orders[number] = order
        for symbol in exposures.symbols:
            symbol.position = rng.choice((0, 0, 100, -100, 5, rng.randrange(-(10**7), 10**7)))
            symbol.mark_price = rng.choice((0, self.price()))
        exposures.cash = rng.choice((0, rng.randrange(-(10**13), 10**13)))
        exposures.executions = rng.randrange(50)
        exposures.strategy_executions = {i: rng.randrange(9) for i in range(1 << STRATEGY_BITS)}

    def _market(self) -> None:
        rng = self.rng
        for index in range(SYMBOLS):
            bid = self.price()
            self.gate.tops[index] = ReferenceTop(
                bid_price=bid,
                ask_price=min(bid + rng.randrange(1, 4), (1 << 31) - 1),
                last_price=self.price(),
                updated_ns=self.t_ns - rng.choice((0, 1, 1_000, 10**6)),
                trading_state=ord("T"),
                short_sale_state=ord("0"),
                band_lower_price=1,
                band_upper_price=(1 << 31) - 1,
            )

    def _request(self) -> Request:
        rng, exposures = self.rng, self.gate.exposures
        request = Request(
            action=rng.choice((NEW, NEW, NEW, REPLACE, REPLACE, CANCEL)),
            side=rng.choice(SIDES),
            quantity=rng.choice((1, 100, 100, 200, 999_999, rng.randrange(1, 1_000_000))),
            price=self.price(),
            symbol_index=rng.choice((1, 1, rng.randrange(SYMBOLS))),
            time_in_force=rng.choice(b"03"),
            post_only=rng.randrange(2),
            strategy_id=rng.randrange(1 << STRATEGY_BITS),
            venue=rng.randrange(1 << VENUE_BITS),
        )
        if request.action != NEW and exposures.orders:
            request.user_ref_num = rng.choice(list(exposures.orders))
            order = exposures.orders[request.user_ref_num]
            if rng.random() < 0.7:
                wanted = order.executed + order.leaves + rng.choice((-1, 0, 1, 100))
                request.quantity = min(max(wanted, 1), 999_999)
                request.price = max(order.price + rng.choice((-1, 0, 0, 1)), 1)
                request.price = min(request.price, (1 << 31) - 1)
        return request

    def _limits(self) -> None:
        """Wide ones."""
        rng, gate = self.rng, self.gate
        values = dict(HIGHEST)
        values |= {
            "enabled_checks": ALL_CHECKS,
            "is_restricted": 0,
            "minimum_quantity_shares": 0,
            "lot_size_shares": 1,
            "tick_size_price_units": 1,
            "duplicate_window_ns": 0,
            "heartbeat_timeout_ns": 0,
            "message_rate_per_second": 1_000,
            "symbol_message_rate_per_second": 1_000,
            "strategy_message_rate_per_second": 1_000,
        }
        self.values = values
        gate.default = Limits(**values)
        gate.totals = Totals(
            daily_shares=rng.randrange(10**9),
            daily_notional=rng.randrange(10**15),
            messages=rng.randrange(100),
        )

    def near(self, value: int, name: str) -> int:
        """A limit at the edge of what is measured, or one below or above it."""
        return min(max(value + self.rng.choice((-1, -1, 0, 1)), 0), HIGHEST[name])

    def situation(self):
        """What the reference's checks see, and how much the request adds."""
        request = replace(self.request)
        order = self.gate.resolve(request)
        change = self.gate.measure(request, order)
        return self.gate.situation(request, change, self.t_ns)

    def view(self) -> dict:
        """The inputs of gateware out of the reference's state."""
        gate, t_ns = self.gate, self.t_ns
        request = replace(self.request)
        order = gate.resolve(request)
        known_symbol = request.symbol_index < SYMBOLS
        limits = gate.limits(request.symbol_index) if gate.default else Limits(**HIGHEST)
        overall = gate.default or limits
        top = gate.tops[request.symbol_index] if known_symbol else ReferenceTop()
        state = gate.exposures
        can_be_measured = request.action != CANCEL and known_symbol
        change = gate.measure(request, order) if can_be_measured else None
        leaves = change.leaves if change and change.leaves > 0 else 0
        rows = dict(zip((word.name for word in WORDS), words_of(limits), strict=True))
        symbol_words = {w.name: rows[w.name] for w in WORDS if w.scope == SCOPE_SYMBOL}
        exposure = state.symbol(request.symbol_index) if known_symbol else None
        sides = {
            side: {
                "open_shares": exposure[f"open_{side}_shares"],
                "open_notional": exposure[f"open_{side}_notional"],
                "orders": exposure[f"open_{side}_orders"],
                "best_price": exposure[f"best_own_{side}"],
            }
            for side in ("buy", "sell")
            if exposure
        }
        held = order.leaves * order.price if order and request.action == REPLACE else 0
        return {
            "view": {
                "request": {
                    "action": request.action,
                    "side": request.side,
                    "time_in_force": request.time_in_force,
                    "post_only": request.post_only,
                    "strategy": request.strategy_id,
                    "venue": request.venue,
                    "symbol_index": request.symbol_index,
                    "quantity": request.quantity,
                    "price": request.price,
                    "user_ref_num": request.user_ref_num,
                },
                "is_buy": int(request.side == BUY),
                "t_ns": t_ns,
                "leaves": leaves,
                "shares_added": change.shares_added if change else 0,
                "adds_notional": int(bool(change and change.notional_added)),
                "is_smaller": int(bool(change and change.is_smaller)),
                "is_known": int(order is not None),
                "is_busy": int(
                    order is not None
                    and bool(order.pending or order.replaces or order.cancel_in_flight)
                ),
                "is_below_executed": int(order is not None and request.quantity <= order.executed),
                "is_set": int(gate.default is not None),
                "sessions_up": sum(1 << venue for venue in gate.sessions_up),
                "symbol_count": SYMBOLS,
                "is_full": int(len(state.orders) >= ORDERS),
                "is_stale": int(gate.is_stale),
                "market_phase": gate.phase,
                "rooms": rooms(gate, overall, held),
                "limits": symbol_words,
                "exposure": {
                    "position": exposure["position"],
                    "mark_price": exposure["mark_price"],
                    "position_notional": exposure["position_notional"],
                    **sides,
                }
                if exposure
                else {},
                "top": {f.name: getattr(top, f.name) for f in fields(top)},
            },
            "late": {
                "symbol_message_rate": int(
                    not gate.symbol_buckets.has_token(
                        request.symbol_index, derived.symbol_bucket(limits), t_ns
                    )
                ),
                "message_rate": int(
                    not gate.session_buckets.has_token(
                        request.venue, derived.session_bucket(overall), t_ns
                    )
                ),
                "strategy_message_rate": int(
                    not gate.strategy_buckets.has_token(
                        request.strategy_id, derived.strategy_bucket(overall), t_ns
                    )
                ),
                "repeated_execution": int(
                    state.strategy_executions.get(request.strategy_id, 0)
                    >= overall.maximum_executions
                ),
                "kill_global": int(gate.switches.is_killed("global")),
                "heartbeat_lost": int(
                    gate.switches.is_heartbeat_lost(overall.heartbeat_timeout_ns)
                ),
                "kill_session": int(gate.switches.is_killed("session", request.venue)),
                "kill_strategy": int(gate.switches.is_killed("strategy", request.strategy_id)),
                "kill_symbol": int(gate.switches.is_killed("symbol", request.symbol_index)),
            },
            "is_duplicate": int(
                request.action == NEW
                and gate.recent.holds(request, t_ns, overall.duplicate_window_ns)
            ),
        }


def clip(room: int, bits: int) -> int:
    """A room in as many bits as gateware has for it."""
    return min(max(room, -1), (1 << bits - 1) - 1)


def rooms(gate: ReferenceGate, limits: Limits, held: int) -> dict[str, int]:
    """What is left of the limits over all symbols, with the notional of an order to replace."""
    state, totals = gate.exposures, gate.totals
    sums = state.totals()
    paid = max(-sums["cash"], 0) + sums["open_buy_notional"]
    net = sums["net_position_notional"]
    left = {
        "gross_notional": limits.maximum_gross_notional - sums["gross_notional"],
        "net_notional_buy": limits.maximum_net_notional - net - sums["open_buy_notional"],
        "net_notional_sell": limits.maximum_net_notional + net - sums["open_sell_notional"],
        "daily_notional": limits.maximum_daily_notional - totals.daily_notional,
        "credit": limits.maximum_credit - paid,
        "credit_alert": derived.credit_alert_above(limits) - paid,
    }
    allowed = limits.order_to_trade_floor + limits.order_to_trade_ratio * state.executions
    return {
        **{name: clip(room + held, NOTIONAL_ROOM_BITS) for name, room in left.items()},
        "daily_shares": clip(
            limits.maximum_daily_quantity_shares - totals.daily_shares, SHARES_ROOM_BITS
        ),
        "loss_limit": int(-(sums["cash"] + net) > limits.maximum_loss),
        "open_orders": int(sums["open_orders"] >= limits.maximum_open_orders),
        "unacknowledged_orders": int(
            sums["unacknowledged_orders"] >= limits.maximum_unacknowledged_orders
        ),
        "order_to_trade_ratio": int(totals.messages >= allowed),
    }


__all__ = ["CHECKS", "Case", "clip", "credit_in_use", "rooms"]
