# SPDX-License-Identifier: Apache-2.0
"""Which of two sequence numbers is larger, faster than by comparing 64 bits in one cycle.

Numbers move by one, or jump. How far two are apart is worked out behind them, over two cycles, and
only coarsely: near, or which is above. While they are near, their lowest bits say the rest in the
cycle itself, as in the arithmetic of TCP sequence numbers. What is known coarsely stays right for
the few steps that numbers do meanwhile. When a number becomes the same as another one, it takes
over what is known of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value

LOW_BITS = 20
"""Numbers less than half of two to this power apart are ordered by so many bits."""

HIGH_FROM = LOW_BITS - 2
"""Numbers whose bits from here on differ by at most one are near."""

KNOWN_CYCLES = 2
"""Cycles from a jump of a number until what is known is right."""


@dataclass(frozen=True, slots=True)
class Distance:
    """Two numbers are near, or the left one is above the right one, or below."""

    is_near: Value
    is_above: Value


class NumberOrder:
    """Holds ``left`` against ``right``; makes its registers in ``m``.

    ``found`` is what is known at this cycle's end of the numbers as they were in the one before.
    """

    def __init__(self, m: Module, name: str, left: Value, right: Value) -> None:
        self.left, self.right = left, right
        bits = len(left) - HIGH_FROM
        difference = Signal(bits + 1, name=f"difference_{name}")
        self.known = Distance(Signal(name=f"is_near_{name}"), Signal(name=f"is_above_{name}"))
        self.found = Distance(Signal(name=f"found_near_{name}"), Signal(name=f"found_above_{name}"))
        m.d.sync += difference.eq(left[HIGH_FROM:] - right[HIGH_FROM:])
        m.d.comb += [
            self.found.is_near.eq(~difference[1:].any() | difference.all()),
            self.found.is_above.eq(~difference[-1]),
        ]
        self.base = self.found

    def follow(
        self,
        m: Module,
        now: Sequence[tuple[Value, Distance | None]] = (),
        before: Sequence[tuple[Value, Distance | None]] = (),
    ) -> None:
        """Keep what is known up to date; call once.

        Where ``right`` becomes another number in a cycle whose bit is 1, the distance to that is
        taken over (``None``: it is ``left``, or next to it). ``now`` are bits of this cycle,
        ``before`` those of the one before, of which ``found`` does not know yet.
        """
        self.base = self._chosen(before, self.found)
        after = self._chosen(now, self.base)
        m.d.sync += [
            self.known.is_near.eq(after.is_near),
            self.known.is_above.eq(after.is_above),
        ]

    @staticmethod
    def _chosen(sources: Sequence[tuple[Value, Distance | None]], otherwise: Distance) -> Distance:
        """The distance whose bit is 1; of those at most one is."""
        is_near, is_above = otherwise.is_near, otherwise.is_above
        for bit, source in sources:
            is_near = Mux(bit, source.is_near if source else 1, is_near)
            is_above = Mux(bit, source.is_above if source else 1, is_above)
        return Distance(is_near, is_above)

    def reversed(self, left: Value, right: Value) -> NumberOrder:
        """The same the other way round, of numbers next to ``right`` and to ``left``."""
        other = object.__new__(NumberOrder)
        other.left, other.right = left, right
        other.known = Distance(self.known.is_near, ~self.known.is_above)
        other.found = Distance(self.found.is_near, ~self.found.is_above)
        other.base = other.found
        return other

    def is_at_least(self) -> Value:
        """Whether ``left`` is ``right`` or above it."""
        low = (self.left[:LOW_BITS] - self.right[:LOW_BITS])[LOW_BITS - 1]
        return Mux(self.known.is_near, ~low, self.known.is_above)

    def is_equal(self, right: Value | None = None) -> Value:
        """Whether ``left`` is ``right``, or the given number next to that."""
        other = self.right if right is None else right
        return self.known.is_near & (self.left[:LOW_BITS] == other[:LOW_BITS])
