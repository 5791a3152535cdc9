# SPDX-License-Identifier: Apache-2.0
"""The replay ring: the last segments that were sent, whole frames, until newer ones need the room.

Each slot has 32 words: the beats of the frame as they left, and in the last word what segment it
was. The host reads any word, and may have a segment sent again.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.transmit import PAYLOAD_BITS

WORDS = 32
WORD_INDEX_BITS = (WORDS - 1).bit_length()
DESCRIPTOR_WORD = WORDS - 1
SLOTS = 32
COUNT_BITS = 32
READ_LATENCY = 2

SegmentDescriptor = data.StructLayout(
    {"sequence_number": 32, "payload_bytes": PAYLOAD_BITS, "frame_bytes": 8, "number": 16}
)
"""The last word of a slot. ``number``: low bits of the count of segments before this one."""


def ring_address(slot_bits: int) -> data.StructLayout:
    """Address of a word in the ring."""
    return data.StructLayout({"word": WORD_INDEX_BITS, "slot": slot_bits})


class ReplayRing(wiring.Component):
    """``slots`` segments in block RAM.

    Members: ``write_valid``, ``write_word``, ``write_data``: a beat of the segment in work.
    ``commit``, ``descriptor``: it is whole; not in the cycle of a beat. ``segments``: how many were
    committed since reset, modulo two to the 32nd: number ``i`` is in slot ``i`` modulo ``slots``.
    ``held``: how many of the latest are there; ``clear`` makes it 0, for a new connection.
    ``overwrote``: the segment whose place a committed one took was not wholly acknowledged.
    ``read``: words in any order, ``read_valid`` and ``read_data`` ``READ_LATENCY`` cycles after
    each was taken. ``play`` takes the reader away from the host: ``play_address`` and ``play_data``
    move on with ``play_step``, as far apart; it is 1 in the first cycle.
    """

    def __init__(self, slots: int = SLOTS) -> None:
        """Raises ``ValueError`` unless ``slots`` is a power of two from 2 to 1024."""
        if not 2 <= slots <= 1024 or slots & (slots - 1):
            raise ValueError(f"slots is {slots}, must be a power of two from 2 to 1024")
        self.slots = slots
        self._slot_bits = bits = (slots - 1).bit_length()
        super().__init__(
            {
                "write_valid": In(1),
                "write_word": In(WORD_INDEX_BITS),
                "write_data": In(64),
                "commit": In(1),
                "descriptor": In(SegmentDescriptor),
                "clear": In(1),
                "unacknowledged": In(32),
                "segments": Out(COUNT_BITS),
                "held": Out(bits + 1),
                "overwrote": Out(1),
                "read": In(stream.Signature(ring_address(bits))),
                "read_valid": Out(1),
                "read_data": Out(64),
                "play": In(1),
                "play_step": In(1),
                "play_address": In(ring_address(bits)),
                "play_data": Out(64),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One RAM for the words; a small one for where each slot's segment ends."""
        m = Module()
        slot = self.segments[: self._slot_bits]
        # What is read while it is written is of no use to anybody: no logic has to define it.
        m.submodules.words = words = memory.Memory(
            shape=64, depth=self.slots * WORDS, init=[], attrs={"no_rw_check": 1}
        )
        write = words.write_port()
        m.d.comb += [
            write.en.eq(self.write_valid | self.commit),
            write.addr.eq(Cat(Mux(self.commit, DESCRIPTOR_WORD, self.write_word), slot)),
            write.data.eq(Mux(self.commit, self.descriptor.as_value(), self.write_data)),
        ]
        read = words.read_port()
        step = Signal()
        taken = Signal()
        m.d.comb += [
            self.read.ready.eq(~self.play),
            step.eq(~self.play | self.play_step),
            read.en.eq(step),
            read.addr.eq(
                Mux(self.play, self.play_address.as_value(), self.read.payload.as_value())
            ),
            self.play_data.eq(self.read_data),
        ]
        with m.If(step):
            m.d.sync += self.read_data.eq(read.data)
        m.d.sync += [
            taken.eq(self.read.valid & self.read.ready),
            self.read_valid.eq(taken),
        ]
        m.submodules.ends = ends = memory.Memory(
            shape=32, depth=self.slots, init=[], attrs={"ram_style": "distributed"}
        )
        end_write, end_read = ends.write_port(), ends.read_port(domain="comb")
        oldest_end = Signal(32)
        open_bytes = Signal(32)
        is_open = Signal()
        m.d.comb += [
            end_write.en.eq(self.commit),
            end_write.addr.eq(slot),
            end_write.data.eq(self.descriptor.sequence_number + self.descriptor.payload_bytes),
            end_read.addr.eq(slot),
        ]
        m.d.sync += [
            oldest_end.eq(end_read.data),
            open_bytes.eq(oldest_end - self.unacknowledged),
            is_open.eq(self.held[-1] & ~open_bytes[-1] & open_bytes.any()),
            self.overwrote.eq(self.commit & is_open),
        ]
        with m.If(self.commit):
            m.d.sync += self.segments.eq(self.segments + 1)
        with m.If(self.clear):
            m.d.sync += self.held.eq(0)
        with m.Elif(self.commit & ~self.held[-1]):
            m.d.sync += self.held.eq(self.held + 1)
        return m
