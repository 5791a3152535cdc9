# SPDX-License-Identifier: Apache-2.0
"""Requests that fired and could not go to the gate at once, in order."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from nic.offload.trigger import WAYS

QUEUE_BITS = 4
FULL_AT = 4
"""Pairs that may wait. The ring has room for more, as some are under way when it is seen."""


class TriggerQueue(wiring.Component):
    """Pairs of requests of one symbol, of which one or both are meant.

    ``push`` (one bit per way) takes ``pair`` if any is 1; it may come late in its cycle. So that
    it may, ``keeps`` is the same in a few gates less: something is pushed, and not ``is_empty``.
    ``current`` is the request that comes next (lower way first) when ``has_current``, two cycles
    after its ``push`` at the earliest; ``pop`` takes it away. ``following`` is the one behind it
    when ``has_following``, else anything. ``has_room`` is 0 from ``FULL_AT`` pairs on.
    ``is_empty``: nothing waits.
    """

    def __init__(self, request: data.StructLayout) -> None:
        self._pair = data.StructLayout(
            {"is_meant": WAYS, "requests": data.ArrayLayout(request, WAYS)}
        )
        super().__init__(
            {
                "push": In(WAYS),
                "keeps": In(1),
                "pair": In(data.ArrayLayout(request, WAYS)),
                "current": Out(request),
                "has_current": Out(1),
                "following": Out(request),
                "has_following": Out(1),
                "pop": In(1),
                "has_room": Out(1),
                "is_empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A ring of pairs, the pair at its front in registers, the next request in others."""
        m = Module()
        m.submodules.ring = ring = memory.Memory(shape=self._pair, depth=1 << QUEUE_BITS, init=[])
        write, read = ring.write_port(), ring.read_port(domain="comb")
        last, first = Signal(QUEUE_BITS + 1), Signal(QUEUE_BITS + 1)
        front = Signal(self._pair)
        has_more, loads, moves, is_last = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.has_following.eq(front.is_meant.any()),
            self.following.eq(Mux(front.is_meant[0], front.requests[0], front.requests[1])),
            self.is_empty.eq(~has_more & ~self.has_following & ~self.has_current),
            loads.eq(has_more & ~self.has_following),
            moves.eq(self.has_following & ~self.has_current),
            is_last.eq(last == (first + 1)[: QUEUE_BITS + 1]),
            write.addr.eq(last),
            write.data.is_meant.eq(self.push),
            write.data.requests.eq(self.pair),
            write.en.eq(1),  # what is not kept is written over: it never is full
            read.addr.eq(first),
        ]
        m.d.sync += [
            has_more.eq(self.keeps | (has_more & ~(loads & is_last))),
            self.has_room.eq((last - first)[: QUEUE_BITS + 1] < FULL_AT),
            self.has_current.eq(moves | (self.has_current & ~self.pop)),
        ]
        with m.If(~self.has_current):
            m.d.sync += self.current.eq(self.following)
        with m.If(self.keeps):
            m.d.sync += last.eq(last + 1)
        # Past the ring when nothing is in front: the requests are taken either way, whether they
        # are meant is known later.
        with m.If(~self.has_following):
            m.d.sync += front.requests.eq(Mux(has_more, read.data.requests, self.pair))
        with m.If(self.is_empty):
            m.d.sync += front.is_meant.eq(self.push)
        with m.Elif(loads):
            m.d.sync += [front.is_meant.eq(read.data.is_meant), first.eq(first + 1)]
        with m.Elif(moves):
            m.d.sync += front.is_meant.eq(front.is_meant & (front.is_meant - 1))
        return m
