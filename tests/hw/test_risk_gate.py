# SPDX-License-Identifier: Apache-2.0
"""The risk gate in gateware decides as reference and Cython do, whatever the commands."""

import os
from collections import Counter

import pytest

from nic.offload.enumerations import RISK
from sim.gateware import equality_gate
from sim.gateware.equality_gate import Packed, Triple

SEED = int(os.environ.get("TICKWIRE_SEED", "0"))
STEPS = 3_000
RUNS = 11
PACKED_RUNS, PACKED_STEPS = 4, 1_000
EVENT_TO_VERDICT_CYCLES = 5


@pytest.fixture(scope="module")
def model():
    return equality_gate.model()


def played_by(kind, model, runs, steps):
    """Counters and latencies over all runs; everything is compared on the way."""
    counters, latencies = Counter(), {}
    for seed in range(1_000 * SEED, 1_000 * SEED + runs):
        print(f"seed {seed}")
        triple = kind(seed, model)
        for _ in range(steps):
            triple.step()
        counters.update(triple.gate.counters())
        for origin, cycles in triple.gate.latencies.items():
            latencies.setdefault(origin, []).extend(cycles)
    return counters, latencies


@pytest.fixture(scope="module")
def played(model):
    return played_by(Triple, model, RUNS, STEPS)


@pytest.fixture(scope="module")
def packed(model):
    """Requests and tells all at once: decided as one by one in the order they were taken in."""
    return played_by(Packed, model, PACKED_RUNS, PACKED_STEPS)


@pytest.mark.timeout(600)
def test_gate_equals_reference(played):
    counters, _ = played
    print(sorted(counters.items(), key=lambda item: item[1]))
    assert sum(counters.values()) >= RUNS * STEPS // 3


@pytest.mark.timeout(600)
def test_packed_gate_equals_reference(packed):
    counters, _ = packed
    assert sum(counters.values()) >= 2 * PACKED_RUNS * PACKED_STEPS


def test_every_reason_occurs(played, packed):
    counters = played[0] + packed[0]
    assert [name for name in RISK.names if not counters[name]] == []


def test_latency(played):
    _, latencies = played
    for kind, cycles in latencies.items():
        print(f"{kind}: {min(cycles)} to {max(cycles)} cycles, {len(cycles)} requests")
    assert set(latencies["fast"]) == {EVENT_TO_VERDICT_CYCLES}
