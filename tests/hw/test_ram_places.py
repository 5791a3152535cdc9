# SPDX-License-Identifier: Apache-2.0
"""Where block RAMs lie on the device, and which of them a memory takes."""

import os
import random
from itertools import pairwise

import pytest

from hw.ram_places import Place, choose, places, table_of

SEED = int(os.environ.get("TICKWIRE_SEED", "23"))
BY_BEL = {place.bel: place for place in places()}


def scattered(tables: int, each: int, r: random.Random) -> dict[str, tuple[int, int]]:
    """Memories of some tables, on block RAMs all over the device."""
    names = [f"top.t{chr(97 + t)}.ram.0.{n}" for t in range(tables) for n in range(each)]
    return {
        name: (place.x, place.y)
        for name, place in zip(names, r.sample(places(), len(names)), strict=True)
    }


def spread(points: list[Place] | list[tuple[int, int]]) -> int:
    return sum(max(p[axis] for p in points) - min(p[axis] for p in points) for axis in (0, 1))


def test_the_device_has_four_rows_of_block_rams():
    assert len(places()) == len(BY_BEL) == 208
    for y in (22, 46, 70, 82):
        row = sorted(place.x for place in places() if place.y == y)
        assert len(row) == 52
        assert {b - a for a, b in pairwise(row)} == {2, 3, 5}  # 5 where the clocks come in


def test_alike_tables_count_as_one():
    assert table_of("gate.recent.way_0.ram.0.3") == table_of("gate.recent.way_3.ram.0.1")
    assert table_of("gate.limits.piece_35.ram.0.0") == table_of("gate.limits.piece_420.ram.0.0")
    assert table_of("gate.ledger.orders.ram.0.0") != table_of("gate.ledger.symbols.ram.0.0")


@pytest.mark.parametrize("tables, each", [(1, 1), (4, 8), (13, 16)])
def test_each_memory_has_a_ram_of_its_own_near_its_table(tables, each):
    print(f"seed {SEED}")
    r = random.Random(SEED)
    found = scattered(tables, each, r)
    chosen = choose(found)
    assert chosen.keys() == found.keys()
    assert len(set(chosen.values())) == len(found)
    assert set(chosen.values()) <= BY_BEL.keys()
    shuffled = list(found.items())
    r.shuffle(shuffled)
    assert choose(dict(shuffled)) == chosen
    if 1 < tables * each < len(BY_BEL):
        for table in {table_of(name) for name in found}:
            before = [at for name, at in found.items() if table_of(name) == table]
            after = [BY_BEL[bel] for name, bel in chosen.items() if table_of(name) == table]
            assert spread(after) < spread(before) * 0.7


def test_without_memories_nothing_is_chosen():
    assert choose({}) == {}


def test_more_memories_than_rams_are_refused():
    found = {f"t.ram.{n}": (1, 1) for n in range(209)}
    with pytest.raises(ValueError, match="209 memories are more than 208 block RAMs"):
        choose(found)
