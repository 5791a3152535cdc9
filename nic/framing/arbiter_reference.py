# SPDX-License-Identifier: Apache-2.0
"""The readable specification of the arbiter: two lines in, the first copy of each message out.

There is no waiting for what is missing: a message beyond the expected one goes on at once, marked
``after_gap``, and what it skipped is the open gap. Late messages are taken out of that gap in
ascending order; there is one open gap, and a newer one takes its place. ``nic.framing.arbiter`` and
``hw.arbiter`` are held against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nic.framing.enumerations import ARBITER

LINES = ("a", "b")


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of a message: ``kind`` is a name of ``ARRIVAL``."""

    kind: str

    @property
    def is_event(self) -> bool:
        """Whether the message goes on."""
        return self.kind != "duplicate"

    @property
    def opens_gap(self) -> bool:
        """Whether the message showed that others are missing."""
        return self.kind == "after_gap"


@dataclass(slots=True)
class ReferenceArbiter:
    """Arbitration of two lines by sequence number, message by message in order of arrival.

    ``expected`` is the next sequence number, 0 before the first. Without ``is_arbitrating`` every
    message of both lines is new, and nothing else changes. ``counters`` has every name of
    ``ARBITER``; ``overrun`` stays 0 here: it is a matter of cycles.
    """

    expected: int = 0
    is_arbitrating: bool = True
    gap_next: int = 0
    gap_end: int = 0
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ARBITER.names, 0))

    def start(self, expected: int) -> None:
        """The host says what is expected next; the open gap's rest is abandoned."""
        self._abandon(self.gap_end)
        self.expected = expected

    def message(self, line: int, sequence_number: int) -> Arrival:
        """A message of line 0 (A) or 1 (B)."""
        arrival = self._arrival(sequence_number) if self.is_arbitrating else Arrival("new")
        self.counters["events" if arrival.is_event else f"duplicates_{LINES[line]}"] += 1
        return arrival

    def idle(self, sequence_number: int) -> bool:
        """A heartbeat or an end of session with the next sequence number; whether it opens a gap.

        Datagrams that carry messages say nothing that those do not say themselves.
        """
        if not self.is_arbitrating or sequence_number <= self.expected:
            return False
        opens = self.expected != 0
        if opens:
            self._open(sequence_number)
        self.expected = sequence_number
        return opens

    def _arrival(self, sequence_number: int) -> Arrival:
        """Hold a sequence number against what is expected and missing."""
        if self.expected in (0, sequence_number):
            self.expected = sequence_number + 1
            return Arrival("new")
        if sequence_number > self.expected:
            self._open(sequence_number)
            self.expected = sequence_number + 1
            return Arrival("after_gap")
        if self.gap_next <= sequence_number < self.gap_end:
            self._abandon(sequence_number)
            self.counters["recovered"] += 1
            self.gap_next = sequence_number + 1
            return Arrival("late")
        return Arrival("duplicate")

    def _open(self, sequence_number: int) -> None:
        """Make everything from the expected one up to ``sequence_number`` the open gap."""
        self._abandon(self.gap_end)
        self.gap_next, self.gap_end = self.expected, sequence_number
        self.counters["gaps"] += 1
        self.counters["missing"] += sequence_number - self.expected

    def _abandon(self, up_to: int) -> None:
        """Give up what is missing before ``up_to``."""
        self.counters["gap_abandoned"] += up_to - self.gap_next
        self.gap_next = up_to


@dataclass(slots=True)
class ReferenceFilter:
    """Which instruments are wanted: ``symbols`` is stock locate to symbol index.

    A locate that needs more than ``locate_bits`` is never wanted; neither is anything of a feed
    without locates.
    """

    symbols: Mapping[int, int]
    locate_bits: int = 14
    drops_unwanted: bool = False

    def find(self, locate: int | None) -> tuple[bool, int]:
        """Whether the instrument is wanted, and its symbol index (0 of an unwanted one)."""
        if locate is None or locate >> self.locate_bits or locate not in self.symbols:
            return False, 0
        return True, self.symbols[locate]
