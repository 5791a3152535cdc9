# SPDX-License-Identifier: Apache-2.0
"""Many counters in one RAM: each event adds to a small number, which is carried over in turn.

A counter of 64 bits in registers costs a hundred cells, and to read it as much again. Here it costs
a few: the bank goes round all its counters, one each cycle, and adds what has gathered to the RAM.
"""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

COUNTER_BITS = 64
READ_CYCLES = 2
GROUP = 8
"""Counters of which one step chooses what gathered."""


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
        return self.depth + 5 + READ_CYCLES

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
        is_last, is_swept = Signal(), Signal()
        due = Signal(self.count)  # whose turn it is; nobody's in the first one
        m.d.comb += is_last.eq(turn == self.depth - 1)
        m.d.sync += [
            turn.eq(turn + 1),
            due.eq(Cat(is_last, due)),
            is_swept.eq(is_swept | is_last),
        ]
        for i, number in enumerate(gathered):
            with m.If(due[i]):
                m.d.sync += number.eq(self.events[i])
            with m.Elif(self.events[i]):
                m.d.sync += number.eq(number + 1)

        # Cycle 0: what gathered is taken; 1: read; 2: the word is there, and all of what gathered;
        # 3: the word is out of the RAM; 4: the sum is written.
        chosen = [Mux(due[i], number, 0) for i, number in enumerate(gathered)]
        parts = []
        for first in range(0, self.count, GROUP):
            part = Signal(gathered_bits, name=f"part_{first // GROUP}")
            m.d.sync += part.eq(reduce(or_, chosen[first : first + GROUP]))
            parts.append(part)
        added = [Signal(gathered_bits, name=f"added_{cycle}") for cycle in (2, 3)]
        turns = [turn, *(Signal.like(turn, name=f"turn_{cycle}") for cycle in (1, 2, 3))]
        swept = [is_swept, *(Signal(name=f"is_swept_{cycle}") for cycle in (1, 2, 3))]
        word = Signal(COUNTER_BITS)
        m.d.comb += [turn_read.addr.eq(turns[1]), turn_read.en.eq(1)]
        m.d.sync += [
            *(later.eq(now) for now, later in pairwise(turns)),
            *(later.eq(now) for now, later in pairwise(swept)),
            added[0].eq(reduce(or_, parts)),
            added[1].eq(added[0]),
            word.eq(turn_read.data),
            write.addr.eq(turns[3]),
            write.data.eq(Mux(swept[3], word + added[1], 0)),
            write.en.eq(1),
            self.init_done.eq(swept[3]),
        ]
        m.d.comb += [host_read.addr.eq(self.index), host_read.en.eq(1)]
        m.d.sync += self.value.eq(host_read.data)
        return m
