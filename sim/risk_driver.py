# SPDX-License-Identifier: Apache-2.0
"""Drives risk gates and their reference with the same random steps and compares them."""

from __future__ import annotations

import random
from dataclasses import asdict
from typing import Any

from host.risk.gate import RiskGate
from host.risk.reference import ReferenceGate
from host.risk.reference_request import BUY, CANCEL, DAY, IOC, NEW, REPLACE, SELLS, Request
from host.risk.seal import Seal
from nic.offload.enumerations import KILL_SCOPE, MARKET_PHASE
from sim.risk_limits import random_limits

SYMBOLS = 3
ORDERS = 16
KEY = 0x1234_5678_9ABC_DEF0_0FED_CBA9_8765_4321

STEPS = {
    "submit": 60,
    "report": 26,
    "top": 20,
    "limits": 3,
    "kill": 0.3,
    "clear": 4,
    "session": 1,
    "stale": 0.8,
    "phase": 0.5,
    "heartbeat": 6,
    "timer": 1,
    "release": 1,
    "day": 0.4,
    "mark": 2,
}
"""Kinds of steps and how often each is taken."""


def new_gate(symbols: int = SYMBOLS, orders: int = ORDERS, **kinds: Any) -> RiskGate:
    """A gate of its own, without limits."""
    return RiskGate(symbols, orders, Seal(KEY), **kinds)


