# SPDX-License-Identifier: Apache-2.0
"""What comes of holding reference, Cython and gateware against each other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


class Difference(AssertionError):
    """Two of the three differ; the text says in what and where."""


@dataclass(slots=True)
class Found:
    """Cycles of gateware that were run, what was compared by name, and the first difference."""

    cycles: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    difference: str = ""
