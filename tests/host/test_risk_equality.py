# SPDX-License-Identifier: Apache-2.0
"""The Cython gate decides as its reference does, whatever the steps; TICKWIRE_SEED varies them."""

import os
from collections import Counter

import pytest

from sim.risk_driver import Pair

STEPS = 3_000
FIRST = 1_000 * int(os.environ.get("TICKWIRE_SEED", "0"))
SEEDS = range(FIRST, FIRST + 16)


@pytest.fixture(scope="module")
def counters():
    """Counters of a run by seed; everything is compared after each step."""
    print(f"seeds {SEEDS}")
    found = {}
    for seed in SEEDS:
        pair = Pair(seed)
        for _ in range(STEPS):
            pair.step()
        found[seed] = pair.gate.counters() | pair.gate.daily_totals()
    return found


def test_gate_equals_reference(counters):
    assert sum(found["passed"] for found in counters.values()) > len(SEEDS) * STEPS // 50


def test_every_reason_occurs(counters):
    total = sum((Counter(found) for found in counters.values()), Counter())
    assert [name for name in next(iter(counters.values())) if total[name] == 0] == []
