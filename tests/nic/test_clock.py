# SPDX-License-Identifier: Apache-2.0
import time

from nic.clock import Clock, rdtsc_py, tsc_is_invariant


def test_epoch_is_the_system_clocks():
    clock = Clock()
    assert abs(clock.now_ns() - time.time_ns()) < 5_000_000


def test_never_runs_backwards():
    clock = Clock()
    readings = [clock.now_ns() for _ in range(20_000)]
    assert readings == sorted(readings)
    assert readings[-1] > readings[0]


def test_rate_is_the_kernels():
    clock = Clock()
    before, raw_before = clock.now_ns(), time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    time.sleep(0.2)
    after, raw_after = clock.now_ns(), time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    # Slack for being interrupted between two readings on a busy machine.
    assert abs((after - before) - (raw_after - raw_before)) < 1_000_000


def test_stamps_before_and_long_after_the_base():
    clock = Clock()
    ticks = round(10**9 / clock.ns_per_tick)
    assert abs(clock.to_ns(clock.base_tsc) - clock.base_ns) == 0
    assert abs(clock.to_ns(clock.base_tsc - ticks) - (clock.base_ns - 10**9)) <= 2
    year = 365 * 86_400
    expected = clock.base_ns + year * 10**9
    assert abs(clock.to_ns(clock.base_tsc + ticks * year) - expected) < year * 2


def test_counter_counts():
    first = rdtsc_py()
    assert rdtsc_py() > first
    assert isinstance(tsc_is_invariant(), bool)


def test_drift_is_small_at_first():
    assert abs(Clock().drift_ns()) < 1_000_000
