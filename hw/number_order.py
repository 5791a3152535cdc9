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
from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, Value

LOW_BITS = 20
"""Numbers less than half of two to this power apart are ordered by so many bits."""

HIGH_FROM = LOW_BITS - 2
"""Numbers whose bits from here on differ by at most one are near."""

GROUP_BITS = 4
"""Bits of a difference that are looked at in the cycle in which it is made."""

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
        # 0 or 1 is near, and -1. The lowest bit is there before the carry has come to the others:
        # it goes into the first group.
        starts = [0, *range(1 + GROUP_BITS, bits + 1, GROUP_BITS), bits + 1]
        groups = [difference[at:end] for at, end in pairwise(starts)]
        zeros = Signal(len(groups), name=f"zeros_{name}", init=(1 << len(groups)) - 1)
        ones = Signal(len(groups), name=f"ones_{name}")
        is_below = Signal(name=f"is_below_{name}")
        self.known = Distance(Signal(name=f"is_near_{name}"), Signal(name=f"is_above_{name}"))
        self.found = Distance(Signal(name=f"found_near_{name}"), Signal(name=f"found_above_{name}"))
        m.d.comb += [
            difference.eq(left[HIGH_FROM:] - right[HIGH_FROM:]),
            self.found.is_near.eq(zeros.all() | ones.all()),
            self.found.is_above.eq(~is_below),
        ]
        m.d.sync += [
            is_below.eq(difference[-1]),
            zeros.eq(Cat(~groups[0][1:].any(), *(~group.any() for group in groups[1:]))),
            ones.eq(Cat(group.all() for group in groups)),
        ]
        self.base = self.found

    def follow(self, m: Module, changes: Sequence[tuple[Value, NumberOrder | None]] = ()) -> None:
        """Keep what is known up to date; call once.

        Where ``right`` became another number in the cycle before, the bit of that is 1 (of one at
        most), and the distance to that number is taken over (``None``: it is ``left``, or next to
        it), as ``found`` does not know of it yet.

        What was known in the cycle before is chosen from in the next one: the bits come late in
        their own, and here is time while low bits are compared.
        """
        self.base = self._chosen(
            [(bit, order.found if order else None) for bit, order in changes], self.found
        )
        after = self._chosen(
            [(bit, self._registered(m, order.base) if order else None) for bit, order in changes],
            self._registered(m, self.base),
        )
        m.d.comb += [
            self.known.is_near.eq(after.is_near),
            self.known.is_above.eq(after.is_above),
        ]

    def _registered(self, m: Module, distance: Distance) -> Distance:
        """The distance of the cycle before."""
        kept = Distance(Signal(name="was_near"), Signal(name="was_above"))
        m.d.sync += [kept.is_near.eq(distance.is_near), kept.is_above.eq(distance.is_above)]
        return kept

    @staticmethod
    def _chosen(sources: Sequence[tuple[Value, Distance | None]], otherwise: Distance) -> Distance:
        """The distance whose bit is 1; of those at most one is."""
        no_bit = ~Cat(*(bit for bit, _ in sources)).any()
        near, above = [no_bit & otherwise.is_near], [no_bit & otherwise.is_above]
        for bit, source in sources:
            near.append(bit & source.is_near if source else bit)
            above.append(bit & source.is_above if source else bit)
        return Distance(Cat(*near).any(), Cat(*above).any())

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

    def is_more(self) -> Value:
        """Whether ``left`` is above ``right``."""
        low = (self.right[:LOW_BITS] - self.left[:LOW_BITS])[LOW_BITS - 1]
        return Mux(self.known.is_near, low, self.known.is_above)

    def is_less(self, right: Value) -> Value:
        """Whether ``left`` is below a number next to ``right``."""
        low = (self.left[:LOW_BITS] - right[:LOW_BITS])[LOW_BITS - 1]
        return Mux(self.known.is_near, low, ~self.known.is_above)

    def is_equal(self) -> Value:
        """Whether ``left`` is ``right``."""
        low, other = self.left[:LOW_BITS], self.right[:LOW_BITS]
        # Neither below nor above: two chains of carries, where all bits would be a tree of gates.
        return self.known.is_near & ~(low - other)[LOW_BITS - 1] & ~(other - low)[LOW_BITS - 1]
