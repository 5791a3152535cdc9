# SPDX-License-Identifier: Apache-2.0
"""Two parsed lines cycle by cycle, as an arbiter may see them."""

import random
from dataclasses import dataclass

import numpy as np

from hw.line_signature import JUMP_CYCLES

HEADER_CYCLES = 8


@dataclass
class Line:
    """What a line brings in each cycle: numbers of messages and of idle datagrams, 0 for none."""

    message: np.ndarray
    upcoming: np.ndarray
    idle: np.ndarray


def schedule(r: random.Random, cycles: int, items: list[tuple[str, int, int]]) -> Line:
    """Items (kind, first number, count) as a line brings them, as fast as the wire allows or not.

    Messages of one datagram come 1 or 2 cycles apart (14 bytes are the shortest), datagrams have
    headers. ``upcoming`` is anything until it has to be the number of the datagram's first message.
    """
    noise = np.random.default_rng(r.getrandbits(32))
    line = Line(
        np.zeros(cycles, np.uint64),
        noise.integers(1, 1 << 62, cycles, np.uint64),
        np.zeros(cycles, np.uint64),
    )
    at = 1
    for kind, first, count in items:
        at += HEADER_CYCLES + (0 if r.random() < 0.7 else r.randrange(60))
        if at + 2 * count + 2 >= cycles:
            break
        if kind == "idle":
            line.idle[at] = first
            continue
        longest = r.choice((1, 1, 2, 6))
        quarter = r.randrange(7)
        line.upcoming[at - JUMP_CYCLES : at] = first
        for number in range(first, first + count):
            line.message[at] = number
            line.upcoming[at:] = number + 1
            quarter = (quarter + 2) % 7
            at += 1 if quarter < 2 else 1 + r.randrange(1, longest + 1)
            if at + 2 >= cycles:
                return line
        line.upcoming[at:] = noise.integers(1, 1 << 62, cycles - at, np.uint64)
    return line


def feed_items(r: random.Random, count: int, loss: float, start: int) -> list[tuple[str, int, int]]:
    """A publisher's datagrams on one line, of which some are lost, repeated or far off."""
    items, number = [], start
    for _ in range(count):
        kind = r.random()
        if kind < 0.08:
            items.append(("idle", number, 0))
            continue
        size = r.choice((1, 1, 2, 3, 5, 9, 20))
        if r.random() >= loss:
            items.append(("data", number, size))
        if kind > 0.97:
            items.append(("data", max(1, number - r.randrange(1, 40)), r.randrange(1, 9)))
        elif kind > 0.965:
            number += r.choice((7, 1000, 1 << 18, (1 << 19) - 3, 1 << 20, 1 << 33))
        number += size
    return items


def delayed(line: Line, cycles: int) -> Line:
    """The same, so many cycles later."""
    parts = (line.message, line.upcoming, line.idle)
    return Line(
        *(np.concatenate([np.zeros(cycles, np.uint64), part])[: len(part)] for part in parts)
    )
