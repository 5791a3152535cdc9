# SPDX-License-Identifier: Apache-2.0
"""Writes one frame after the other: header, payload, what is filled in, beat by beat.

A beat passes two registers: a word of the header with its fields, or of a repeated frame, and two
words of the payload side by side, out of which the last register takes eight bytes, as the payload
does not begin at lane 0. Between frames the first beat, which is the same in all of them, already
stands in the last register, and only has to be made valid.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.checksum import SUM_BITS, SegmentChecksum, folded, network_order
from hw.order_fields import PiecesLayout, filled_word, octets, pieces_of
from hw.order_template import PAYLOAD_ROWS, WORD_BITS, Descriptor, HeaderDescriptor
from hw.replay_ring import (
    DESCRIPTOR_WORD,
    READ_LATENCY,
    WORD_INDEX_BITS,
    SegmentDescriptor,
    ring_address,
)
from hw.stream import LANES, FrameSignature
from hw.transmit import PAYLOAD_BITS
from nic.offload.builder_enumerations import TEMPLATE
from nic.offload.order_template import (
    HEADER_WORDS,
    HOST_WORDS,
    MESSAGES,
    SHORTEST_FRAME_BYTES,
)
from nic.wire.internet import INTERNET

LINK_BYTES = (
    INTERNET["ethernet"].length,
    INTERNET["ethernet"].length + INTERNET["vlan"].length,
)
"""Bytes in front of the IPv4 header, untagged and tagged."""
HEADER_BYTES = tuple(link + INTERNET["ipv4"].length + INTERNET["tcp"].length for link in LINK_BYTES)
FIRST_LANE = tuple(size % LANES for size in HEADER_BYTES)
FIRST_BEAT = tuple(size // LANES for size in HEADER_BYTES)
BEAT_BITS = 6
HOST_KIND = TEMPLATE.count
"""The host's payload stands where one more template would."""
FETCH_CYCLES = READ_LATENCY + 3
"""From the address of a slot's descriptor to its frame's first beat."""


def header_place(tagged: int, header: str, field: str) -> tuple[int, int]:
    """Beat and lane of a field of the IPv4 or TCP header."""
    start = LINK_BYTES[tagged] + (INTERNET["ipv4"].length if header == "tcp" else 0)
    return divmod(start + INTERNET[header][field].offset, LANES)


class FrameInWork:
    """The registers of the frame that is written, and the wires between the stages."""

    def __init__(self, order: data.StructLayout) -> None:
        # What it was started with.
        self.order: data.View[data.StructLayout] = Signal(order)
        self.is_order = Signal()
        self.is_resend = Signal()
        self.symbol_text = Signal(64)
        self.identification = Signal(16)
        self.acknowledgment_number = Signal(32)
        self.window = Signal(16)
        self.slot = Signal(16)
        # What follows from that.
        self.pieces: data.View[data.StructLayout] = Signal(PiecesLayout)
        self.action = Signal(2)
        self.kind = Signal(range(HOST_KIND + 1))
        self.descriptor: data.View[data.StructLayout] = Signal(Descriptor)
        self.payload_words = Signal(range(HOST_WORDS + 1))
        self.payload_row = Signal(range(PAYLOAD_ROWS))
        self.ip_checksum = Signal(SUM_BITS)
        self.tcp_checksum = Signal(SUM_BITS)
        # The stages.
        self.is_waiting = Signal()
        self.load_word = Signal()
        """The first word goes into ``word``."""
        self.load = Signal()
        """The first beat goes into the last register, and waits there; the rest is cleared."""
        self.step = Signal()
        """The next beat goes into the last register, everything behind it moves up."""
        self.is_last = Signal()
        """The next beat is the last one."""
        self.is_empty = Signal()
        """The last beat went."""
        self.is_ready = Signal()
        """The first word is in ``word`` though the last beat has not gone."""
        self.index = Signal(BEAT_BITS)
        """Of the beat that goes into the last register."""
        self.row = Signal(BEAT_BITS)
        """Of the word of the header that goes into ``word``."""
        self.word = Signal(WORD_BITS)
        self.payload = Signal(WORD_BITS)
        self.payload_before = Signal(WORD_BITS)
        self.play_word = Signal(WORD_INDEX_BITS)


