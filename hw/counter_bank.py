# SPDX-License-Identifier: Apache-2.0
"""Many counters in one RAM: each event adds to a small number, which is carried over in turn.

A counter of 64 bits in registers costs a hundred cells, and to read it as much again. Here it costs
a few: the bank goes round all its counters, one each cycle, and adds what has gathered to the RAM.
"""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

COUNTER_BITS = 64
READ_CYCLES = 2


class CounterBank(wiring.Component):
    """``count`` counters of 64 bits.

    Members: ``events``: a bit per counter, any number of them in a cycle; each adds one.
    ``index``: which counter ``value`` shows, ``READ_CYCLES`` cycles later; 0 beyond the last. A
    counter follows its events by at most ``lag_cycles``. Events are counted from the reset on;
    ``value`` is right when ``init_done``. Raises ``ValueError`` for no counter, or more than 1024.
    """

    def __init__(self, count: int) -> None:
        if not 1 <= count <= 1024:
            raise ValueError(f"{count} counters: 1 to 1024")
        self.count = count
        self.depth = max(1 << (count - 1).bit_length(), 4)  # a word is back before it is due again
        super().__init__(
            {
                "events": In(count),
                "index": In(range(self.depth)),
                "value": Out(COUNTER_BITS),
                "init_done": Out(1),
            }
        )

    @property
    def lag_cycles(self) -> int:
        """Cycles after which an event shows in ``value`` for certain, reading included."""
        return self.depth + 3 + READ_CYCLES

    def elaborate(self, platform: object) -> Module:
        """One turn: fetch what gathered and the RAM's word, add, put back."""
        m = Module()
        m.submodules.ram = ram = memory.Memory(shape=COUNTER_BITS, depth=self.depth, init=[])
        write = ram.write_port()
        turn_read, host_read = ram.read_port(), ram.read_port()
        # Between two visits lie as many cycles as the bank is deep; the first turn is the sweep.
        gathered_bits = (2 * self.depth + 2).bit_length()
        gathered = [Signal(gathered_bits, name=f"gathered_{i}") for i in range(self.count)]
        turn = Signal(range(self.depth))
        is_swept = Signal()
        m.d.sync += turn.eq(turn + 1)
        with m.If(turn == self.depth - 1):
            m.d.sync += is_swept.eq(1)
        for i, number in enumerate(gathered):
            is_visited = is_swept & (turn == i)
            m.d.sync += number.eq(Mux(is_visited, 0, number) + self.events[i])
        padded = [*gathered, *([gathered[0]] * (self.depth - self.count))]

        # Cycle 0: read; 1: the word is there; 2: the sum is written.
        turn_1, added_1, is_swept_1 = Signal.like(turn), Signal(gathered_bits), Signal()
        m.d.comb += [turn_read.addr.eq(turn), turn_read.en.eq(1)]
        m.d.sync += [
            turn_1.eq(turn),
            is_swept_1.eq(is_swept),
            added_1.eq(Mux(turn < self.count, Array(padded)[turn], 0)),
            write.addr.eq(turn_1),
            write.data.eq(Mux(is_swept_1, turn_read.data + added_1, 0)),
            write.en.eq(1),
            self.init_done.eq(is_swept_1),
        ]
        m.d.comb += [host_read.addr.eq(self.index), host_read.en.eq(1)]
        m.d.sync += self.value.eq(host_read.data)
        return m
