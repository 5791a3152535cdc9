# SPDX-License-Identifier: Apache-2.0
"""Drives the Cython gate and its reference with the same random steps and compares them."""

from __future__ import annotations

import random
from dataclasses import asdict, replace

from host.risk.gate import RiskGate
from host.risk.reference import BUY, CANCEL, DAY, IOC, NEW, REPLACE, SELL, ReferenceGate, Request
from host.risk.seal import Seal
from nic.offload.limits import Limits

SYMBOLS = 3
ORDERS = 16
KEY = 0x1234_5678_9ABC_DEF0_0FED_CBA9_8765_4321

WIDE = Limits(
    maximum_quantity_shares=5_000,
    maximum_notional=10**10,
    collar_best_basis_points=500,
    collar_best_price_units=100,
    collar_last_basis_points=1_000,
    collar_last_price_units=100,
    reference_age_limit_ns=1_000_000_000,
    maximum_long_position_shares=20_000,
    maximum_short_position_shares=20_000,
    maximum_gross_notional=10**12,
    message_rate_per_second=1_000_000,
    message_burst=1_000,
    duplicate_window_ns=0,
)


def new_gate(symbols: int = SYMBOLS, orders: int = ORDERS, **kinds: object) -> RiskGate:
    """A gate of its own, without limits."""
    return RiskGate(symbols, orders, Seal(KEY), **kinds)


