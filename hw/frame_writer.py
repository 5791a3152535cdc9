# SPDX-License-Identifier: Apache-2.0
"""Writes one frame after the other: header, payload, what is filled in, beat by beat.

A beat passes three registers: a word of the header, or of a repeated frame; that with what is
filled in, and two words of the payload side by side, out of which the last register takes eight
bytes, as the payload does not begin at lane 0. Between frames the first beat, which is the same in
all of them, already stands in the last register, and only has to be made valid.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.checksum import SUM_BITS, SegmentChecksum, folded, network_order
from hw.frame_in_work import (
    BEAT_BITS,
    FETCH_CYCLES,
    FILL_CYCLES,
    FIRST_BEAT,
    FIRST_LANE,
    HOST_KIND,
    TAGGED_FIRST,
    FrameInWork,
    header_place,
)
from hw.order_fields import filled_word, octets, pieces_of
from hw.order_template import PAYLOAD_ROWS, WORD_BITS, Descriptor, HeaderDescriptor
from hw.replay_ring import (
    DESCRIPTOR_WORD,
    READ_LATENCY,
    WORD_INDEX_BITS,
    SegmentDescriptor,
    ring_address,
)
from hw.stream import LANES, FrameSignature
from hw.symbol_text import SymbolRow
from hw.transmit import PAYLOAD_BITS
from nic.offload.builder_enumerations import TEMPLATE
from nic.offload.order_template import (
    HEADER_WORDS,
    MESSAGES,
    PAYLOAD_WORDS,
    SHORTEST_FRAME_BYTES,
)
from nic.wire.internet import INTERNET


class FrameWriter(wiring.Component):
    """One frame at a time; frames that were started go on as fast as ``transmit`` takes them.

    Members: ``is_idle``: a frame may be started, with ``start`` (``is_order``: of ``order``, else
    of the host's payload) or, out of the ring, with ``resend``. The first beat is on ``transmit``
    in the next cycle; a repeated frame takes some more. Two cycles after ``start``, ``described``
    is 1: ``segment`` has the number and the payload's length, later the frame's. ``symbol`` is that
    of ``symbol_index`` two cycles before. ``copy_*`` are the beats for the ring (data: those
    of ``transmit``), then ``commit``. The other members belong to the templates, the host's payload
    and the ring.
    """

    def __init__(self, order: data.StructLayout, slot_bits: int) -> None:
        """``order``: layout of an order; ``slot_bits`` of the replay ring."""
        super().__init__(
            {
                "is_idle": Out(1),
                "start": In(1),
                "is_order": In(1),
                "order": In(order),
                "symbol_index": Out(order["request"].shape["symbol_index"].shape),
                "symbol": In(SymbolRow),
                "is_connected": In(1),
                "sequence_number": In(32),
                "identification": In(16),
                "acknowledgment_number": In(32),
                "window": In(16),
                "transmit": Out(FrameSignature),
                "described": Out(1),
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
        """What is written, where it stands, the stages that a beat passes, and whose turn it is."""
        m = Module()
        frame = FrameInWork(self._order_layout)
        self._take(m, frame)
        self._describe(m, frame)
        self._places(m, frame)
        self._first_stages(m, frame)
        self._payload_stages(m, frame)
        self._last_stage(m, frame)
        self._control(m, frame)
        return m

    def _take(self, m: Module, frame: FrameInWork) -> None:
        """Everything the frame takes from outside, as it is when the frame is started."""
        request = self.order.request
        actions = {name.split("_")[0]: number for number, name in enumerate(MESSAGES)}
        kinds: list[Value] = []
        for name in TEMPLATE.names:
            plain = name.removesuffix("_post_only")
            is_kind = self.is_order & (Value.cast(request.action) == actions[plain])
            if f"{plain}_post_only" in TEMPLATE.names:
                is_kind = is_kind & (request.post_only == (name != plain))
            kinds.append(is_kind)
        with m.If(frame.is_waiting):
            m.d.sync += [
                frame.order.eq(self.order),
                frame.is_order.eq(self.is_order),
                frame.kinds.eq(Cat(*kinds, ~self.is_order)),
                frame.identification.eq(self.identification),
                frame.acknowledgment_number.eq(self.acknowledgment_number),
                frame.window.eq(self.window),
                self.segment.sequence_number.eq(self.sequence_number),
            ]
        m.d.sync += [frame.started.eq(self.start), self.described.eq(frame.started)]
        # Two cycles from here to the symbol: one before, one after the frame is started.
        index = self.order.request.symbol_index
        m.d.comb += self.symbol_index.eq(
            Mux(frame.is_waiting, index, frame.order.request.symbol_index)
        )
        for name, value in pieces_of(frame.order, self.symbol.text).items():
            m.d.comb += frame.pieces[name].eq(Cat(*value))

    def _describe(self, m: Module, frame: FrameInWork) -> None:
        """How long the payload and the frame are; the checksums."""
        descriptor: data.View[data.StructLayout] = Signal(Descriptor)
        host = Cat(self.host_payload_bytes, self.host_total_length, self.host_payload_sum)
        choices = [*(self.descriptors[kind].as_value() for kind in range(HOST_KIND)), host]
        chosen: Value = Const(0)
        for kind, choice in enumerate(choices):
            chosen = chosen | Mux(frame.kinds[kind], choice, 0)
        m.d.comb += descriptor.eq(chosen)

        m.submodules.checksum = checksum = SegmentChecksum()
        m.d.comb += [
            checksum.template_sum.eq(self.header_descriptor.tcp_sum),
            checksum.payload_sum.eq(descriptor.payload_sum),
            checksum.sequence_number.eq(self.segment.sequence_number),
            checksum.acknowledgment_number.eq(frame.acknowledgment_number),
            checksum.window.eq(frame.window),
            checksum.pieces.eq(frame.pieces),
            checksum.symbol_sums.eq(self.symbol.sums),
            checksum.action.eq(frame.order.request.action),
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
            frame.ip_checksum.eq(~folded(whole)[:SUM_BITS]),
        ]
        with m.If(frame.started):
            m.d.sync += [
                whole.eq(ip_sum[:SUM_BITS] + descriptor.total_length),
                frame.total_length.eq(descriptor.total_length),
                self.segment.payload_bytes.eq(descriptor.payload_bytes),
            ]
            for kind in range(HOST_KIND + 1):
                with m.If(frame.kinds[kind]):
                    m.d.sync += frame.first_row.eq(kind * PAYLOAD_WORDS)
        tagged = self.header_descriptor.is_tagged
        payload_bytes = self.segment.payload_bytes
        is_short = payload_bytes < Mux(tagged, *(SHORTEST_FRAME_BYTES - n for n in TAGGED_FIRST))
        with m.If(self.described):
            m.d.sync += [
                frame.payload_words.eq((payload_bytes + LANES - 1) >> 3),
                self.segment.frame_bytes.eq(
                    Mux(is_short, SHORTEST_FRAME_BYTES, payload_bytes + Mux(tagged, *TAGGED_FIRST))
                ),
            ]

    def _places(self, m: Module, frame: FrameInWork) -> None:
        """Where the frame is: the beat that comes next, with a bit for each of the first ones."""
        tagged = self.header_descriptor.is_tagged
        with m.If(frame.load):
            m.d.sync += [frame.index.eq(1), frame.after.eq(2)]
        with m.Elif(frame.step):
            m.d.sync += [frame.index.eq(frame.after), frame.after.eq(frame.after + 1)]
        for tag in range(2):
            with m.If(frame.load):
                here = ~frame.is_resend & (tagged == tag)
                m.d.sync += frame.at[tag].eq(Mux(here, 1 << 1, 0))
            with m.Elif(frame.step):
                m.d.sync += frame.at[tag].eq(frame.at[tag] << 1)
            with m.Elif(frame.fill):
                m.d.sync += frame.at[tag].eq(0)
        last_byte = self.segment.frame_bytes - 1
        last_index = Signal(BEAT_BITS)
        m.d.sync += [
            last_index.eq(last_byte[3:PAYLOAD_BITS]),
            frame.empty.eq(~last_byte[:3]),
            frame.is_last.eq(
                ~frame.load & Mux(frame.step, frame.after == last_index, frame.index == last_index)
            ),
        ]

    def _first_stages(self, m: Module, frame: FrameInWork) -> None:
        """A word of the header, or of the frame to be sent again; then with what is filled in."""
        fields = (
            ("ipv4", "identification", frame.identification),
            ("tcp", "sequence_number", self.segment.sequence_number),
            ("tcp", "acknowledgment_number", frame.acknowledgment_number),
            ("tcp", "window", frame.window),
        )
        lanes: list[Value] = [Const(0, 8)] * LANES
        for tag in range(2):
            for header, name, value in fields:
                beat, lane = header_place(tag, header, name)
                for i, octet in enumerate(octets(value, INTERNET[header][name].width)):
                    # With the beat before, this one's word goes into its register.
                    here = frame.at[tag][beat + (lane + i) // LANES - 1]
                    at = (lane + i) % LANES
                    lanes[at] = lanes[at] | Mux(here, octet, 0)
        raw = Signal(WORD_BITS)
        row = Signal(BEAT_BITS)
        m.d.comb += self.header_row.eq(row)
        of_header = Mux(row < HEADER_WORDS, self.header, 0)
        with m.If(frame.fill | frame.load | frame.step):
            m.d.sync += [
                raw.eq(Mux(frame.is_resend, self.play_data, of_header)),
                row.eq(row + 1),
                frame.word.eq(raw | Cat(*lanes)),
            ]
        with m.If(frame.begin):
            m.d.sync += row.eq(0)

    def _payload_stages(self, m: Module, frame: FrameInWork) -> None:
        """The payload's words: template and what is filled in, both together, the one before.

        Behind the payload come zeros; so between frames nothing but zeros stands here.
        """
        tagged = self.header_descriptor.is_tagged
        template = Signal(WORD_BITS)
        filled = Signal(WORD_BITS)
        position = Signal(signed(BEAT_BITS + 1))
        after = Signal(signed(BEAT_BITS + 1))
        is_inside = Signal()
        m.d.comb += after.eq(position + 1)
        content = filled_word(m, frame.pieces, frame.order.request.action, position)
        with m.If(frame.is_filling | frame.is_fetching):
            # With the second beat, the word that goes in here is of the fourth.
            first = (3 - FIRST_BEAT[1], 3 - FIRST_BEAT[0])
            m.d.sync += [position.eq(Mux(tagged, *first)), is_inside.eq(0)]
        with m.Elif(frame.step):
            m.d.sync += [
                position.eq(after),
                self.payload_row.eq(frame.first_row + after),
                is_inside.eq(~after[-1] & (after < frame.payload_words) & ~frame.is_resend),
            ]
        with m.If(frame.is_filling | frame.is_fetching | frame.step):
            m.d.sync += [
                template.eq(Mux(is_inside, self.payload_word, 0)),
                filled.eq(Mux(is_inside & frame.is_order, content, 0)),
                frame.payload.eq(template | filled),
                frame.payload_before.eq(frame.payload),
            ]

    def _last_stage(self, m: Module, frame: FrameInWork) -> None:
        """The beat: header, payload shifted to its lanes, and what is known last."""
        aligned = [
            Cat(frame.payload_before[8 * (LANES - lane) :], frame.payload[: 8 * (LANES - lane)])
            for lane in FIRST_LANE
        ]
        late: Value = Const(0, WORD_BITS)
        for tag in range(2):
            for header, name, value in (
                ("ipv4", "total_length", frame.total_length),
                ("ipv4", "header_checksum", frame.ip_checksum),
                ("tcp", "checksum", frame.tcp_checksum),
            ):
                beat, lane = header_place(tag, header, name)
                placed = Cat(Const(0, 8 * lane), network_order(value))
                late = late | Mux(frame.at[tag][beat], placed, 0)
        payload = Mux(self.header_descriptor.is_tagged, aligned[1], aligned[0])
        out = self.transmit.payload
        with m.If(frame.step | frame.load):
            m.d.sync += [
                out.data.eq(frame.word | payload | late),
                out.last.eq(frame.is_last),
                out.empty.eq(Mux(frame.is_last, frame.empty, 0)),
            ]
        m.d.sync += [
            self.copy_valid.eq(self.start | (frame.step & ~frame.is_resend)),
            self.copy_word.eq(Mux(frame.is_waiting, 0, frame.index)),
            self.commit.eq(self.copy_valid & out.last),
        ]

    def _control(self, m: Module, frame: FrameInWork) -> None:
        """Get ready, wait, send; or read what is to be sent again, and send that."""
        # The templates may have changed until the connection was there: begin again then.
        is_stale = Signal(init=1)
        may_start = ~(is_stale & self.is_connected)
        play_word = Signal(WORD_INDEX_BITS)
        is_filled = Signal()
        fetched = Signal(range(FETCH_CYCLES))
        fills = Signal(range(FILL_CYCLES))
        is_gone = ~self.transmit.valid | self.transmit.ready
        is_fetched = fetched == FETCH_CYCLES - 1
        m.d.comb += [
            frame.fill.eq((frame.is_filling & ~is_filled) | (frame.is_fetching & ~is_fetched)),
            frame.load.eq(
                (frame.is_filling & is_filled & is_gone) | (frame.is_fetching & is_fetched)
            ),
            frame.step.eq(frame.is_sending & self.transmit.ready),
            self.play.eq(frame.is_fetching | (frame.is_sending & frame.is_resend)),
            self.play_step.eq(frame.is_fetching | (frame.step & frame.is_resend)),
            self.play_address.word.eq(play_word),
        ]
        m.d.sync += self.is_idle.eq(0)
        with m.If(self.play_step):
            m.d.sync += play_word.eq(play_word + 1)
        with m.If(frame.is_filling):
            m.d.sync += [fills.eq(fills + 1), is_filled.eq(is_filled | (fills == FILL_CYCLES - 1))]
            with m.If(self.transmit.ready):
                m.d.sync += self.transmit.valid.eq(0)
            with m.If(frame.load):
                m.d.sync += [
                    frame.is_filling.eq(0),
                    frame.is_waiting.eq(1),
                    self.is_idle.eq(may_start),
                ]
        with m.If(frame.is_waiting):
            m.d.sync += [
                self.play_address.slot.eq(self.resend_slot),
                play_word.eq(DESCRIPTOR_WORD),
                fetched.eq(0),
                frame.is_waiting.eq((may_start | self.is_idle) & ~self.start & ~self.resend),
                frame.is_sending.eq(self.start),
                frame.is_fetching.eq(self.resend),
                frame.is_resend.eq(self.resend),
                self.is_idle.eq(may_start & ~self.start & ~self.resend),
                self.transmit.valid.eq(self.start),
            ]
            # Not while a frame may be started: whether one is comes too late to ask here.
            with m.If(~may_start & ~self.is_idle):
                m.d.comb += frame.begin.eq(1)
                m.d.sync += is_stale.eq(0)
        with m.If(frame.is_fetching):
            m.d.sync += fetched.eq(fetched + 1)
            with m.If(fetched == READ_LATENCY):
                found = data.View(SegmentDescriptor, self.play_data)
                m.d.sync += self.segment.frame_bytes.eq(found.frame_bytes)
            with m.If(is_fetched):
                m.d.sync += [
                    frame.is_fetching.eq(0),
                    frame.is_sending.eq(1),
                    self.transmit.valid.eq(1),
                ]
        with m.If(frame.step & frame.is_last):
            m.d.comb += frame.begin.eq(1)
            m.d.sync += frame.is_sending.eq(0)
        with m.If(frame.begin):
            m.d.sync += [
                frame.is_filling.eq(1),
                frame.is_resend.eq(0),
                is_filled.eq(0),
                fills.eq(0),
            ]
        with m.If(~self.is_connected):
            m.d.sync += is_stale.eq(1)
