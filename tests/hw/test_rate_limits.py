# SPDX-License-Identifier: Apache-2.0
"""The token buckets against the reference, by session, symbol and strategy."""

import os
import random

import pytest

from host.risk.reference_recent import ReferenceBuckets
from hw.rate_limits import KINDS, RateLimits
from nic.offload.derived import Bucket, bucket
from sim.gateware import harness

SEED = int(os.environ.get("TICKWIRE_SEED", "17"))
BITS = {"session": 2, "symbol": 3, "strategy": 2}
TAKE_CYCLES = 8


@pytest.fixture(scope="module")
def model():
    """Small tables; their memories start with garbage."""
    made = harness.model(
        RateLimits(BITS["symbol"], BITS["strategy"], BITS["session"]), "rate_limits", seed=SEED
    )
    made.run(cycles=100, when=None)
    return made


def words(limit: Bucket) -> dict[str, int]:
    return {
        "interval_ns": limit.interval_ns,
        "tolerance_ns": limit.tolerance_ns,
        "is_closed": int(limit.is_closed),
    }


def some_bucket(r: random.Random) -> Bucket:
    if r.random() < 0.03:
        return bucket((1 << 20) - 1, (1 << 16) - 1)
    if r.random() < 0.03:
        return bucket(1, (1 << 16) - 1)
    rate = r.choice((0, 60, 3_000, 1_000_000, 1_000_000))
    return bucket(rate, r.choice((0, 1, 2, 5, 5)))


def ask(model, r: random.Random, key: dict[str, int], t_ns: int, limits: dict) -> dict[str, int]:
    """What a request of now is told; others are on their way before it and behind it."""

    def others(*kinds: str) -> dict[str, int]:
        return {kind: r.randrange(1 << BITS[kind]) for kind in kinds}

    given = {f"{kind}_limit": words(limits[kind]) for kind in KINDS}
    model.step(symbol=key["symbol"])
    model.step(**others(*KINDS))
    named = {"session": key["session"], "strategy": key["strategy"]}
    model.step(t_ns=t_ns, **others("symbol"), **named)
    model.step(t_ns=r.getrandbits(63), **others(*KINDS), **given)
    told = model.step(t_ns=r.getrandbits(63), **others(*KINDS))
    return {kind: told[f"{kind}_is_empty"] for kind in KINDS}


def test_same_as_reference(model) -> None:
    print(f"seed {SEED}")
    r = random.Random(SEED)
    model.reset()
    assert not model.step()["init_done"]
    model.run(cycles=8, when=None)
    reference = {kind: ReferenceBuckets() for kind in KINDS}
    limits = {kind: some_bucket(r) for kind in KINDS}
    t_ns, seen = 10**12, {kind: [0, 0] for kind in KINDS}
    for _ in range(4_000):
        t_ns += r.choice((0, 1, 999, 1_000, 1_001, 1_000_000))
        if r.random() < 0.05:
            t_ns += 3 * 10**10
        if r.random() < 0.005:
            t_ns = r.choice((1, t_ns // 2, (1 << 62) + 5, 10**12))
        if r.random() < 0.05:
            kind = r.choice(KINDS)
            limits[kind] = some_bucket(r)
        key = {kind: r.randrange(1 << BITS[kind]) for kind in KINDS}
        found = ask(model, r, key, t_ns, limits)
        for kind in KINDS:
            expected = not reference[kind].has_token(key[kind], limits[kind], t_ns)
            assert found[kind] == expected, f"{kind}, seed {SEED}"
            seen[kind][expected] += 1
        if r.random() < 0.7:
            given = {f"{kind}_limit": words(limits[kind]) for kind in KINDS} | key
            now = model.step(take_valid=1, take_t_ns=t_ns, **given)
            assert now["take_ready"]
            cycles = 1
            while not model.step(**given)["take_ready"]:
                cycles += 1
            assert cycles <= TAKE_CYCLES
            for kind in KINDS:
                reference[kind].take(key[kind], limits[kind], t_ns)
    assert min(min(counts) for counts in seen.values()) > 200, seen