class Pair:
    """Both gates, one source of steps; :meth:`step` makes one and compares everything."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seed = seed
        self.gate = new_gate()
        self.reference = ReferenceGate(SYMBOLS, ORDERS)
        self.t_ns = 10**12
        self.limits_number = 0
        self.steps = 0
        for venue in (0, 1):
            self.session(venue, True)
        for symbol_index in range(SYMBOLS):
            self.top(symbol_index, calm=True)

    def session(self, venue: int, is_up: bool) -> None:
        """A session comes or goes."""
        self.gate.set_session_up(venue, is_up)
        (self.reference.sessions_up.add if is_up else self.reference.sessions_up.discard)(venue)

    def top(self, symbol_index: int, calm: bool = False) -> None:
        """New market data of a symbol, sometimes with something wrong in it."""
        r = self.random
        bid = r.randrange(9_900, 10_000)
        values = {
            "bid_price": bid,
            "ask_price": bid + r.randrange(1, 50),
            "last_price": bid + r.randrange(-100, 100),
            "updated_ns": self.t_ns,
            "trading_state": ord("T"),
            "operational_halt": 0,
            "book_state": 0,
        }
        if not calm:
            for name, bad, chance in (
                ("bid_price", 0, 0.04),
                ("ask_price", 1 << 33, 0.02),
                ("last_price", 0, 0.04),
                ("trading_state", ord("H"), 0.05),
                ("operational_halt", 1, 0.03),
                ("book_state", r.choice((1, 2)), 0.08),
                ("updated_ns", self.t_ns + 10**9, 0.03),
            ):
                if r.random() < chance:
                    values[name] = bad
        self.gate.set_top(symbol_index, values)
        self.reference.tops[symbol_index] = type(self.reference.tops[0])(**values)

    def limits(self) -> None:
        """A new set of limits; sometimes it is late or comes before the default one."""
        r = self.random
        limits = replace(
            WIDE,
            maximum_quantity_shares=r.choice((300, 5_000, 5_000)),
            maximum_notional=r.choice((4_000_000, 10**10, 10**10)),
            collar_best_basis_points=r.choice((0, 100, 500)),
            collar_best_price_units=r.choice((0, 100, 100)),
            collar_last_basis_points=r.choice((0, 200, 1_000)),
            collar_last_price_units=r.choice((0, 200, 200)),
            reference_age_limit_ns=r.choice((10_000_000, 10**9, 10**12)),
            maximum_long_position_shares=r.choice((0, 600, 3_000, 6_000)),
            maximum_short_position_shares=r.choice((0, 600, 3_000, 6_000)),
            maximum_gross_notional=r.choice((20_000_000, 10**12, 10**12)),
            message_rate_per_second=r.choice((0, 60, 3_000, 1_000_000, 1_000_000)),
            message_burst=r.choice((0, 1, 5, 1_000, 1_000)),
            duplicate_window_ns=r.choice((0, 0, 10_000_000, 10**9)),
        )
        self.limits_number += r.choice((0, 1, 1, 1))
        symbol_index = r.choice((None, None, *range(SYMBOLS)))
        outcomes = []
        for gate in (self.gate, self.reference):
            try:
                gate.set_limits(symbol_index, limits, self.limits_number)
                outcomes.append(True)
            except ValueError:
                outcomes.append(False)
        assert outcomes[0] == outcomes[1], self.where()

    def kill(self, clear: bool) -> None:
        """Kill something, or take everything back."""
        gate, reference = self.gate, self.reference
        if clear:
            kills = gate.kills()
            named = [("strategy", i) for i in kills["strategy"]]
            named += [("symbol", i) for i in kills["symbol"]]
            for scope, number in named + ([("global", None)] if kills["global"] else []):
                gate.arm_reset(scope, number)
                gate.reset_kill(scope, number)
            reference.killed = False
            reference.strategies_killed.clear()
            reference.symbols_killed.clear()
            return
        scope = self.random.choice(("global", "strategy", "symbol"))
        number = None if scope == "global" else self.random.randrange(SYMBOLS)
        gate.kill(scope, number)
        if scope == "global":
            reference.killed = True
        elif scope == "strategy":
            reference.strategies_killed.add(number)
        else:
            reference.symbols_killed.add(number)

    def request(self) -> Request:
        """A request, mostly sensible, near the market, in round sizes so that likes occur."""
        r = self.random
        known = list(self.reference.exposures.orders)
        symbol_index = r.randrange(SYMBOLS)
        request = Request(
            action=r.choices((NEW, REPLACE, CANCEL, 3), (60, 25, 14, 1))[0],
            side=r.choice((BUY, SELL)),
            quantity=r.choice((100, 100, 200, 500)),
            price=r.randrange(980, 1_020) * 10,
            symbol_index=symbol_index,
            time_in_force=r.choice((DAY, DAY, IOC)),
            strategy_id=r.randrange(SYMBOLS),
            venue=r.choice((0, 0, 1)),
        )
        if request.action in (REPLACE, CANCEL):
            if r.random() < 0.02:
                request.user_ref_num = r.randrange(99)
            elif known:
                request.user_ref_num = r.choice(known)
            else:
                request.action = NEW
        if request.action == CANCEL:
            request.quantity = r.choice((0, 0, 100))
        if r.random() < 0.04:
            name, value = r.choice(
                (
                    ("quantity", 0),
                    ("quantity", 1_000_000),
                    ("price", 0),
                    ("price", -5),
                    ("price", 1 << 31),
                    ("price", (1 << 31) - 1),
                    ("side", 0),
                    ("side", ord("T")),
                    ("symbol_index", SYMBOLS),
                    ("symbol_index", (1 << 32) - 1),
                    ("time_in_force", ord("6")),
                    ("post_only", 2),
                    ("venue", 5),
                    ("venue", 65_535),
                )
            )
            setattr(request, name, value)
        return request

    def report(self) -> None:
        """The order management tells of something that happened to an open order."""
        r = self.random
        known = list(self.reference.exposures.orders.items())
        if not known:
            return
        number, order = r.choice(known)
        quantity = r.randrange(1, max(order.leaves, 1) + 1)
        if r.random() < 0.03:
            number += 1_000
        if order.replaces:
            told = r.choice(
                (
                    ("replaced", number, r.choice((0, 100, 300)), r.randrange(9_800, 10_200)),
                    ("replace_ended", number),
                    ("closed", number),
                    ("cancel_ended", number),
                )
            )
        else:
            price = order.price or 10_000
            told = r.choice(
                (
                    ("fill", number, order.symbol_index, order.side, quantity, price),
                    ("fill", number, order.symbol_index, order.side, order.leaves + 5, price),
                    ("canceled", number, quantity),
                    ("closed", number),
                    ("terms", number, r.randrange(1, 500), r.randrange(9_800, 10_200)),
                    ("cancel_ended", number),
                    ("broken", order.symbol_index, order.side, quantity),
                )
            )
        self.gate.exposures.tell(*told)
        self.reference.exposures.tell(*told)

    def step(self) -> None:
        """One random step, then everything is compared."""
        r = self.random
        self.steps += 1
        self.t_ns += r.choice((0, 1_000, 1_000_000, 20_000_000))
        if r.random() < 0.004:
            self.t_ns = max(10**9, self.t_ns + r.choice((-(10**9), 10**10)))
        kind = r.choices(
            ("submit", "report", "top", "limits", "kill", "clear", "session", "stale"),
            (60, 14, 24, 1, 0.3, 3, 1, 0.8),
        )[0]
        if kind == "submit":
            request = self.request()
            numbers = (
                self.gate.submit_order(t_ns=self.t_ns, **asdict(request)),
                self.reference.submit(request, self.t_ns),
            )
            assert numbers[0] == numbers[1], self.where()
        elif kind == "report":
            self.report()
        elif kind == "top":
            self.top(r.randrange(SYMBOLS))
        elif kind == "limits":
            self.limits()
        elif kind in ("kill", "clear"):
            self.kill(clear=kind == "clear")
        elif kind == "session":
            self.session(r.randrange(2), r.random() < 0.8)
        else:
            stale = r.random() < 0.3
            self.gate.set_feed_stale(stale)
            self.reference.stale = stale
        self.compare()

    def compare(self) -> None:
        """Verdict, counters, pass numbers and all exposures are the same."""
        gate, reference = self.gate, self.reference
        assert gate.last_reason == reference.last_reason, self.where()
        assert gate.counters() == reference.counters(), self.where()
        assert gate.passes == reference.passes, self.where()
        assert gate.exposures.open_orders == len(reference.exposures.orders), self.where()
        assert gate.exposures.gross_notional == reference.exposures.gross_notional, self.where()
        for i in range(SYMBOLS):
            assert gate.exposures.symbol(i) == reference.exposures.symbol(i), self.where()

    def where(self) -> str:
        """What reproduces a difference."""
        return f"seed {self.seed}, step {self.steps}, reason {self.gate.last_reason_name}"
