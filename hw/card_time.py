# SPDX-License-Identifier: Apache-2.0
"""The card's time: cycles, and nanoseconds of 6.4 to a cycle, kept whole."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.event import CYCLE_BITS
from hw.risk_rows import TIME_BITS
from hw.stream import CLOCK_HZ

NANOSECONDS, FIFTHS = divmod(5 * 1_000_000_000 // CLOCK_HZ, 5)
"""A cycle: whole nanoseconds, and fifths of one."""

assert CLOCK_HZ * (5 * NANOSECONDS + FIFTHS) == 5 * 1_000_000_000


class CardTime(wiring.Component):
    """Counts. ``set_valid`` makes ``t_ns`` be ``set_ns`` in the next cycle, and go on from there.

    The host may set it back; what is measured against it is then as if the clock went back.
    """

    set_valid: In(1)
    set_ns: In(TIME_BITS)
    t_ns: Out(TIME_BITS)
    cycle: Out(CYCLE_BITS)

    def elaborate(self, platform: object) -> Module:
        """Whole nanoseconds, and one more whenever the fifths are five."""
        m = Module()
        fifths = Signal(range(5))
        carries = Signal()
        m.d.comb += carries.eq(fifths >= 5 - FIFTHS)
        m.d.sync += [
            self.cycle.eq(self.cycle + 1),
            fifths.eq(Mux(carries, fifths - (5 - FIFTHS), fifths + FIFTHS)),
            self.t_ns.eq(self.t_ns + NANOSECONDS + carries),
        ]
        with m.If(self.set_valid):
            m.d.sync += [self.t_ns.eq(self.set_ns), fifths.eq(0)]
        return m
