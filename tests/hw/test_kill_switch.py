# SPDX-License-Identifier: Apache-2.0
"""The kill switch against the reference, and how late a kill may come."""

import os
import random

import pytest

from host.risk.reference_switches import ReferenceSwitches
from hw.kill_switch import KillSwitch, Step
from nic.offload.enumerations import GATE, KILL_SCOPE
from sim.gateware import harness

SEED = int(os.environ.get("TICKWIRE_SEED", "23"))
SYMBOL_BITS = 4
VIEW_CYCLES = 2
NAMES = KILL_SCOPE.names
SIZES = {
    "session": GATE.value("venues"),
    "strategy": 16,
    "symbol": 1 << SYMBOL_BITS,
}


@pytest.fixture
def model():
    """A switch after its sweep; its memory started with garbage."""
    made = harness.model(KillSwitch(SYMBOL_BITS, 4, 4), "kill_switch", seed=SEED)
    assert not made.step()["init_done"]
    made.run(cycles=(1 << SYMBOL_BITS) + 1, when=None)
    assert made.step()["init_done"]
    return made


def command(step: str, scope: str, id: int | None) -> dict:
    fields = {"step": Step[step.upper()].value, "scope": KILL_SCOPE.value(scope), "id": id or 0}
    return {"valid": 1, "command": fields}


def test_same_as_reference(model) -> None:
    print(f"seed {SEED}")
    r = random.Random(SEED)
    reference = ReferenceSwitches(SIZES["symbol"])
    reference.sizes = SIZES
    t_ns, timeout_ns, refused, losses = 10**12, 0, 0, 0
    for _ in range(5_000):
        t_ns += r.choice((0, 0, 1, 50, 400))
        kind = r.choices(("kill", "arm", "reset", "heartbeat", "timeout", "ask"),
                         (4, 12, 12, 30, 1, 20))[0]  # fmt: skip
        # the gate's time runs on: the reference is told of it
        for _ in range(3):
            model.step(t_ns=t_ns, timeout_ns=timeout_ns)
        reference.expire(t_ns, timeout_ns)
        if kind in ("kill", "arm", "reset"):
            killed = sorted(reference.on, key=str)
            if kind != "kill" and killed and r.random() < 0.8:
                scope, id = r.choice(killed)
            else:
                scope = r.choice(NAMES)
                id = r.randrange(min(SIZES[scope], 3)) if scope in SIZES else None
                if id is not None and r.random() < 0.05:
                    id = SIZES[scope] + r.randrange(9)
            if kind == "reset" and reference.armed and r.random() < 0.8:
                scope, id = reference.armed
            model.step(t_ns=t_ns, timeout_ns=timeout_ns, **command(kind, scope, id))
            try:
                {"kill": reference.kill, "arm": reference.arm_reset,
                 "reset": reference.reset_kill}[kind](scope, id)  # fmt: skip
            except (ValueError, IndexError, RuntimeError):
                refused += 1
        elif kind == "heartbeat":
            model.step(t_ns=t_ns, timeout_ns=timeout_ns, heartbeat=1)
            reference.heartbeat(t_ns, timeout_ns)
        elif kind == "timeout":
            timeout_ns = r.choice((0, 100, 3_000, 3_000, (1 << 40) - 1))
        key = {name: r.randrange(3) for name in SIZES}
        for _ in range(3):
            model.step(t_ns=t_ns, timeout_ns=timeout_ns)
        reference.expire(t_ns, timeout_ns)
        view = {"venue": key["session"], "strategy": key["strategy"], "symbol_index": key["symbol"]}
        model.step(t_ns=t_ns, timeout_ns=timeout_ns, **view)
        model.step(t_ns=t_ns, timeout_ns=timeout_ns)
        now = model.step(t_ns=t_ns, timeout_ns=timeout_ns)
        found = {name: now[f"kill_{name}"] for name in ("global", *SIZES)}
        expected = {name: reference.is_killed(name, key.get(name)) for name in found}
        assert found == expected, f"seed {SEED}"
        assert now["heartbeat_lost"] == reference.is_heartbeat_lost(timeout_ns), f"seed {SEED}"
        assert now["refused"] == refused, f"seed {SEED}"
        losses += now["heartbeat_lost"]
    assert refused > 100 and losses > 100


@pytest.mark.parametrize("scope", ["global", *SIZES])
@pytest.mark.parametrize("cycle", range(VIEW_CYCLES + 2))
def test_kill_up_to_the_cycle_before_the_last(model, scope: str, cycle: int) -> None:
    """A kill in any cycle before the last stops the request on its way, and no other one."""
    view = {"venue": 5, "strategy": 5, "symbol_index": 5}
    for id, is_hit in ((5, True), (6, scope == "global")):
        model.reset()
        model.run(cycles=(1 << SYMBOL_BITS) + 1, when=None)
        found = {}
        for now in range(VIEW_CYCLES + 2):
            inputs = dict(view) if now == 0 else {"venue": 9, "strategy": 9, "symbol_index": 9}
            if now == cycle:
                inputs |= command("kill", scope, None if scope == "global" else id)
            found[now] = model.step(**inputs)[f"kill_{scope}"]
        assert found[VIEW_CYCLES] == (is_hit and cycle < VIEW_CYCLES)


def test_reset_takes_two_steps(model) -> None:
    model.step(**command("kill", "global", None))
    model.step(**command("reset", "global", None))
    assert model.step()["is_killed_global"]
    model.step(**command("arm", "global", None))
    model.step(**command("kill", "symbol", 3))  # disarms
    model.step(**command("reset", "global", None))
    assert model.step()["is_killed_global"]
    model.step(**command("arm", "symbol", 3))
    model.step(**command("reset", "global", None))
    assert model.step()["is_killed_global"]
    model.step(**command("arm", "global", None))
    assert model.step()["is_killed_global"]
    model.step(**command("reset", "global", None))
    assert not model.step()["is_killed_global"]


def test_heartbeat_at_the_deadline_is_in_time(model) -> None:
    """A heartbeat moves the deadline at once, whatever the time does in the next cycle."""
    given = {"timeout_ns": 100}
    model.step(t_ns=1_000, heartbeat=1)
    model.step(t_ns=1_000, **given)
    model.step(t_ns=1_001, **given)
    model.step(t_ns=1_100, heartbeat=1, **given)
    for t_ns in (1_106, 1_150, 1_200, 1_200, 1_200):
        assert not model.step(t_ns=t_ns, **given)["heartbeat_lost"]
    model.step(t_ns=1_201, **given)
    model.step(t_ns=1_201, **given)
    assert model.step(t_ns=1_201, **given)["is_killed_heartbeat"]
