# SPDX-License-Identifier: Apache-2.0
"""What waits for the arbiter: messages of line B, idle datagrams, and the host's new start."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.event import CYCLE_BITS, SEQUENCE_NUMBER_BITS, message_layout
from hw.line_signature import DatagramKind, ParsedLine
from hw.symbol_filter import symbol_layout
from nic.framing.feed_format import FeedFormat

QUEUE_BITS = 4
"""Two to this power may wait: as many as distributed RAM keeps anyway."""

StartSignature = stream.Signature(SEQUENCE_NUMBER_BITS)
"""What is expected next, as the host says it; 0 for whatever comes first."""


def item_layout(feed: FeedFormat, symbol_bits: int) -> data.StructLayout:
    """A message with what an event says of it, or only a number that is to come next."""
    return data.StructLayout(
        {
            "is_message": 1,
            "is_start": 1,  # else what is no message is an idle datagram
            "following": SEQUENCE_NUMBER_BITS,  # the number to come next
            "message": message_layout(feed),
            "symbol": symbol_layout(symbol_bits),
            "received_cycle": CYCLE_BITS,
        }
    )


class ArbiterQueue(wiring.Component):
    """A queue in distributed RAM; its first item lies in registers (``has_head``, ``head``).

    ``asks`` and ``push`` put ``item`` (a message; ``has_message`` says early that there may be one)
    behind the others; where anything waits, who asks must push. Without room it is lost, and
    ``is_overrun`` is 1. ``pop`` takes the head away; the next is there two cycles later.
    ``is_empty``: neither head nor more. Idle datagrams (heartbeats, ends of session) of the lines
    ``a`` and ``b`` and then ``start`` are put in between messages, when there is room; a line
    brings no message meanwhile, as it has a frame's headers before it.
    """

    def __init__(self, feed: FeedFormat, item: data.StructLayout) -> None:
        self._item = item
        datagram = ParsedLine(feed).members["datagram"].signature
        super().__init__(
            {
                "a": In(datagram),
                "b": In(datagram),
                "start": In(StartSignature),
                "has_message": In(1),
                "asks": In(1),
                "push": In(1),
                "item": In(item),
                "pop": In(1),
                "has_head": Out(1),
                "head": Out(item),
                "is_empty": Out(1),
                "is_overrun": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The ring, the head, and a place for each line's idle datagram."""
        m = Module()
        m.submodules.ring = ring = memory.Memory(shape=self._item, depth=1 << QUEUE_BITS, init=[])
        write, read = ring.write_port(), ring.read_port(domain="comb")
        last, first = Signal(QUEUE_BITS), Signal(QUEUE_BITS)
        held = Signal(QUEUE_BITS + 1)  # in the ring; the places go a wide way to it
        is_idle = [Signal(name=f"is_idle_{name}") for name in "ab"]
        idle_number = [Signal(SEQUENCE_NUMBER_BITS, name=f"idle_number_{name}") for name in "ab"]
        is_full, may_write = Signal(), Signal(init=1)  # the same, for the wide way to the RAM
        is_almost_full, has_more, has_room = Signal(), Signal(), Signal()
        loads, is_last, is_occupied = Signal(), Signal(), Signal()
        keeps, still_more, puts, will_be_full = Signal(), Signal(), Signal(), Signal()
        has_idle, fills = Signal(), Signal()
        m.d.comb += [
            is_almost_full.eq(held == (1 << QUEUE_BITS) - 1),
            # one that is almost full has something that waits
            fills.eq(is_almost_full & (self.asks | has_idle)),
            will_be_full.eq(~loads & (is_full | fills)),
            has_idle.eq(has_room & (Cat(is_idle).any() | self.start.valid)),
            has_room.eq(~self.has_message & ~is_full),
            self.is_overrun.eq(self.push & is_full),
            self.start.ready.eq(has_room & ~Cat(is_idle).any()),
            write.addr.eq(last),
            write.data.eq(self.item),
            write.en.eq(may_write),  # what is not put there is written over by what is
            puts.eq((self.push & ~is_full) | has_idle),
            read.addr.eq(first),
            self.is_empty.eq(~is_occupied),
            loads.eq(~self.has_head & has_more),
            is_last.eq(held == 1),
            still_more.eq(has_more & ~(loads & is_last)),
            keeps.eq(loads | still_more | (self.has_head & ~self.pop)),
        ]
        # Decisions need to know whether anything waits: registers say it.
        m.d.sync += [
            held.eq(Mux(puts, held + ~loads, held - loads)),
            has_more.eq(still_more | puts),
            is_occupied.eq(keeps | puts),
            is_full.eq(will_be_full),
            may_write.eq(~will_be_full),
        ]
        number = Mux(
            is_idle[0], idle_number[0], Mux(is_idle[1], idle_number[1], self.start.payload)
        )
        with m.If(~self.has_message):
            m.d.comb += [
                write.data.is_message.eq(0),
                write.data.is_start.eq(self.start.ready),
                write.data.following.eq(number),
                write.data.message.sequence_number.eq(number),
            ]
        with m.If(puts):
            m.d.sync += last.eq(last + 1)
        with m.If(has_room):
            m.d.sync += [is_idle[0].eq(0), is_idle[1].eq(is_idle[0] & is_idle[1])]
        for datagram, flag, number in zip((self.a, self.b), is_idle, idle_number, strict=True):
            with m.If(datagram.valid & (datagram.payload.kind != DatagramKind.DATA)):
                m.d.sync += [flag.eq(1), number.eq(datagram.payload.sequence_number)]
        with m.If(self.pop):
            m.d.sync += self.has_head.eq(0)
        with m.If(loads):
            m.d.sync += [self.has_head.eq(1), self.head.eq(read.data), first.eq(first + 1)]
        return m
