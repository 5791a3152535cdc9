# SPDX-License-Identifier: Apache-2.0
"""The number of the next order: the next one whose place in the order table is free."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.risk_rows import NUMBER_BITS
from hw.swept_memory import SweptMemory


class FreeNumber(wiring.Component):
    """Numbers count up from 1 and skip those whose place (the remainder by the table) is taken.

    Members: ``number``: the next to give, right while ``is_ready``; the search goes on by itself,
    four cycles per place. ``take``: it is given now (only while ``is_ready``). ``free``,
    ``place``: the order there is gone; when the search went past that place, it goes back. Neither
    comes in the cycle after another. With every place taken it is not ready.
    """

    def __init__(self, order_bits: int) -> None:
        """``order_bits``: two to this power places; raises ``ValueError`` outside 1 to 16."""
        if not 1 <= order_bits <= 16:
            raise ValueError(f"order_bits {order_bits} is not from 1 to 16")
        self.order_bits = order_bits
        super().__init__(
            {
                "number": Out(NUMBER_BITS),
                "is_ready": Out(1),
                "take": In(1),
                "free": In(1),
                "place": In(order_bits),
                "init_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A bit per place; the search stands at ``passed`` places beyond the first number."""
        m = Module()
        bits = self.order_bits
        m.submodules.taken = taken = SweptMemory(
            1, 1 << bits, registered=1, may_collide=False, late_write=True
        )
        look_at, is_taken = taken.read()
        first = Signal(NUMBER_BITS, init=1)  # behind the last that was given
        passed = Signal(bits + 1)  # places behind first that are taken
        candidate = Signal(NUMBER_BITS, init=1)  # first + passed
        known = Signal(2)  # is_taken is of the candidate when the second bit is 1
        looks = Signal()  # at the place of the candidate, and knows of it
        goes_on = Signal()
        freed = Signal(2)
        freed_distance, freed_number = Signal(bits), Signal(NUMBER_BITS)
        goes_back, back_distance = Signal(), Signal(bits)
        m.d.comb += [
            self.number.eq(candidate),
            self.init_done.eq(taken.init_done),
            taken.write_enable.eq(self.take | self.free),
            taken.write_address.eq(Mux(self.free, self.place, candidate)),
            taken.write_data.eq(self.take & ~self.free),
            look_at.eq(candidate),
            looks.eq(known[1] & ~self.take & ~self.free & ~freed.any() & ~passed[-1]),
        ]
        # a place that is freed is compared a cycle later, and gone back to in the next
        m.d.sync += [
            freed.eq(Cat(self.free, freed[0])),
            freed_distance.eq(self.place - first),
            goes_back.eq(freed[0] & (freed_distance < passed)),
            back_distance.eq(freed_distance),
            freed_number.eq(first + freed_distance),
            known.eq(Cat(self.init_done, known[0])),
            self.is_ready.eq(looks & ~is_taken & ~goes_on),
            goes_on.eq(looks & is_taken & ~goes_on),
        ]
        with m.If(self.take):
            m.d.sync += [first.eq(candidate + 1), candidate.eq(candidate + 1), passed.eq(0)]
        with m.Elif(goes_back):
            m.d.sync += [candidate.eq(freed_number), passed.eq(back_distance)]
        with m.Elif(goes_on):
            m.d.sync += [candidate.eq(candidate + 1), passed.eq(passed + 1)]
        with m.If(self.take | self.free | freed.any() | goes_on):
            m.d.sync += known.eq(0)
        return m
