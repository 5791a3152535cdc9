# SPDX-License-Identifier: Apache-2.0
"""What a verification compared and what differs, for programs and for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

LISTED = 20
"""Differences that are listed; all are counted."""


@dataclass(slots=True)
class VerifyReport:
    """What was compared and what differs."""

    captures: list[str]
    journal: str
    frames: int = 0
    connections: int = 0
    orders_on_wire: int = 0
    orders_recorded: int = 0
    queries_on_wire: int = 0
    messages_on_wire: int = 0
    messages_recorded: int = 0
    lost_with_connection: int = 0
    repeated_segments: int = 0
    reordered_segments: int = 0
    sent_segments: int = 0
    """Segments with bytes to the exchange, repetitions included."""

    sent_again: int = 0
    """Of these, repetitions."""

    delegated_segments: int = 0
    retransmitted_segments: int = 0
    packets: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)
    difference_counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.difference_counts

    def differ(self, kind: str, text: str) -> None:
        """Count a difference and list it if it is one of the first."""
        self.difference_counts[kind] += 1
        if len(self.differences) < LISTED:
            self.differences.append(f"{kind}: {text}")

    def lines(self) -> list[str]:
        """The report for people: verdict, what was compared, differences, notes."""
        verdict = "agree" if self.ok else "DIFFER"
        total = sum(self.difference_counts.values())
        found = [
            f"captures and journal {verdict}",
            f"  {self.connections} connections in {self.frames:,} frames",
            f"  orders: {self.orders_on_wire:,} on the wire, {self.orders_recorded:,} recorded",
            f"  sequenced messages: {self.messages_on_wire:,} on the wire, "
            f"{self.messages_recorded:,} recorded",
            f"  segments to the exchange: {self.sent_segments:,}, of these {self.sent_again:,} "
            f"repeated; recorded: {self.delegated_segments:,} delegated, "
            f"{self.retransmitted_segments:,} retransmitted by the kernel",
            *(f"  {name.replace('_', ' ')}: {n:,}" for name, n in sorted(self.packets.items())),
            *(f"  {name.replace('_', ' ')}: {n:,}" for name, n in self.difference_counts.items()),
            *(f"  {text}" for text in self.differences),
        ]
        if total > len(self.differences):
            found.append(f"  and {total - len(self.differences):,} more")
        return found + [f"  note: {text}" for text in self.notes]

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it; ``ok`` first, ``differences`` the first twenty."""
        return {
            "ok": self.ok,
            "captures": self.captures,
            "journal": self.journal,
            "frames": self.frames,
            "connections": self.connections,
            "orders_on_wire": self.orders_on_wire,
            "orders_recorded": self.orders_recorded,
            "queries_on_wire": self.queries_on_wire,
            "messages_on_wire": self.messages_on_wire,
            "messages_recorded": self.messages_recorded,
            "lost_with_connection": self.lost_with_connection,
            "repeated_segments": self.repeated_segments,
            "reordered_segments": self.reordered_segments,
            "sent_segments": self.sent_segments,
            "sent_again": self.sent_again,
            "delegated_segments": self.delegated_segments,
            "retransmitted_segments": self.retransmitted_segments,
            "packets": dict(sorted(self.packets.items())),
            "difference_counts": dict(self.difference_counts),
            "differences": self.differences,
            "notes": self.notes,
        }
