# SPDX-License-Identifier: Apache-2.0
"""A queue of wide records in block RAM, taken one at a time and at leisure."""

from __future__ import annotations

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

READ_CYCLES = 3
"""Cycles from a row's being next to its being the head."""

SPARE = 2
"""Rows that are left when the queue says that it is full: it says so from a register."""


class RecordQueue(wiring.Component):
    """Keeps up to ``depth - SPARE`` records or a few more, and one as its head.

    ``write_valid``, ``written``: one record in; ``is_full``: it is not taken. ``head_valid``,
    ``head``: the oldest; ``takes``: it was used, and the next one comes some cycles later.
    ``is_settled``: the head is there, or there is nothing in the queue. Every queue is as slow as
    every other: of two records the one that was written first is never the last to be a head, as
    long as the heads before it are taken.
    """

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        """Raises ``ValueError`` when ``depth`` is not a power of two above ``2 * SPARE``."""
        if depth <= 2 * SPARE or depth & (depth - 1):
            raise ValueError(f"depth {depth} is not a power of two above {2 * SPARE}")
        self.depth = depth
        self._shape = shape
        super().__init__(
            {
                "write_valid": In(1),
                "written": In(shape),
                "is_full": Out(1),
                "head_valid": Out(1),
                "head": Out(shape),
                "takes": In(1),
                "is_settled": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Two places, and the head's way out of the RAM."""
        m = Module()
        # a row is read only after the cycle in which it was written
        m.submodules.rows = rows = memory.Memory(
            shape=self._shape, depth=self.depth, init=[], attrs={"no_rw_check": 1}
        )
        write, read = rows.write_port(), rows.read_port()
        bits = self.depth.bit_length() - 1
        write_at, written_at, read_at = (Signal(bits + 1) for _ in range(3))
        accepts, is_empty, reads = Signal(), Signal(), Signal()
        under_way = Signal(READ_CYCLES - 1)
        found = Signal.like(self.head, reset_less=True)  # the RAM's own register
        m.d.comb += [
            is_empty.eq(written_at == read_at),
            accepts.eq(self.write_valid & ~self.is_full),
            read.en.eq(1),
            read.addr.eq(read_at),
            reads.eq(~is_empty & ~self.head_valid & ~under_way.any()),
            self.is_settled.eq(self.head_valid | (is_empty & ~under_way.any())),
        ]
        m.d.sync += [
            # the way into the RAM is far: a register before it
            write.en.eq(accepts),
            write.addr.eq(write_at),
            write.data.eq(self.written),
            write_at.eq(write_at + accepts),
            written_at.eq(write_at),
            self.is_full.eq((write_at - read_at)[: bits + 1] >= self.depth - SPARE),
            read_at.eq(read_at + reads),
            found.eq(read.data),
            under_way.eq((under_way << 1) | reads),
        ]
        with m.If(under_way[-1]):
            m.d.sync += [self.head.eq(found), self.head_valid.eq(1)]
        with m.Elif(self.takes):
            m.d.sync += self.head_valid.eq(0)
        return m
