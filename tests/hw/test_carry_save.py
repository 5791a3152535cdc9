# SPDX-License-Identifier: Apache-2.0
"""Comparisons of wide sums equal Python's, at the edges and at random."""

import random

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from hw.carry_save import exceeds, partial_products, reaches, total, widened

SEED = 20_261_122
CASES = 400
WIDTHS = (52, 36, 31), (53, 20)


class Compare(wiring.Component):
    """Every function of the file, on numbers of different widths."""

    def __init__(self, parts):
        self.parts = parts
        super().__init__(
            {
                "left": In(sum(WIDTHS[0])),
                "right": In(sum(WIDTHS[1])),
                "exceeds": Out(1),
                "reaches": Out(1),
                "total": Out(60),
                "product": Out(49),
            }
        )

    def elaborate(self, platform):
        m = Module()
        left, right = fields(self.left, WIDTHS[0]), fields(self.right, WIDTHS[1])
        signed = [left[0].as_signed(), *left[1:]]
        m.d.comb += [
            self.exceeds.eq(exceeds(m, signed, right, self.parts)),
            self.reaches.eq(reaches(m, signed, right, self.parts)),
            self.product.eq(total(partial_products(m, right[1][:18], left[2]), 49)),
        ]
        m.d.sync += self.total.eq(total([*signed, *right], 60))
        return m


def places(widths):
    return [sum(widths[:i]) for i in range(len(widths))]


def fields(signal, widths):
    return [signal[p : p + w] for p, w in zip(places(widths), widths, strict=True)]


def edge_number(rng, bits):
    return rng.choice((0, 1, (1 << bits) - 1, 1 << bits - 1, rng.getrandbits(bits)))


def packed(numbers, widths):
    return sum(number << place for number, place in zip(numbers, places(widths), strict=True))


@pytest.mark.parametrize("parts", (2, 3))
def test_equals_python(parts):
    rng = random.Random(SEED)
    left_bits, right_bits = WIDTHS
    dut = Compare(parts)
    sign = left_bits[0] - 1
    seen = set()

    async def bench(ctx):
        for case in range(CASES):
            left = [edge_number(rng, bits) for bits in left_bits]
            right = [edge_number(rng, bits) for bits in right_bits]
            signed = [left[0] - (left[0] >> sign << sign + 1), *left[1:]]
            if case % 3 == 0:  # as close as it gets
                close = sum(signed) - right[1] + rng.choice((-1, 0, 1))
                right[0] = min(max(close, 0), (1 << right_bits[0]) - 1)
            ctx.set(dut.left, packed(left, left_bits))
            ctx.set(dut.right, packed(right, right_bits))
            await ctx.tick()
            where = f"seed {SEED}, case {case}"
            expected = (sum(signed) > sum(right), sum(signed) >= sum(right))
            assert (ctx.get(dut.exceeds), ctx.get(dut.reaches)) == expected, where
            assert ctx.get(dut.total) == (sum(signed) + sum(right)) % (1 << 60), where
            factor = right[1] % (1 << 18)
            assert ctx.get(dut.product) == factor * left[2], where
            seen.add(expected)

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == {(False, False), (False, True), (True, True)}


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="fit"):
        widened(Signal(8), 8)
    m = Module()
    m._MustUse__silence = True
    with pytest.raises(ValueError, match="multiplier"):
        partial_products(m, Signal(19), Signal(4))
