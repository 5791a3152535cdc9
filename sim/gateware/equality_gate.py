# SPDX-License-Identifier: Apache-2.0
"""Three risk gates and one source of steps: reference, Cython, gateware.

Gateware looks at the time in every cycle, so the gates in software are told it before each step.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np

from host.risk.gate import RiskGate
from host.risk.reference_request import NEW, Request
from nic.offload.enumerations import RISK
from sim.gateware import harness
from sim.gateware.equality import Difference, Found
from sim.gateware.gate_bench import GateBench, GatewareGate, told_fields
from sim.gateware.rows import Array
from sim.risk_driver import SYMBOLS, Pair, new_gate

STYLES = ("random", "packed")
LONGEST_BURST = 12
BURST_CYCLES, CYCLES_EACH = 120, 40
"""How long a burst is given: about as long as most requests of it take."""

WIDEST_SYMBOL, WIDEST_STRATEGY, WIDEST_VENUE = 7, 3, 7
"""What fits into the indexes of the bench's gate."""


def model(seed: int = 1) -> harness.Model:
    """The bench, compiled."""
    return harness.model(GateBench(), "gate_bench", seed=seed, optimise="-O1")


class Triple(Pair):
    """The driver's steps for all three; :attr:`gate` is the one in gateware."""

    def __init__(self, seed: int, model: harness.Model) -> None:
        self.model = model
        self.told_ns = 0
        self.compiled: RiskGate = new_gate()
        super().__init__(seed)

    def make_gate(self) -> GatewareGate:
        """The gate in gateware, just reset."""
        gate = GatewareGate(self.model)
        gate.set_symbol_count(SYMBOLS)
        return gate

    def in_time(self) -> None:
        """All three know what time it is."""
        if self.told_ns != self.t_ns:
            self.told_ns = self.t_ns
            self.gate.set_time(self.t_ns)
        for gate in (self.reference, self.compiled):
            gate.timer(self.t_ns)

    def gates(self) -> tuple[Any, ...]:
        """Every gate that takes the driver's commands."""
        return (self.gate, self.compiled, self.reference)

    def both(self, command: str, *arguments: Any) -> None:
        """All three take it, or raise the same error; a new timeout counts at once."""
        self.in_time()
        super().both(command, *arguments)
        self.in_time()

    def tell(self, *told: Any) -> None:
        """Tell all what happened to an order or a position."""
        self.in_time()
        self.gate.tell(*told)
        for gate in (self.reference, self.compiled):
            gate.exposures.tell(*told)

    def clear(self) -> None:
        """Take kills back, as the reference names them: gateware does not list its own."""
        for scope, found in self.reference.kills().items():
            for id in found if isinstance(found, list) else [None] * found:
                if self.random.random() < 0.95:
                    self.both("arm_reset", scope, id)
                if self.random.random() < 0.02:
                    self.both("kill", *self.scope())
                self.both("reset_kill", scope, id)

    def request(self) -> Request:
        """What has no bits in a request can not be asked of gateware."""
        request = super().request()
        if not 0 <= request.price < 1 << 31:
            request.price = 0
        request.symbol_index = min(request.symbol_index, WIDEST_SYMBOL)
        request.strategy_id = min(request.strategy_id, WIDEST_STRATEGY)
        request.venue = min(request.venue, WIDEST_VENUE)
        request.post_only = min(request.post_only, 1)
        return request

    def submit(self) -> None:
        """One request, and everything is idle before and behind it."""
        self.in_time()
        request = self.request()
        by_trigger = request.action == NEW and self.random.random() < 0.7
        self.hold_against(
            request, self.gate.submit(request, by_trigger, self.random.random() < 0.1)
        )

    def hold_against(self, request: Request, verdict: dict[str, Any]) -> None:
        """What gateware decided is what the two in software decide now."""
        number = self.compiled.submit_order(t_ns=self.t_ns, **asdict(request))
        due = self.reference.submit(request, self.t_ns)
        given = verdict["request"]
        order = self.reference.exposures.orders.get(due)
        self.same("number in Cython", number, due)
        self.same("reason in Cython", self.compiled.last_reason, self.reference.last_reason)
        self.same("reason", verdict["reason"], self.reference.last_reason)
        self.same("number", verdict["user_ref_num"], due)
        self.same("pass", verdict["pass_number"], self.reference.passes if due else 0)
        self.same("time", verdict["t_ns"], self.t_ns)
        self.same("order named", given["user_ref_num"], request.user_ref_num)
        if order:
            self.same("symbol", given["symbol_index"], order.symbol_index)
            self.same("side", given["side"], order.side)
        if due and request.action == NEW:
            self.latest = request

    def same(self, what: str, found: Any, due: Any) -> None:
        """Raise :class:`Difference` unless both are equal."""
        if found != due:
            raise Difference(f"{what}: {found}, in the reference {due}; {self.where()}")

    def compare(self) -> None:
        """Everything that can be seen from outside, behind a step."""
        gate, compiled, reference = self.gate, self.compiled, self.reference
        row = self.model.run(cycles=1)[0]
        exposures = reference.exposures
        kills = reference.kills()
        for name, found, due in (
            ("gateware's counters", gate.counters(), reference.counters()),
            ("gateware's passes", gate.passes, reference.passes),
            ("gateware's alerts", gate.alerts, reference.totals.credit_alerts),
            ("gateware's open orders", int(row["open_orders"]), len(exposures.orders)),
            ("gateware's kill of all", bool(row["is_killed_global"]), kills["global"]),
            ("gateware's lost heartbeat", bool(row["is_killed_heartbeat"]), kills["heartbeat"]),
            ("Cython's counters", compiled.counters(), reference.counters()),
            ("Cython's passes", compiled.passes, reference.passes),
            ("Cython's kills", compiled.kills(), kills),
            ("Cython's daily totals", compiled.daily_totals(), reference.daily_totals()),
            ("Cython's exposures", compiled.exposures.totals(), exposures.totals()),
        ):
            self.same(name, found, due)
        for i in range(SYMBOLS):
            self.same(f"Cython's symbol {i}", compiled.exposures.symbol(i), exposures.symbol(i))
            executions = exposures.strategy_executions.get(i, 0)
            found = compiled.exposures.strategy_executions(i)
            self.same(f"Cython's executions of strategy {i}", found, executions)

    def where(self) -> str:
        """What reproduces a difference."""
        return f"gate, seed {self.seed}, step {self.steps}, time {self.t_ns} ns"