class FrameWriter(wiring.Component):
    """One frame at a time; frames that were started go on as fast as ``transmit`` takes them.

    Members: ``is_idle``: a frame may be started, with ``start`` (``is_order``: of ``order``, else
    of the host's payload) or, out of the ring, with ``resend``. The first beat is on ``transmit``
    in the next cycle; a repeated frame takes some more. One cycle after ``start``, ``started`` is 1
    and ``payload_bytes`` and ``segment`` describe it. ``symbol_text`` is the order's, one cycle
    after ``order`` was taken. ``copy_*`` are the beats for the ring (data: those of ``transmit``),
    then ``commit``. The other members belong to the templates, the host's payload and the ring.
    """

    def __init__(self, order: data.StructLayout, slot_bits: int) -> None:
        """``order``: layout of an order; ``slot_bits`` of the replay ring."""
        super().__init__(
            {
                "is_idle": Out(1),
                "start": In(1),
                "is_order": In(1),
                "order": In(order),
                "symbol_text": In(64),
                "is_connected": In(1),
                "sequence_number": In(32),
                "identification": In(16),
                "acknowledgment_number": In(32),
                "window": In(16),
                "transmit": Out(FrameSignature),
                "started": Out(1),
                "payload_bytes": Out(PAYLOAD_BITS),
                "segment": Out(SegmentDescriptor),
                "header_row": Out(range(HEADER_WORDS)),
                "header": In(WORD_BITS),
                "payload_row": Out(range(PAYLOAD_ROWS)),
                "payload_word": In(WORD_BITS),
                "descriptors": In(data.ArrayLayout(Descriptor, TEMPLATE.count)),
                "header_descriptor": In(HeaderDescriptor),
                "host_payload_bytes": In(PAYLOAD_BITS),
                "host_total_length": In(16),
                "host_payload_sum": In(SUM_BITS),
                "copy_valid": Out(1),
                "copy_word": Out(WORD_INDEX_BITS),
                "commit": Out(1),
                "resend": In(1),
                "resend_slot": In(slot_bits),
                "play": Out(1),
                "play_step": Out(1),
                "play_address": Out(ring_address(slot_bits)),
                "play_data": In(WORD_BITS),
            }
        )
        self._order_layout = order

    def elaborate(self, platform: object) -> Module:
        """The three stages that a beat passes, and whose turn it is."""
        m = Module()
        frame = FrameInWork(self._order_layout)
        self._take(m, frame)
        self._describe(m, frame)
        self._first_stage(m, frame)
        self._payload_stages(m, frame)
        self._last_stage(m, frame)
        self._control(m, frame)
        return m

    def _take(self, m: Module, frame: FrameInWork) -> None:
        """Everything the frame takes from outside, as it is when the frame is started."""
        with m.If(frame.is_waiting):
            m.d.sync += [
                frame.order.eq(self.order),
                frame.is_order.eq(self.is_order),
                frame.identification.eq(self.identification),
                frame.acknowledgment_number.eq(self.acknowledgment_number),
                frame.window.eq(self.window),
                self.segment.sequence_number.eq(self.sequence_number),
            ]
        m.d.sync += self.started.eq(self.start)
        with m.If(self.started):
            m.d.sync += frame.symbol_text.eq(self.symbol_text)
        for name, value in pieces_of(frame.order, frame.symbol_text).items():
            m.d.comb += frame.pieces[name].eq(Cat(*value))

    def _describe(self, m: Module, frame: FrameInWork) -> None:
        """Which payload it is, how long and with what sums; its checksums; the frame's length."""
        request = frame.order.request
        actions = {name.split("_")[0]: number for number, name in enumerate(MESSAGES)}
        m.d.comb += frame.action.eq(request.action)
        with m.Switch(Cat(frame.action, frame.is_order)):
            for name, action in actions.items():
                with m.Case(action | 1 << len(frame.action)):
                    plain = TEMPLATE.value(name)
                    m.d.comb += frame.kind.eq(plain)
                    if f"{name}_post_only" in TEMPLATE.names:
                        other = TEMPLATE.value(f"{name}_post_only")
                        m.d.comb += frame.kind.eq(Mux(request.post_only, other, plain))
            with m.Default():
                m.d.comb += frame.kind.eq(HOST_KIND)
        host = Cat(self.host_payload_bytes, self.host_total_length, self.host_payload_sum)
        with m.Switch(frame.kind):
            for kind in range(TEMPLATE.count):
                with m.Case(kind):
                    m.d.comb += frame.descriptor.eq(self.descriptors[kind])
            with m.Default():
                m.d.comb += frame.descriptor.eq(host)
        m.d.comb += self.payload_bytes.eq(frame.descriptor.payload_bytes)

        m.submodules.checksum = checksum = SegmentChecksum()
        m.d.comb += [
            checksum.template_sum.eq(self.header_descriptor.tcp_sum),
            checksum.payload_sum.eq(frame.descriptor.payload_sum),
            checksum.sequence_number.eq(self.segment.sequence_number),
            checksum.acknowledgment_number.eq(frame.acknowledgment_number),
            checksum.window.eq(frame.window),
            checksum.pieces.eq(frame.pieces),
            checksum.action.eq(frame.action),
            checksum.is_filled.eq(frame.is_order),
            frame.tcp_checksum.eq(checksum.checksum),
        ]
        # The identification is known long before the frame; the length when it is started.
        early = Signal(SUM_BITS + 1)
        ip_sum = Signal(SUM_BITS + 1)
        whole = Signal(SUM_BITS + 1)
        m.d.sync += [
            early.eq(self.header_descriptor.ip_sum + self.identification),
            ip_sum.eq(folded(early)),
        ]
        with m.If(self.started):
            m.d.sync += whole.eq(ip_sum[:SUM_BITS] + frame.descriptor.total_length)
        m.d.comb += frame.ip_checksum.eq(~folded(whole)[:SUM_BITS])

        just_started = Signal()
        m.d.sync += just_started.eq(self.started)
        with m.If(self.started):
            m.d.sync += [
                self.segment.payload_bytes.eq(frame.descriptor.payload_bytes),
                frame.payload_words.eq((frame.descriptor.payload_bytes + LANES - 1) >> 3),
                frame.payload_row.eq(frame.kind << 3),
            ]
        size = Signal(PAYLOAD_BITS)
        header_bytes = Mux(self.header_descriptor.is_tagged, HEADER_BYTES[1], HEADER_BYTES[0])
        m.d.comb += size.eq(self.segment.payload_bytes + header_bytes)
        with m.If(just_started):
            m.d.sync += self.segment.frame_bytes.eq(
                Mux(size < SHORTEST_FRAME_BYTES, SHORTEST_FRAME_BYTES, size)
            )

    def _first_stage(self, m: Module, frame: FrameInWork) -> None:
        """A word of the header with what is filled in, or of the frame to be sent again."""
        tagged = self.header_descriptor.is_tagged
        fields = (
            ("ipv4", "total_length", frame.descriptor.total_length),
            ("ipv4", "identification", frame.identification),
            ("ipv4", "header_checksum", frame.ip_checksum),
            ("tcp", "sequence_number", self.segment.sequence_number),
            ("tcp", "acknowledgment_number", frame.acknowledgment_number),
            ("tcp", "window", frame.window),
        )
        filled = [Signal(WORD_BITS, name=f"filled_{tag}") for tag in range(2)]
        for tag in range(2):
            beats: dict[int, list[Value]] = {}
            for header, name, value in fields:
                beat, lane = header_place(tag, header, name)
                for i, octet in enumerate(octets(value, INTERNET[header][name].width)):
                    lanes = beats.setdefault(beat + (lane + i) // LANES, [Const(0, 8)] * LANES)
                    lanes[(lane + i) % LANES] = octet
            with m.Switch(frame.row):
                for beat, lanes in beats.items():
                    with m.Case(beat):
                        m.d.comb += filled[tag].eq(Cat(*lanes))
        m.d.comb += self.header_row.eq(frame.row)
        of_header = Mux(
            frame.row < HEADER_WORDS, self.header | Mux(tagged, filled[1], filled[0]), 0
        )
        with m.If(frame.load_word | frame.load | frame.step):
            m.d.sync += [
                frame.word.eq(Mux(frame.is_resend, self.play_data, of_header)),
                frame.row.eq(frame.row + 1),
            ]

    def _payload_stages(self, m: Module, frame: FrameInWork) -> None:
        """The payload's words: template and what is filled in, both together, the one before."""
        template = Signal(WORD_BITS)
        filled = Signal(WORD_BITS)
        position = Signal(signed(BEAT_BITS + 1))
        is_inside = ~position[-1] & (position < frame.payload_words) & ~frame.is_resend
        m.d.comb += self.payload_row.eq(frame.payload_row + position)
        content = filled_word(m, frame.pieces, frame.action, position)
        tagged = self.header_descriptor.is_tagged
        with m.If(frame.load_word | frame.load):
            # With the second beat, the word that goes in here is of the fourth.
            m.d.sync += [
                position.eq(Mux(tagged, 3 - FIRST_BEAT[1], 3 - FIRST_BEAT[0])),
                Cat(template, filled, frame.payload, frame.payload_before).eq(0),
            ]
        with m.Elif(frame.step):
            m.d.sync += [
                position.eq(position + 1),
                template.eq(Mux(is_inside, self.payload_word, 0)),
                filled.eq(Mux(is_inside & frame.is_order, content, 0)),
                frame.payload.eq(template | filled),
                frame.payload_before.eq(frame.payload),
            ]

    def _last_stage(self, m: Module, frame: FrameInWork) -> None:
        """The beat: header, payload shifted to its lanes, and the TCP checksum, which is last."""
        tagged = self.header_descriptor.is_tagged
        aligned = [
            Cat(frame.payload_before[8 * (LANES - lane) :], frame.payload[: 8 * (LANES - lane)])
            for lane in FIRST_LANE
        ]
        late: Value = Const(0, WORD_BITS)
        for tag in range(2):
            beat, lane = header_place(tag, "tcp", "checksum")
            here = (frame.index == beat) & (tagged == tag) & ~frame.is_resend
            placed = Cat(Const(0, 8 * lane), network_order(frame.tcp_checksum))
            late = late | Mux(here, placed, 0)
        last_byte = self.segment.frame_bytes - 1
        last_index = Signal(BEAT_BITS)
        empty = Signal(3)
        m.d.sync += [last_index.eq(last_byte[3:PAYLOAD_BITS]), empty.eq(~last_byte[:3])]
        out = self.transmit.payload
        m.d.comb += frame.is_last.eq(frame.index == last_index)
        with m.If(self.start):
            m.d.sync += self.transmit.valid.eq(1)
        with m.Elif(frame.is_empty):
            m.d.sync += self.transmit.valid.eq(0)
        with m.If(frame.step | frame.load):
            m.d.sync += [
                out.data.eq(frame.word | Mux(tagged, aligned[1], aligned[0]) | late),
                out.last.eq(frame.is_last),
                out.empty.eq(Mux(frame.is_last, empty, 0)),
            ]
        m.d.sync += [
            self.copy_valid.eq(self.start | (frame.step & ~frame.is_resend)),
            self.copy_word.eq(Mux(self.start, 0, frame.index)),
            self.commit.eq(self.copy_valid & out.last),
        ]

    def _control(self, m: Module, frame: FrameInWork) -> None:
        """Get ready, wait, send; or read what is to be sent again, and send that."""
        # The templates may have changed until the connection was there: begin again then.
        was_connected = Signal(2)
        m.d.sync += was_connected.eq(Cat(self.is_connected, was_connected[0]))
        fetched = Signal(range(FETCH_CYCLES))
        m.d.comb += [
            self.play_address.slot.eq(frame.slot),
            self.play_address.word.eq(frame.play_word),
            self.is_idle.eq(frame.is_waiting & (was_connected[1] | ~self.is_connected)),
        ]
        with m.If(frame.load):
            m.d.sync += frame.index.eq(1)
        with m.Elif(frame.step):
            m.d.sync += frame.index.eq(frame.index + 1)
        with m.If(self.play_step):
            m.d.sync += frame.play_word.eq(frame.play_word + 1)
        with m.FSM(init="first word"):
            with m.State("first word"):
                m.d.comb += frame.load_word.eq(1)
                m.next = "first beat"
            with m.State("first beat"):
                m.d.comb += frame.load.eq(1)
                m.next = "wait"
            with m.State("wait"):
                m.d.comb += frame.is_waiting.eq(1)
                m.d.sync += [
                    frame.slot.eq(self.resend_slot),
                    frame.play_word.eq(DESCRIPTOR_WORD),
                    fetched.eq(0),
                ]
                with m.If(self.start):
                    m.next = "send"
                with m.Elif(self.resend):
                    m.next = "fetch"
                    m.d.sync += frame.is_resend.eq(1)
                with m.Elif(~was_connected[1]):
                    self._begin_again(m, frame)
                    m.next = "first word"
            with m.State("fetch"):
                m.d.comb += [self.play.eq(1), self.play_step.eq(1)]
                m.d.sync += fetched.eq(fetched + 1)
                with m.If(fetched == READ_LATENCY):
                    found = data.View(SegmentDescriptor, self.play_data)
                    m.d.sync += self.segment.frame_bytes.eq(found.frame_bytes)
                with m.If(fetched == FETCH_CYCLES - 2):
                    m.d.comb += frame.load_word.eq(1)
                with m.If(fetched == FETCH_CYCLES - 1):
                    m.d.comb += frame.load.eq(1)
                    m.d.sync += self.transmit.valid.eq(1)
                    m.next = "send"
            with m.State("send"):
                m.d.comb += [
                    self.play.eq(frame.is_resend),
                    self.play_step.eq(frame.step & frame.is_resend),
                    frame.step.eq(self.transmit.ready),
                ]
                with m.If(frame.step & frame.is_last):
                    self._begin_again(m, frame)
                    m.next = "last beat"
            with m.State("last beat"):
                with m.If(~frame.is_ready):
                    m.d.comb += frame.load_word.eq(1)
                    m.d.sync += frame.is_ready.eq(1)
                m.d.comb += frame.is_empty.eq(self.transmit.ready)
                with m.If(self.transmit.ready):
                    with m.If(frame.is_ready):
                        m.d.comb += frame.load.eq(1)
                        m.next = "wait"
                    with m.Else():
                        m.next = "first beat"

    def _begin_again(self, m: Module, frame: FrameInWork) -> None:
        """Go back to the first word of the header."""
        m.d.sync += [frame.row.eq(0), frame.is_resend.eq(0), frame.is_ready.eq(0)]
