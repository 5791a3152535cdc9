# SPDX-License-Identifier: Apache-2.0
"""A measured figure beside its bound."""

from __future__ import annotations

from dataclasses import dataclass

LINE_TO_EVENT_CYCLES = 4
"""The bound from a message's last byte on the line to its event."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One figure, and the bound that it must keep."""

    name: str
    value: float
    limit: float
    unit: str
    how: str
    """Over what it was measured."""
    is_floor: bool = False
    """The bound is the least that is good enough, not the most."""

    @property
    def ok(self) -> bool:
        """Whether the bound is kept."""
        return self.value >= self.limit if self.is_floor else self.value <= self.limit
