# SPDX-License-Identifier: Apache-2.0
"""Two parsed lines cycle by cycle, and the arbiter's specification with the cycles it leaves out.

The reference decides message by message; which comes first when both lines bring one, and what
waits, is a matter of cycles. ``CycleArbiter`` adds just that.
"""

import random
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from hw.arbiter_queue import QUEUE_BITS
from nic.framing.arbiter_reference import ReferenceArbiter

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
    headers. Until a message's own cycle is near, ``upcoming`` is anything.
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
        for number in range(first, first + count):
            line.message[at] = number
            line.upcoming[at - 1], line.upcoming[at] = number, number + 1
            quarter = (quarter + 2) % 7
            at += 1 if quarter < 2 else 1 + r.randrange(1, longest + 1)
            if at + 2 >= cycles:
                return line
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
            number += r.choice((7, 1000, 1 << 33))
        number += size
    return items


def delayed(line: Line, cycles: int) -> Line:
    """The same, so many cycles later."""
    return Line(*(np.roll(part, cycles) for part in (line.message, line.upcoming, line.idle)))


@dataclass
class CycleArbiter:
    """The reference, with line A before line B in a cycle, and the queue of what waits."""

    reference: ReferenceArbiter
    waiting: deque = field(default_factory=deque)
    head: tuple | None = None
    is_known: bool = False
    idle: list = field(default_factory=lambda: [0, 0])
    overrun: int = 0
    events: list = field(default_factory=list)
    start_ready: bool = True

    def wants(self, number: int) -> bool:
        """Whether a message of that number is an event."""
        s = self.reference
        late = s.gap_next <= number < s.gap_end
        return not s.is_arbitrating or number >= s.expected or late

    def take(self, cycle: int, line: int, number: int, received: int) -> None:
        """Give a message to the reference, and keep what it makes of it."""
        arrival = self.reference.message(line, number)
        if arrival.is_event:
            late, opens = arrival.kind == "late", arrival.opens_gap
            self.events.append((cycle + 1, line, number, opens, late, received))

    def step(self, cycle: int, a: int, b: int, idle_a: int, idle_b: int, start: int | None) -> bool:
        """One cycle; returns whether the new start was taken."""
        arbitrates = self.reference.is_arbitrating
        takes_a = bool(a) and self.wants(a)
        wants_b = bool(b) and self.wants(b) and not (arbitrates and a == b)
        is_empty = self.head is None and not self.waiting
        was_full, had_more = len(self.waiting) == 1 << QUEUE_BITS, bool(self.waiting)
        had_head = self.head is not None
        pops, ready = False, not b and not was_full and not any(self.idle)
        if had_head and self.is_known:
            kind, number, _ = self.head
            wants_head = {
                "message": self.wants(number),
                "idle": arbitrates and number >= self.reference.expected,
                "start": True,
            }[kind]
            pops = not (wants_head and takes_a)
        if a:
            self.take(cycle, 0, a, cycle)
        if b and (not wants_b or (is_empty and not takes_a)):
            self.take(cycle, 1, b, cycle)
        elif b and was_full:
            self.overrun += 1
        elif b:
            self.waiting.append(("message", b, cycle))
        elif not was_full and any(self.idle):
            which = 0 if self.idle[0] else 1
            self.waiting.append(("idle", self.idle[which], cycle))
            self.idle[which] = 0
        elif ready and start is not None:
            self.waiting.append(("start", start, cycle))
        for line, number in enumerate((idle_a, idle_b)):
            if number:
                self.idle[line] = number
        if pops:
            kind, number, received = self.head
            if kind == "message":
                self.take(cycle, 1, number, received)
            elif kind == "idle":
                self.reference.idle(number)
            else:
                self.reference.start(number)
            self.head = None
        elif not had_head and had_more:
            self.head = self.waiting.popleft()
        self.is_known = had_head and not pops
        return ready and start is not None
