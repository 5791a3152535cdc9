# SPDX-License-Identifier: Apache-2.0
"""Comparisons of sums too wide for one carry chain: compressed, then compared in parts.

Operands are first compressed to two without a carry (one look-up table per level). The two are
added in two parts at the same time, the upper one for both carries that may come in; registers
follow, and the choice is the first look-up table of the next cycle. Three parts make the chains
shorter and that table one of five inputs instead of three.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, ValueLike, signed


def widened(value: ValueLike, width: int) -> Value:
    """A number in two's complement of ``width`` bits; ``ValueError`` if it does not fit."""
    value = Value.cast(value)
    shape = value.shape()
    if shape.width + (not shape.signed) > width:
        raise ValueError(f"{shape!r} does not fit {width} signed bits")
    # Not the top bit many times: each time the whole value would be computed anew.
    return (value | Const(0, signed(width))).as_unsigned()[:width]


def carry_save(
    operands: Sequence[Value], ones: int, m: Module | None = None
) -> tuple[Value, Value, int]:
    """Two numbers and a carry-in that add up, modulo their width, to operands plus ``ones``.

    With ``m`` every step gets a name; without, its text stands wherever it is used, four times more
    at each step.

    All operands are equally wide. Each step leaves the lowest bit of its carries free: there the
    ``ones`` go. Raises ``ValueError`` when they are more than there is room for.
    """
    rest = list(operands)
    width = len(rest[0])
    while len(rest) > 2:
        a, b, c = rest[:3]
        one, ones = (1, ones - 1) if ones else (0, 0)
        carries = ((a & b) | (a & c) | (b & c))[: width - 1]
        step = [(a ^ b ^ c)[:width], Cat(Const(one, 1), carries)]
        if m is not None:
            named = [Signal(width, name=f"carry_save_{name}") for name in ("sum", "carries")]
            m.d.comb += [signal.eq(value) for signal, value in zip(named, step, strict=True)]
            step = list(named)
        rest = [*rest[3:], *step]
    if ones > 1 or len(rest) < 2:
        raise ValueError(f"{len(operands)} operands leave {ones} too many")
    return rest[0], rest[1], ones


def with_carry(left: Value, right: Value, carry_in: int) -> Value:
    """The sum with a carry in one chain, one bit wider than the numbers, which are unsigned."""
    return (Cat(Const(carry_in, 1), left) + Cat(Const(carry_in, 1), right))[1:]


def is_not_negative(m: Module, operands: Sequence[Value], ones: int, parts: int = 2) -> Value:
    """Whether a sum modulo the operands' one width, plus ``ones``, is at least 0 as a signed one.

    Valid in the next cycle. ``parts``: how many are added at the same time.
    """
    left, right, carry_in = carry_save(operands, ones, m)
    width = len(left)
    borders = [width * part // parts for part in range(parts + 1)]
    known: list[Signal] = []  # of each part, by the carry that comes in: the carry out, or the sign
    for part, (start, end) in enumerate(pairwise(borders)):
        found = []
        for carry in range(2) if part else [carry_in]:
            sum_ = Signal(end - start + 1, name=f"part_{part}_{carry}")
            m.d.comb += sum_.eq(with_carry(left[start:end], right[start:end], carry))
            found.append(sum_[-2] if end == width else sum_[-1])
        register = Signal(len(found), name="negative" if end == width else "carry")
        m.d.sync += register.eq(Cat(*found))
        known.append(register)
    carry_out: Value = known[0]
    for register in known[1:]:
        carry_out = Mux(carry_out, register[1], register[0])
    return ~carry_out


def _in_one_width(operands: Sequence[ValueLike]) -> list[Value]:
    values = [Value.cast(operand) for operand in operands]
    width = max(len(v) + (not v.shape().signed) for v in values) + len(values).bit_length()
    return [widened(value, width) for value in values]


def exceeds(
    m: Module, left: Sequence[ValueLike], right: Sequence[ValueLike], parts: int = 2
) -> Value:
    """Whether the sum of ``left`` is greater than the sum of ``right``; valid in the next cycle."""
    inverted = [~widened(r, len(Value.cast(r)) + 1).as_signed() for r in right]
    return is_not_negative(m, _in_one_width([*left, *inverted]), len(right) - 1, parts)


def reaches(
    m: Module, left: Sequence[ValueLike], right: Sequence[ValueLike], parts: int = 2
) -> Value:
    """Whether the sum of ``left`` is at least the sum of ``right``; valid in the next cycle."""
    inverted = [~widened(r, len(Value.cast(r)) + 1).as_signed() for r in right]
    return is_not_negative(m, _in_one_width([*left, *inverted]), len(right), parts)


def total(operands: Sequence[ValueLike], width: int, m: Module | None = None) -> Value:
    """The sum of numbers, modulo ``width`` bits, with one carry chain; ``m`` as of the above."""
    cut = [Value.cast(operand) for operand in operands]
    wide = [widened(v, max(width, len(v) + 1))[:width] for v in cut]
    left, right, carry_in = carry_save(wide, 0, m)
    return with_carry(left, right, carry_in)[:width]


MULTIPLIER_BITS = 18


def partial_products(m: Module, left: ValueLike, right: ValueLike) -> list[Value]:
    """Numbers whose sum is the product of two unsigned ones; valid in the next cycle.

    ``left`` is at most as wide as one multiplier (18 bits); ``right`` is split in pieces of as
    many. Both come from registers: a multiplier takes most of a cycle.
    """
    left, right = Value.cast(left), Value.cast(right)
    if len(left) > MULTIPLIER_BITS:
        raise ValueError(f"{len(left)} bits are more than one multiplier takes")
    pieces = []
    for start in range(0, len(right), MULTIPLIER_BITS):
        piece = right[start : start + MULTIPLIER_BITS]
        product = Signal(len(left) + len(piece), name=f"product_{start}")
        m.d.sync += product.eq(left * piece)
        pieces.append(Cat(Const(0, start), product))
    return pieces
