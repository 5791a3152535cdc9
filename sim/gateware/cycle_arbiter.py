# SPDX-License-Identifier: Apache-2.0
"""The arbiter's specification with the cycles that it leaves out.

The reference decides message by message; which comes first when both lines bring one, and what
waits, is a matter of cycles. ``CycleArbiter`` adds just that.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hw.arbiter_queue import QUEUE_BITS
from hw.number_order import KNOWN_CYCLES
from nic.framing.arbiter_reference import ReferenceArbiter

Waiting = tuple[str, int, int]
"""What waits: its kind, its number, the cycle in which it came."""


@dataclass
class CycleArbiter:
    """The reference, with line A before line B in a cycle, and the queue of what waits.

    ``events``: cycle, line, sequence number, whether it opens a gap, whether it is late, and the
    cycle in which it came out of the parser.
    """

    reference: ReferenceArbiter
    waiting: deque[Waiting] = field(default_factory=deque)
    head: Waiting | None = None
    known_for: int = 0
    idle: list[int] = field(default_factory=lambda: [0, 0])
    overrun: int = 0
    events: list[tuple[int, int, int, bool, bool, int]] = field(default_factory=list)
    start_ready: bool = True

    @property
    def is_quiet(self) -> bool:
        """Whether a cycle that brings nothing changes nothing."""
        return not (self.waiting or self.head or self.known_for or any(self.idle))

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
        is_known = self.known_for > (KNOWN_CYCLES if arbitrates else 0)
        if self.head and is_known:
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
        if pops and self.head:
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
        self.known_for = self.known_for + 1 if had_head and not pops else 0
        return ready and start is not None
