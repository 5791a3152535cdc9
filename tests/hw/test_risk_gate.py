# SPDX-License-Identifier: Apache-2.0
"""The risk gate in gateware decides as its reference does, whatever the commands."""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest
from risk_gate_bench import GateBench, GatewareGate

from host.risk.reference_request import NEW
from sim.gateware import harness

sys.path.append(str(Path(__file__).parent.parent / "host"))
from risk_driver import SYMBOLS, Pair

SEED = int(os.environ.get("TICKWIRE_SEED", "0"))
STEPS = 3_500
RUNS = 12
EVENT_TO_VERDICT_CYCLES = 5


@pytest.fixture(scope="module")
def model():
    return harness.model(GateBench(), "gate_bench", optimise="-O1")


class GatewarePair(Pair):
    """The same steps as for the gate in software, within the widths of this gateware."""

    def __init__(self, seed, model):
        self.model = model
        self.told_ns = 0
        self.verdict = None
        super().__init__(seed)

    def make_gate(self):
        gate = GatewareGate(self.model)
        gate.set_symbol_count(SYMBOLS)
        return gate

    def in_time(self):
        """The gate looks at the time in every cycle: so does the reference."""
        if self.told_ns != self.t_ns:
            self.told_ns = self.t_ns
            self.gate.set_time(self.t_ns)
        self.reference.timer(self.t_ns)

    def both(self, command, *arguments):
        self.in_time()
        super().both(command, *arguments)
        self.reference.timer(self.t_ns)

    def tell(self, *told):
        self.in_time()
        self.gate.tell(*told)
        self.reference.exposures.tell(*told)

    def clear(self):
        for scope, found in self.reference.kills().items():
            for id in found if isinstance(found, list) else [None] * found:
                if self.random.random() < 0.95:
                    self.both("arm_reset", scope, id)
                if self.random.random() < 0.02:
                    self.both("kill", *self.scope())
                self.both("reset_kill", scope, id)

    def request(self):
        """What has no bits in a request can not be asked of gateware."""
        request = super().request()
        if not 0 <= request.price < 1 << 31:
            request.price = 0
        request.symbol_index = min(request.symbol_index, 7)
        request.strategy_id = min(request.strategy_id, 3)
        request.venue = min(request.venue, 7)
        request.post_only = min(request.post_only, 1)
        return request

    def submit(self):
        self.in_time()
        request = self.request()
        r = self.random
        by_trigger = request.action == NEW and r.random() < 0.7
        verdict = self.gate.submit(request, by_trigger, r.random() < 0.1)
        number = self.reference.submit(request, self.t_ns)
        assert verdict["reason"] == self.reference.last_reason, self.where()
        assert verdict["user_ref_num"] == number, self.where()
        assert verdict["t_ns"] == self.t_ns, self.where()
        assert verdict["request"]["user_ref_num"] == request.user_ref_num, self.where()
        order = self.reference.exposures.orders.get(number)
        if order:
            assert verdict["request"]["symbol_index"] == order.symbol_index, self.where()
            assert verdict["request"]["side"] == order.side, self.where()
        if number and request.action == NEW:
            self.latest = request

    def compare(self):
        gate, reference = self.gate, self.reference
        assert gate.last_reason == reference.last_reason, self.where()
        assert gate.passes == reference.passes, self.where()
        assert gate.counters() == reference.counters(), self.where()
        assert gate.alerts == reference.totals.credit_alerts, self.where()

    def where(self):
        return f"seed {self.seed}, step {self.steps}, time {self.t_ns}"


@pytest.fixture(scope="module")
def played(model):
    """Counters and latencies over all runs; verdicts are compared on the way."""
    counters, latencies = Counter(), {}
    for seed in range(1_000 * SEED, 1_000 * SEED + RUNS):
        print(f"seed {seed}")
        pair = GatewarePair(seed, model)
        for _ in range(STEPS):
            pair.step()
        counters.update(pair.gate.counters())
        for kind, cycles in pair.gate.latencies.items():
            latencies.setdefault(kind, []).extend(cycles)
    return counters, latencies


def test_gate_equals_reference(played):
    counters, _ = played
    print(sorted(counters.items(), key=lambda item: item[1]))
    assert sum(counters.values()) >= 20_000


def test_every_reason_occurs(played):
    counters, _ = played
    assert [name for name, count in counters.items() if not count] == []


def test_latency(played):
    _, latencies = played
    for kind, cycles in latencies.items():
        print(f"{kind}: {min(cycles)} to {max(cycles)} cycles, {len(cycles)} requests")
    assert set(latencies["fast"]) == {EVENT_TO_VERDICT_CYCLES}
