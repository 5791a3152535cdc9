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
    """Pairs of requests, of which one or both are meant, and the request at the front.

    ``push`` (one bit per way, any that is not 0) takes ``pair``. ``current`` is the first request
    (lower way first) that waits; ``pop`` takes it away. ``has_room`` is 0 from ``FULL_AT`` pairs
    on. ``is_empty``: nothing waits, ``current`` included.
    """

    def __init__(self, request: data.StructLayout) -> None:
        self._request = request
        self._pair = data.StructLayout(
            {"is_meant": WAYS, "requests": data.ArrayLayout(request, WAYS)}
        )
        super().__init__(
            {
                "push": In(WAYS),
                "pair": In(data.ArrayLayout(request, WAYS)),
                "current": Out(request),
                "has_current": Out(1),
                "pop": In(1),
                "has_room": Out(1),
                "is_empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A ring of pairs, the pair at its front, and the request of it that is next."""
        m = Module()
        m.submodules.ring = ring = memory.Memory(shape=self._pair, depth=1 << QUEUE_BITS, init=[])
        write, read = ring.write_port(), ring.read_port(domain="comb")
        last, first = Signal(QUEUE_BITS + 1), Signal(QUEUE_BITS + 1)
        front = Signal(self._pair)
        is_past, has_more = Signal(), Signal()
        pushes = self.push.any()
        m.d.comb += [
            has_more.eq(last != first),
            self.is_empty.eq(~has_more & ~front.is_meant.any() & ~self.has_current),
            is_past.eq(pushes & self.is_empty),  # nothing in front of it: past the ring
            write.addr.eq(last),
            write.data.is_meant.eq(self.push),
            write.data.requests.eq(self.pair),
            write.en.eq(pushes & ~is_past),
            read.addr.eq(first),
        ]
        m.d.sync += [
            last.eq(last + write.en),
            self.has_room.eq((last - first)[: QUEUE_BITS + 1] < FULL_AT),
        ]
        with m.If(is_past):
            m.d.sync += [
                self.current.eq(Mux(self.push[0], self.pair[0], self.pair[1])),
                self.has_current.eq(1),
                front.is_meant.eq(self.push & (self.push - 1)),
                front.requests.eq(self.pair),
            ]
        with m.Elif(front.is_meant.any() & (~self.has_current | self.pop)):
            m.d.sync += [
                self.current.eq(Mux(front.is_meant[0], front.requests[0], front.requests[1])),
                self.has_current.eq(1),
                front.is_meant.eq(front.is_meant & (front.is_meant - 1)),
            ]
        with m.Elif(self.pop):
            m.d.sync += self.has_current.eq(0)
        with m.If(~front.is_meant.any() & has_more):
            m.d.sync += [front.eq(read.data), first.eq(first + 1)]
        return m