class Packed(Triple):
    """Most requests come in bursts: trigger, host and tells at once, each as fast as it is taken.

    The order in which gateware took them is the order in which the gates in software get them.
    """

    def submit(self) -> None:
        """A burst, or one request."""
        if self.random.random() < 0.3:
            super().submit()
        else:
            self.burst()

    def burst(self) -> None:
        """Everything at once, and then in the order in which it was taken."""
        r = self.random
        self.in_time()
        asked = [self.request() for _ in range(r.randrange(1, LONGEST_BURST))]
        told = [t for t in (self.told() for _ in range(r.randrange(len(asked) + 4))) if t]
        fired = self.request() if r.random() < 0.6 else None
        feeds = {}
        for port, given in (
            ("host", [self.gate.request_fields(request, by_trigger=False) for request in asked]),
            ("tell", [told_fields(*one) for one in told]),
        ):
            if given:
                feeds[port] = self._feed(port, given)
        cycles = BURST_CYCLES + CYCLES_EACH * (len(asked) + len(told))
        inputs = self.gate.inputs(cycles)
        if fired:
            fired.action = NEW
            self._fire(inputs, fired)
        self._replay(inputs, feeds, asked, told, fired)

    def _feed(self, port: str, given: list[dict[str, int]]) -> harness.Feed:
        """Transfers that come at once, or with pauses."""
        r, at, when = self.random, self.model.cycle, []
        pause = r.choice((0, 0, 3, 40))
        for _ in given:
            at += r.randrange(pause + 1)
            when.append(at)
        payloads = [self.gate.row(f"{port}__payload", **fields)[0] for fields in given]
        return harness.Feed(np.stack(payloads), np.array(when))

    def _fire(self, inputs: Array, request: Request) -> None:
        """The trigger shows a request all the time, and fires it for a while."""
        r = self.random
        first = 3 + r.randrange(60)
        until = first + r.choice((1, 1, 20, BURST_CYCLES // 2))
        fields = self.gate.request_fields(request, by_trigger=True)
        wrong = r.random() < 0.1
        inputs["trigger__prefetch"][first - 3 : until] = request.symbol_index ^ wrong
        inputs["trigger__candidate"][first - 1 : until] = self.gate.row(
            "trigger__candidate", **fields
        )[0]
        inputs["trigger__offers"][first - r.randrange(3) : until + r.randrange(3)] = 1
        inputs["trigger__fire"][first:until] = 1

    def _replay(
        self,
        inputs: Array,
        feeds: dict[str, harness.Feed],
        asked: list[Request],
        told: list[tuple[Any, ...]],
        fired: Request | None,
    ) -> None:
        """Run the burst to its end, and give what was taken to the gates in software."""
        start = self.model.cycle
        seen = self.gate.seen(inputs, "trigger__ready", **feeds)
        fires = inputs["trigger__fire"] != 0
        taken: list[tuple[int, int, Any]] = []
        for row in seen:
            at = int(row["cycle"]) - start
            if row["trigger__ready"] and at < len(fires) and fires[at]:
                taken.append((at + start, 0, fired))
        for port, rank, given in (("tell", 1, told), ("host", 2, asked)):
            if port in feeds:
                times = feeds[port].taken_at.tolist()
                taken += [(at, rank, one) for at, one in zip(times, given, strict=True)]
        taken.sort(key=lambda one: one[:2])
        verdicts = [row for row in seen if row["explained__valid"]]
        requests = [one for one in taken if one[1] != 1]
        self.same("number of verdicts", len(verdicts), len(requests))
        decided = iter(verdicts)
        for _, rank, given in taken:
            if rank == 1:
                for gate in (self.reference, self.compiled):
                    gate.exposures.tell(*given)
            else:
                self.hold_against(given, self.gate.decided(next(decided)))


class GateRun:
    """A run of one style from one seed, for at least so many cycles of gateware."""

    def __init__(self, style: str, seed: int, cycles: int) -> None:
        if style not in STYLES:
            raise ValueError(f"style is one of {', '.join(STYLES)}, not {style}")
        self.style, self.seed, self.cycles = style, seed, cycles

    def run(self, model: harness.Model) -> Found:
        """Make steps and hold everything against each other; a difference ends it."""
        begin = model.cycle
        triple = (Packed if self.style == "packed" else Triple)(self.seed, model)
        difference = ""
        try:
            while model.cycle - begin < self.cycles:
                triple.step()
        except (Difference, AssertionError) as found:
            difference = f"{found}; {triple.where()}, style {self.style}"
        counts = Counter(triple.reference.counters())
        counts["steps"] = triple.steps
        return Found(model.cycle - begin, counts, difference)

    @staticmethod
    def missing(counts: Counter[str]) -> list[str]:
        """Reasons that did not occur."""
        return [name for name in RISK.names if not counts[name]]