class Pair:
    """Both gates, one source of steps; :meth:`step` makes one and compares everything."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seed = seed
        self.gate: Any = self.make_gate()
        self.reference = ReferenceGate(SYMBOLS, ORDERS)
        self.t_ns = 10**12
        self.limits_number = 0
        self.latest = Request(NEW, quantity=100, price=10_000)
        self.steps = 0
        for venue in (0, 1):
            self.both("set_session_up", venue, True)
        for symbol_index in range(SYMBOLS):
            self.top(symbol_index, calm=True)

    def make_gate(self) -> Any:
        """What is held against the reference."""
        return new_gate()

    def gates(self) -> tuple[Any, ...]:
        """Every gate that takes the driver's commands."""
        return (self.gate, self.reference)

    def both(self, command: str, *arguments: Any) -> None:
        """Give both gates the same command; they take it, or raise the same error."""
        outcomes = []
        for gate in self.gates():
            try:
                getattr(gate, command)(*arguments)
                outcomes.append("")
            except (ValueError, RuntimeError, IndexError) as error:
                outcomes.append(type(error).__name__)
        assert len(set(outcomes)) == 1, f"{command}{arguments}: {outcomes}, {self.where()}"

    def tell(self, *told: Any) -> None:
        """Tell both what happened to an order or a position."""
        self.gate.exposures.tell(*told)
        self.reference.exposures.tell(*told)

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
            "short_sale_state": r.choice((ord("0"), ord("0"), ord("1"), ord("2"), 0)),
            "band_lower_price": bid - r.choice((100, 500, 500, 500)),
            "band_upper_price": bid + r.choice((100, 500, 500, 500)),
        }
        if not calm:
            for name, bad, chance in (
                ("bid_price", 0, 0.02),
                ("bid_price", 10_100, 0.02),
                ("ask_price", 1 << 33, 0.02),
                ("last_price", 0, 0.02),
                ("trading_state", ord("H"), 0.02),
                ("operational_halt", 1, 0.03),
                ("book_state", r.choice((1, 2)), 0.03),
                ("updated_ns", self.t_ns + 10**9, 0.03),
                ("band_lower_price", 0, 0.02),
                ("band_upper_price", 0, 0.02),
            ):
                if r.random() < chance:
                    values[name] = bad
        self.both("set_top", symbol_index, values)

    def limits(self) -> None:
        """A new set of limits; sometimes it is late or comes before the default one."""
        r = self.random
        self.limits_number += r.choice((0, 1, 1, 1, 1, 1))
        symbol_index = r.choice((None, None, None, *range(SYMBOLS)))
        self.both("set_limits", symbol_index, random_limits(r), self.limits_number)

    def scope(self) -> tuple[str, int | None]:
        """A scope of kills and what it names."""
        scope = self.random.choice(KILL_SCOPE.names)
        alone = scope in ("global", "heartbeat")
        return scope, None if alone else self.random.randrange(SYMBOLS)

    def clear(self) -> None:
        """Take every kill back; sometimes a step is missing, or a kill comes between."""
        for scope, found in self.gate.kills().items():
            for id in found if isinstance(found, list) else [None] * found:
                if self.random.random() < 0.95:
                    self.both("arm_reset", scope, id)
                if self.random.random() < 0.02:
                    self.both("kill", *self.scope())
                self.both("reset_kill", scope, id)

    def request(self) -> Request:
        """A request, mostly sensible, near the market, in round sizes so that likes occur."""
        r = self.random
        known = list(self.reference.exposures.orders)
        if r.random() < 0.15:
            return self.latest
        request = Request(
            action=r.choices((NEW, REPLACE, CANCEL, 3), (60, 25, 14, 1))[0],
            side=r.choice((BUY, BUY, BUY, *SELLS)),
            quantity=r.choice((100, 100, 200, 500)),
            price=r.randrange(980, 1_020) * 10,
            symbol_index=r.randrange(SYMBOLS),
            time_in_force=r.choice((DAY, DAY, IOC)),
            post_only=r.choice((0, 0, 1)),
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
                    ("side", ord("X")),
                    ("symbol_index", SYMBOLS),
                    ("symbol_index", (1 << 32) - 1),
                    ("time_in_force", ord("6")),
                    ("post_only", 2),
                    ("venue", 5),
                    ("venue", 65_535),
                    ("strategy_id", 65_535),
                )
            )
            setattr(request, name, value)
        return request

    def report(self) -> None:
        """The order management tells of something that happened to an open order."""
        told = self.told()
        if told:
            self.tell(*told)

    def told(self) -> tuple[Any, ...]:
        """Something that may happen to one of the orders that are open now; empty without any."""
        r = self.random
        known = list(self.reference.exposures.orders.items())
        if not known:
            return ()
        number, order = r.choice(known)
        quantity = r.randrange(1, max(order.leaves, 1) + 1)
        price = order.price or 10_000
        if r.random() < 0.03:
            number += 1_000
        if order.replaces:
            return r.choice(
                (
                    ("replaced", number, r.choice((0, 100, 300)), r.randrange(9_800, 10_200)),
                    ("replace_ended", number),
                    ("closed", number),
                    ("cancel_ended", number),
                )
            )
        else:
            return r.choice(
                (
                    ("fill", number, order.symbol_index, order.side, quantity, price),
                    ("fill", number, order.symbol_index, order.side, order.leaves, price),
                    ("fill", number, order.symbol_index, order.side, order.leaves + 5, price),
                    ("closed", number),
                    ("canceled", number, quantity),
                    ("closed", number),
                    ("terms", number, r.randrange(1, 500), r.randrange(9_800, 10_200)),
                    ("cancel_ended", number),
                    ("broken", order.symbol_index, order.side, quantity, price),
                )
            )

    def submit(self) -> None:
        """A request; both give it the same number."""
        request = self.request()
        numbers = (
            self.gate.submit_order(t_ns=self.t_ns, **asdict(request)),
            self.reference.submit(request, self.t_ns),
        )
        assert numbers[0] == numbers[1], self.where()
        if numbers[0] and request.action == NEW:
            self.latest = request

    def step(self) -> None:
        """One random step, then everything is compared."""
        r = self.random
        self.steps += 1
        self.t_ns += r.choice((0, 0, 1_000, 1_000_000, 10_000_000))
        if r.random() < 0.004:
            self.t_ns = max(10**9, self.t_ns + r.choice((-(10**9), 10**10)))
        kind = r.choices(list(STEPS), list(STEPS.values()))[0]
        if kind == "top":
            self.top(r.randrange(SYMBOLS))
        elif kind == "kill":
            self.both("kill", *self.scope())
        elif kind == "session":
            self.both("set_session_up", r.randrange(2), r.random() < 0.9)
        elif kind == "stale":
            self.both("set_feed_stale", r.random() < 0.2)
        elif kind == "phase":
            self.both("set_market_phase", r.choice((3, 3, r.randrange(MARKET_PHASE.count))))
        elif kind in ("heartbeat", "timer"):
            self.both(kind, self.t_ns)
        elif kind == "release":
            self.both("release_strategy", r.randrange(SYMBOLS))
        elif kind == "day":
            self.both("start_day")
        elif kind == "mark":
            self.tell("mark", r.randrange(SYMBOLS), r.randrange(9_000, 11_000))
        else:
            getattr(self, kind)()
        self.compare()

    def compare(self) -> None:
        """Verdict, counters, pass numbers, kills and all exposures are the same."""
        gate, reference = self.gate, self.reference
        assert gate.last_reason == reference.last_reason, self.where()
        assert gate.counters() == reference.counters(), self.where()
        assert gate.passes == reference.passes, self.where()
        assert gate.kills() == reference.kills(), self.where()
        assert gate.daily_totals() == reference.daily_totals(), self.where()
        assert gate.exposures.totals() == reference.exposures.totals(), self.where()
        for i in range(SYMBOLS):
            assert gate.exposures.symbol(i) == reference.exposures.symbol(i), self.where()
            executions = reference.exposures.strategy_executions.get(i, 0)
            assert gate.exposures.strategy_executions(i) == executions, self.where()

    def where(self) -> str:
        """What reproduces a difference."""
        return f"seed {self.seed}, step {self.steps}, reason {self.gate.last_reason_name}"
