# SPDX-License-Identifier: Apache-2.0
"""Kill scopes, drain states, and the dead-man switch."""

from dataclasses import replace

import pytest
from oms_support import BUY, LIMITS, NOW, TOP, Desk

MILLISECOND = 1_000_000


def desk_with_timeout(timeout_ns: int) -> Desk:
    """A desk whose control thread has to speak."""
    desk = Desk()
    desk.gate.set_limits(None, replace(LIMITS, heartbeat_timeout_ns=timeout_ns), 2)
    return desk


def reason(desk: Desk, t_ns: int, **request: int) -> str:
    """What becomes of an order at a time."""
    desk.gate.set_top(0, {**TOP, "updated_ns": t_ns})
    values = {"side": BUY, "quantity": 100, "price": 100_000, **request}
    desk.submit(0, t_ns, **values)
    return desk.gate.last_reason_name


def test_a_session_is_killed_alone():
    desk = Desk(venues=2)
    desk.gate.kill("session", 1)
    assert desk.gate.kills()["session"] == [1]
    assert reason(desk, NOW, venue=1) == "kill_session"
    assert reason(desk, NOW, venue=0) == "passed"


@pytest.mark.parametrize(
    "scope, number", [("global", None), ("session", 0), ("strategy", 3), ("symbol", 0)]
)
def test_a_kill_drains(scope, number):
    desk = Desk()
    assert desk.gate.kill_state(scope, number) == "running"
    order = desk.new(strategy_id=3)
    desk.accept(order)
    desk.gate.kill(scope, number)
    assert desk.gate.kill_state(scope, number) == "draining"
    assert desk.oms.cancel_all(NOW) == 1
    assert desk.gate.kill_state(scope, number) == "draining"
    desk.report("canceled", order, quantity=100)
    assert desk.gate.kill_state(scope, number) == "drained"
    desk.gate.arm_reset(scope, number)
    desk.gate.reset_kill(scope, number)
    assert desk.gate.kill_state(scope, number) == "running"


def test_a_kill_drains_only_its_own_orders():
    desk = Desk()
    desk.new(strategy_id=3, symbol_index=1)
    for scope, number in (("strategy", 4), ("symbol", 0)):
        desk.gate.kill(scope, number)
        assert desk.gate.kill_state(scope, number) == "drained"


def test_nothing_passes_before_the_first_heartbeat():
    desk = desk_with_timeout(10 * MILLISECOND)
    assert reason(desk, NOW) == "heartbeat_lost"
    assert not desk.gate.kills()["heartbeat"]
    desk.gate.heartbeat(NOW)
    assert reason(desk, NOW) == "passed"


@pytest.mark.parametrize("looks", ["request", "timer", "heartbeat", "cancel"])
def test_silence_kills_and_speech_does_not_revive(looks):
    desk = desk_with_timeout(10 * MILLISECOND)
    desk.gate.heartbeat(NOW)
    late = NOW + 10 * MILLISECOND
    assert reason(desk, late) == "passed"
    assert not desk.gate.kills()["heartbeat"]
    if looks == "request":
        assert reason(desk, late + 1) == "heartbeat_lost"
    elif looks == "cancel":
        assert desk.submit(2, late + 1, user_ref_num=1) == 1
    else:
        getattr(desk.gate, looks)(late + 1)
    assert desk.gate.kills()["heartbeat"]
    assert desk.gate.kill_state("heartbeat") == "draining"
    desk.gate.heartbeat(late + 2)
    assert reason(desk, late + 2) == "heartbeat_lost"
    with pytest.raises(RuntimeError, match="not armed"):
        desk.gate.reset_kill("heartbeat")
    desk.gate.arm_reset("heartbeat")
    desk.gate.reset_kill("heartbeat")
    assert reason(desk, late + 3) == "passed"


def test_silence_disarms_a_reset():
    desk = desk_with_timeout(10 * MILLISECOND)
    desk.gate.heartbeat(NOW)
    desk.gate.kill()
    desk.gate.arm_reset()
    desk.gate.timer(NOW + 11 * MILLISECOND)
    with pytest.raises(RuntimeError, match="not armed"):
        desk.gate.reset_kill()


def test_without_a_timeout_nobody_has_to_speak():
    desk = desk_with_timeout(0)
    desk.gate.heartbeat(1)
    assert reason(desk, NOW) == "passed"


def test_a_clock_that_goes_back_loses_no_heartbeat():
    desk = desk_with_timeout(10 * MILLISECOND)
    desk.gate.heartbeat(NOW)
    assert reason(desk, NOW - 50 * MILLISECOND) == "passed"
