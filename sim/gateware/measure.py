# SPDX-License-Identifier: Apache-2.0
"""Latencies and rates of the gateware, measured on its models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


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


MEASUREMENTS: dict[str, Callable[[], list[Measurement]]] = {}
"""Functions that measure, by what they are about."""


def all_of_them(say: Callable[[str], None] = lambda text: None) -> list[Measurement]:
    """Run every measurement; ``say`` is told which."""
    found = []
    for name, measure in MEASUREMENTS.items():
        say(f"measuring {name}")
        found += measure()
    return found
