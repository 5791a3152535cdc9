# SPDX-License-Identifier: Apache-2.0
"""The Cython gate decides as its reference does, whatever the steps."""

import pytest
from risk_driver import Pair

STEPS = 4_000


@pytest.mark.parametrize("seed", range(6))
def test_gate_equals_reference(seed):
    pair = Pair(seed)
    for _ in range(STEPS):
        pair.step()
    assert pair.gate.counters()["passed"] > STEPS // 50, pair.where()


def test_every_reason_occurs():
    total = {}
    for seed in range(100, 106):
        pair = Pair(seed)
        for _ in range(STEPS):
            pair.step()
        for name, count in pair.gate.counters().items():
            total[name] = total.get(name, 0) + count
    assert [name for name, count in total.items() if count == 0] == []
