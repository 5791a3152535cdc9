# SPDX-License-Identifier: Apache-2.0
"""The table of recent orders against the reference: what it holds, and what it forgets."""

import os
import random

import numpy as np
import pytest

from host.risk.reference_recent import ReferenceRecent
from host.risk.reference_request import SELLS, Request
from hw.recent_orders import RecentOrders
from sim.gateware import harness

SEED = int(os.environ.get("TICKWIRE_SEED", "11"))
LOOK_UP_CYCLES = 3


@pytest.fixture(scope="module")
def model():
    """The table; its memories start with garbage."""
    made = harness.model(RecentOrders(symbol_bits=10, strategy_bits=4), "recent_orders", seed=SEED)
    for _ in range(3):
        made.run(cycles=1000, when=None)
    return made


def set_of(request: Request) -> int:
    return ReferenceRecent.index(ReferenceRecent.key(request))


def key(request: Request) -> dict[str, int]:
    return {
        "price": request.price,
        "quantity": request.quantity,
        "is_sell": int(request.side in SELLS),
        "symbol_index": request.symbol_index,
        "strategy": request.strategy_id,
    }


def asked(request: Request) -> dict[str, object]:
    return {"key": key(request), "set": set_of(request)}


def some_requests(r: random.Random) -> list[Request]:
    """Orders of which many fall into a few sets: more than there are ways."""
    by_set: dict[int, list[Request]] = {}
    while max((len(v) for v in by_set.values()), default=0) < 9:
        request = Request(
            0,
            side=r.choice((66, *SELLS)),
            quantity=r.randrange(1, 1 << 20),
            price=r.randrange(1, 1 << 31),
            symbol_index=r.randrange(1 << 10),
            strategy_id=r.randrange(1 << 4),
        )
        by_set.setdefault(set_of(request), []).append(request)
    crowded = sorted(by_set.values(), key=len)[-12:]
    return [request for group in crowded for request in group]


def test_same_as_reference(model) -> None:
    r = random.Random(SEED)
    print(f"seed {SEED}")
    known = some_requests(r)
    model.reset()
    assert not model.step()["init_done"]
    model.run(cycles=1 << 10, when=None)
    assert model.step()["init_done"]
    reference = ReferenceRecent()
    t_ns, seen = 10**12, [0, 0]
    for _ in range(4_000):
        t_ns = min(t_ns + r.choice((0, 1, 1_000, 1_000_000)), (1 << 63) - 1)
        if r.random() < 0.01:
            t_ns = r.choice((max(t_ns - 10**9, 0), 5, (1 << 63) - 1 - 10**9, 10**12))
        request, window_ns = r.choice(known), r.choice((0, 1, 5_000, 10**7, (1 << 40) - 1))
        for _ in range(r.randrange(3)):  # look-ups for nothing are on the way all the time
            model.step(**asked(r.choice(known)), t_ns=t_ns, window_ns=window_ns)
        model.step(**asked(request), t_ns=t_ns, window_ns=window_ns)
        for _ in range(LOOK_UP_CYCLES - 1):
            model.step(
                **asked(r.choice(known)), t_ns=r.getrandbits(63), window_ns=r.getrandbits(40)
            )
        found = model.step()["holds"]
        expected = reference.holds(request, t_ns, window_ns)
        assert found == expected, f"seed {SEED}"
        seen[found] += 1
        if r.random() < 0.6:
            reference.remember(request, t_ns)
            now = model.step(remember_valid=1, remember_key=key(request), remember_t_ns=t_ns)
            assert now["remember_ready"]
            cycles = 0
            while not model.step(**asked(request))["remember_ready"]:
                cycles += 1
            assert cycles <= 10
    assert min(seen) > 300


def test_look_up_every_cycle(model) -> None:
    """One answer per cycle, each for its own key."""
    r = random.Random(SEED + 1)
    model.reset()
    model.run(cycles=(1 << 10) + 1, when=None)
    known = some_requests(r)
    reference = ReferenceRecent()
    for request in known[::2]:
        reference.remember(request, 1_000)
        model.step(remember_valid=1, remember_key=key(request), remember_t_ns=1_000)
        while not model.step(**asked(request))["remember_ready"]:
            pass
    looked_up = [r.choice(known) for _ in range(500)]
    columns = {
        name: np.array([key(request)[name] for request in looked_up], np.uint64)
        for name in key(looked_up[0])
    }
    sets = np.array([set_of(request) for request in looked_up], np.uint64)
    rows = model.run({"key": columns, "set": sets, "t_ns": 1_500, "window_ns": 600}, cycles=500)
    expected = [reference.holds(request, 1_500, 600) for request in looked_up]
    assert rows["holds"][LOOK_UP_CYCLES:].tolist() == expected[:-LOOK_UP_CYCLES]
    assert 0 < sum(expected) < 500
