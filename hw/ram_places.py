# SPDX-License-Identifier: Apache-2.0
"""Which block RAM of the device each memory takes: close together, those of one table beside each
other.

Block RAMs lie in four rows over the whole width of an ECP5-85. A placer that only looks at the
length of wires spreads a hundred of them from edge to edge, and all logic between them; one that
looks at time as well scatters the RAMs of a table. Here the first one's places are drawn together
around their middle, and each table's around its own; then each memory takes the free RAM nearest to
where it should be, and any two change places as long as that shortens the whole way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

SHRINK = 0.45
"""How far from the middle a memory should lie, of the distance that the placer gave it."""

PULL = 0.7
"""How far it is drawn from there to the middle of its table."""

ROUNDS = 6
"""A table's middle moves with its memories; after so many times hardly any more."""

SPARE = 1.1
"""RAMs there is a choice among, per memory: those nearest to the middle of all."""


class Place(NamedTuple):
    """A place on the device, in tiles, with the placer's name of the RAM that lies there."""

    x: int
    y: int
    bel: str


Point = Place | Sequence[float]


def places() -> list[Place]:
    """Every block RAM of the LFE5U-85, as nextpnr names them: 4 rows of 52."""
    columns = [(4, 0), (6, 1), (8, 2), (10, 3)]
    for first in (*range(13, 67, 9), *range(69, 120, 9)):
        columns += [(first + 2 * number, number) for number in range(4)]
    return [
        Place(x, y, f"X{x}/Y{y}/EBR{number}") for y in (22, 46, 70, 82) for x, number in columns
    ]


def table_of(cell: str) -> str:
    """The table that a memory belongs to, of its cell's name: alike ones count as one."""
    return re.sub(r"\d+", "", cell.partition(".ram.")[0])


def choose(found: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    """For each memory, by its cell's name, a RAM; ``found`` is where the placer had it.

    Raises ``ValueError`` when there are more memories than RAMs.
    """
    names = sorted(found, key=lambda name: (table_of(name), name))
    if not names:
        return {}
    middle, center = _middle([found[name] for name in names]), _middle(places())
    # a square: logic between the rows has the same way to each side
    near = sorted(
        places(),
        key=lambda at: (max(abs(at.x - center[0]), abs(at.y - center[1])), at),
    )
    if len(names) > len(near):
        raise ValueError(f"{len(names)} memories are more than {len(near)} block RAMs")
    near = near[: max(len(names), int(SPARE * len(names)))]
    drawn = [
        [c + SHRINK * (at - m) for c, at, m in zip(center, found[name], middle, strict=True)]
        for name in names
    ]
    wanted = list(drawn)
    chosen: list[int] = []
    for _ in range(ROUNDS):
        chosen = _assign(wanted, near)
        for _, group in groupby(range(len(names)), key=lambda i: table_of(names[i])):
            members = list(group)
            own = _middle([near[chosen[i]] for i in members])
            for i in members:
                wanted[i] = [
                    (1 - PULL) * at + PULL * c for at, c in zip(drawn[i], own, strict=True)
                ]
    return {name: near[place].bel for name, place in zip(names, chosen, strict=True)}


def _middle(points: Sequence[Point]) -> tuple[float, float]:
    return (
        sum(point[0] for point in points) / len(points),
        sum(point[1] for point in points) / len(points),
    )


def _way(place: Point, to: Point) -> float:
    return abs(place[0] - to[0]) + abs(place[1] - to[1])


def _assign(wanted: Sequence[Point], near: Sequence[Place]) -> list[int]:
    """A place for each, none twice, such that no change of two shortens the way."""
    ways = [[_way(place, to) for place in near] for to in wanted]
    chosen = [-1] * len(wanted)
    owner: list[int | None] = [None] * len(near)
    for i in sorted(range(len(wanted)), key=lambda i: -min(ways[i])):
        free = (place for place in range(len(near)) if owner[place] is None)
        chosen[i] = min(free, key=ways[i].__getitem__)
        owner[chosen[i]] = i
    improves = True
    while improves:
        improves = False
        for i, mine in enumerate(ways):
            for place, other in enumerate(owner):
                old = chosen[i]
                gain = mine[old] - mine[place]
                if other is not None:
                    gain += ways[other][place] - ways[other][old]
                if gain > 1e-9:
                    owner[old], owner[place], chosen[i] = other, i, place
                    if other is not None:
                        chosen[other] = old
                    improves = True
    return chosen
