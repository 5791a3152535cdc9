# SPDX-License-Identifier: Apache-2.0
"""The stage clock."""

import pytest

from host.metrics.enumerations import INTERVAL
from host.metrics.stages import StageClock


def test_each_interval_is_recorded_in_nanoseconds():
    clock = StageClock(0.5)
    clock.add([100, 110, 130, 160, 200, 250])
    clock.add([102, 112, 132, 162, 202, 452])
    summary = clock.summary()
    assert tuple(summary) == INTERVAL.names
    assert summary.pop("following")["count"] == 0
    assert {name: each["min"] for name, each in summary.items()} == {
        "decode": 5,
        "book": 10,
        "strategy": 15,
        "risk": 20,
        "send": 25,
        "total": 75,
    }
    assert summary["total"]["max"] == 175
    assert all(each["count"] == 2 for each in summary.values())
    assert clock.counters() == {"orders": 2, "missing": 0, "backwards": 0}


def test_further_orders_of_a_packet_stand_apart():
    clock = StageClock(1.0)
    clock.add([100, 110, 130, 160, 200, 250])
    clock.add([100, 110, 130, 300, 330, 400])
    summary = clock.summary()
    assert summary["total"]["count"] == summary["following"]["count"] == 1
    assert summary["total"]["max"] == 150
    assert summary["following"]["max"] == 300


def test_missing_and_backward_stamps_are_left_out_and_counted():
    clock = StageClock(1.0)
    clock.add([0, 0, 0, 160, 200, 250])
    clock.add([100, 90, 130, 160, 200, 250])
    summary = clock.summary()
    counts = {name: each["count"] for name, each in summary.items()}
    assert counts == {
        "decode": 0,
        "book": 1,
        "strategy": 1,
        "risk": 2,
        "send": 2,
        "total": 1,
        "following": 0,
    }
    assert clock.counters() == {"orders": 2, "missing": 4, "backwards": 1}
    clock.reset()
    assert clock.counters()["orders"] == 0
    assert clock.summary()["risk"]["count"] == 0


def test_wrong_arguments():
    with pytest.raises(ValueError):
        StageClock(0)
    with pytest.raises(ValueError):
        StageClock(1.0).add([1, 2, 3])
