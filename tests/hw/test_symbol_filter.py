# SPDX-License-Identifier: Apache-2.0
"""The table of instruments against its specification, read by two lines and written meanwhile."""

import os
import random

import numpy as np

from hw.symbol_filter import SymbolFilter
from nic.framing.arbiter_reference import ReferenceFilter
from sim.gateware import harness

SEED = int(os.environ.get("TICKWIRE_SEED", "51"))
TABLE_BITS = 8
SYMBOL_BITS = 6
CYCLES = 20_000
READ_CYCLES = 2


def packed(model, rows: list[dict[str, object]]) -> np.ndarray:
    layout = model.ports["write__payload"].layout
    numbers = [harness.pack(layout, row) for row in rows]
    return np.array(numbers, model.inputs(1, {})["write__payload"].dtype)


def test_same_as_reference() -> None:
    print(f"seed {SEED}")
    r = random.Random(SEED)
    model = harness.model(SymbolFilter(SYMBOL_BITS, TABLE_BITS), "symbol_filter", seed=SEED)
    assert not model.step()["init_done"]
    # Before the sweep is done nothing is wanted, whatever the RAM holds.
    early = model.run({"locate_a__valid": np.ones(64, np.uint64)})
    assert not any(model.field(early, "symbol_a", "is_wanted"))
    model.run(cycles=(1 << TABLE_BITS) + 2, when=None)
    before = model.cycle

    locates = (0, 1, 2, 3, 100, 255, 256, 257, 1 << TABLE_BITS + 4, 65535)
    lines = {}
    for name in "ab":
        lines[f"locate_{name}__valid"] = np.array(
            [r.random() < 0.7 for _ in range(CYCLES)], np.uint64
        )
        lines[f"locate_{name}__payload"] = np.array(
            [r.choice(locates) for _ in range(CYCLES)], np.uint64
        )
    writes = [
        {
            "locate": r.choice(locates),
            "row": {"is_wanted": r.getrandbits(1), "symbol_index": r.getrandbits(SYMBOL_BITS)},
        }
        for _ in range(CYCLES // 10)
    ]
    wait = np.sort(np.array([r.randrange(CYCLES) for _ in writes], np.int64)) + before
    feed = harness.Feed(packed(model, writes), wait)
    rows = model.run(lines, feeds={"write": feed})
    taken = dict(zip((feed.taken_at - before).tolist(), writes, strict=False))

    known: dict[int, int] = {}
    expected = dict.fromkeys("ab", (False, 0))
    shown = {name: [(False, 0)] * READ_CYCLES for name in "ab"}
    unwanted = wanted = 0
    for cycle in range(CYCLES):
        for name in "ab":
            if lines[f"locate_{name}__valid"][cycle]:
                locate = int(lines[f"locate_{name}__payload"][cycle])
                expected[name] = ReferenceFilter(known, TABLE_BITS).find(locate)
                wanted, unwanted = wanted + expected[name][0], unwanted + (not expected[name][0])
            shown[name].append(expected[name])
            found = model.fields(rows[cycle], f"symbol_{name}")
            is_wanted, index = shown[name][cycle]
            assert found["is_wanted"] == is_wanted, cycle
            assert not is_wanted or found["symbol_index"] == index, cycle
        if write := taken.get(cycle):
            row = write["row"]
            if row["is_wanted"]:
                known[write["locate"]] = row["symbol_index"]
            else:
                known.pop(write["locate"], None)
    assert wanted > 1000 and unwanted > 1000
