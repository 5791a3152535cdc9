# SPDX-License-Identifier: Apache-2.0
"""The decision in gateware is the reference's, for states at the edges of all limits."""

import os
import random
from collections import Counter

import numpy as np
import pytest
from risk_edges import EDGES
from risk_support import CHECKS, ORDER_BITS, STRATEGY_BITS, SYMBOL_BITS, VENUE_BITS, Case

from hw.risk_decision import DECISION_CYCLES, NOTIONAL_CYCLES, REASON_CYCLES, RiskDecision
from nic.offload.enumerations import ALL_CHECKS, RISK
from nic.offload.limits import Limits
from sim.gateware import harness, rows

pytestmark = pytest.mark.timeout(900)  # compiling, or proving, on a busy machine

SEED = int(os.environ.get("TICKWIRE_SEED", "20261122"))
CASES = 10_000


@pytest.fixture(scope="module")
def model():
    decision = RiskDecision(ORDER_BITS, SYMBOL_BITS, STRATEGY_BITS, VENUE_BITS)
    return harness.model(decision, "risk_decision", optimise="-O1")


def drawn(rng):
    """A case at one to three edges, with most or few checks enabled."""
    case = Case(rng)
    names = rng.sample(list(EDGES), rng.choice((0, 1, 1, 2, 3)))
    for name in sorted(names, key=("unknown_symbol", "no_limits_set").__contains__):
        if case.values:
            EDGES[name](case)
    if case.values:
        if rng.random() < 0.3:
            chosen = rng.sample(CHECKS, rng.randrange(1, 6))
            case.values["enabled_checks"] = sum(1 << number for number in chosen)
        elif rng.random() < 0.5:
            hard = ("short_sale_mark", "self_trade", "short_sale_locate")
            case.values["enabled_checks"] = ALL_CHECKS & ~sum(1 << RISK.value(n) for n in hard)
    case.gate.default = Limits(**case.values) if case.values else None
    return case


def test_decision_equals_reference(model):
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    delays = {"view": 0, "late": 2, "is_duplicate": 3}
    views, expected = {name: [] for name in delays}, []
    seen = Counter()
    for _ in range(CASES):
        case = drawn(rng)
        seen_by_gateware = case.view()
        for name, values in seen_by_gateware.items():
            layout = model.ports[name].layout
            views[name].append(harness.pack(layout, values) if layout else values)
        request = case.request
        order = case.gate.resolve(request)
        reason = case.gate.check(request, order, case.t_ns)
        seen[RISK.name_of(reason)] += 1
        alerts = notional = None
        if reason == 0:
            notional = case.gate.measure(request, order).notional if request.action != 2 else None
            case.gate.take(request, order, case.t_ns)
            alerts = case.gate.totals.credit_alerts
        expected.append((reason, notional, alerts))
    print(sorted(seen.items(), key=lambda item: -item[1]))
    assert [name for name in RISK.names if not seen[name]] == []

    model.reset()
    padded = {
        name: [0] * delays[name] + views[name] + [0] * (NOTIONAL_CYCLES - delays[name])
        for name in views
    }
    inputs = {name: rows_of(model, name, numbers) for name, numbers in padded.items()}
    outputs = model.run(inputs)
    for i, (reason, notional, alerts) in enumerate(expected):
        where = f"seed {SEED}, case {i}"
        row = outputs[i + DECISION_CYCLES]
        got = int(outputs[i + REASON_CYCLES]["reason"])
        assert RISK.name_of(got) == RISK.name_of(reason), where
        assert int(row["passed"]) == (reason == 0), where
        if reason == 0:
            assert int(row["is_credit_alert"]) == alerts, where
        if notional is not None:
            assert int(outputs[i + NOTIONAL_CYCLES]["notional"]) == notional, where


def rows_of(model, name, numbers):
    bits = model.ports[name].width_bits
    octets = np.stack([rows.from_int(number, bits) for number in numbers])
    return rows.port_array(octets, bits)
