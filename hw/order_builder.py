# SPDX-License-Identifier: Apache-2.0
"""The order builder: passed orders and payloads of the host become TCP segments on the wire.

Everything that leaves a connection goes through here, so one place gives out sequence numbers. The
frame's first beat is on the transmit stream in the cycle after the verdict; what it takes to finish
a frame is known by then, so none is ever broken off.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.frame_writer import FrameWriter
from hw.gate_ports import VerdictPort
from hw.host_payload import HostPayload, PayloadWord
from hw.order_builder_ports import ConnectionLayout, outcome_layout, result
from hw.order_fields import order_layout
from hw.order_template import OrderTemplates, TemplateWrite
from hw.replay_ring import COUNT_BITS, SLOTS, ReplayRing, ring_address
from hw.request import STRATEGY_BITS, SYMBOL_BITS, VENUE_BITS
from hw.stream import FrameSignature
from hw.symbol_text import SymbolTexts, symbol_write_layout
from hw.transmit import TransmitSequence
from hw.transmit_turn import RoomLayout, TransmitTurn
from nic.offload.builder_enumerations import BUILDER

__all__ = ["ConnectionLayout", "OrderBuilder", "outcome_layout"]

RESULTS = ("orders_sent", "payloads_sent", "not_connected", "not_armed", "template_not_loaded",
           "other_venue", "bad_action", "no_window", "in_flight_limit", "builder_busy",
           "payload_too_long")  # fmt: skip
"""Entries of BUILDER that an order or a payload ends with; the others only count."""


class OrderBuilder(wiring.Component):
    """Orders and payloads in, frames out, a copy of each in the replay ring.

    Members: ``verdict``: an order that passed becomes a frame; it is taken at once or, while a
    frame is under way, waits in one place. ``is_up``: orders can be sent; ``is_free``: one more may
    be given. An order that comes when both are 1 leaves, unless the host changes its mind
    meanwhile; any other is refused by name. ``payload``: bytes of the host that become one segment
    (orders go first). ``transmit``: the frames. ``outcome``: one for each order and payload.
    ``resend_valid``, ``resend_slot``, ``resend_ready``: send the frame of a slot of the replay ring
    again.
    ``template_valid``, ``template_write``; ``symbol_valid``, ``symbol``; ``sequence_valid``,
    ``sequence_number`` (of the next byte) are written before ``connection`` says that there is one.
    ``ring_*`` reads the replay ring. ``count``: a bit per entry of BUILDER, 1 for a cycle for each.
    ``init_done``: the table of symbols is clear.
    """

    def __init__(
        self,
        *,
        symbol_bits: int = SYMBOL_BITS,
        strategy_bits: int = STRATEGY_BITS,
        slots: int = SLOTS,
    ) -> None:
        """``slots`` of the replay ring; raises ``ValueError`` as :class:`ReplayRing` does."""
        self._ring = ReplayRing(slots)
        self._symbol_bits = symbol_bits
        self._order = order_layout(symbol_bits, strategy_bits, VENUE_BITS)
        slot_bits = (slots - 1).bit_length()
        super().__init__(
            {
                "verdict": In(VerdictPort(symbol_bits, strategy_bits, VENUE_BITS)),
                "is_up": Out(1),
                "is_free": Out(1),
                "payload": In(stream.Signature(PayloadWord)),
                "transmit": Out(FrameSignature),
                "outcome_valid": Out(1),
                "outcome": Out(outcome_layout(slot_bits)),
                "resend_valid": In(1),
                "resend_slot": In(slot_bits),
                "resend_ready": Out(1),
                "connection": In(ConnectionLayout),
                "sequence_valid": In(1),
                "sequence_number": In(32),
                "next_sequence_number": Out(32),
                "template_valid": In(1),
                "template_write": In(TemplateWrite),
                "symbol_valid": In(1),
                "symbol": In(symbol_write_layout(symbol_bits)),
                "ring_read": In(stream.Signature(ring_address(slot_bits))),
                "ring_valid": Out(1),
                "ring_data": Out(64),
                "segments": Out(COUNT_BITS),
                "held": Out(slot_bits + 1),
                "count": Out(BUILDER.count),
                "init_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Nothing but wires, and the outcomes."""
        m = Module()
        m.submodules.ring = ring = self._ring
        m.submodules.templates = templates = OrderTemplates()
        m.submodules.host = host = HostPayload()
        m.submodules.sequence = sequence = TransmitSequence()
        m.submodules.symbols = symbols = SymbolTexts(self._symbol_bits)
        slot_bits = len(self.resend_slot)
        m.submodules.writer = writer = FrameWriter(self._order, slot_bits)
        m.submodules.turn = turn = TransmitTurn(self._order, slot_bits)
        connection = self.connection
        wiring.connect(m, wiring.flipped(self.payload), host.payload)
        wiring.connect(m, writer.transmit, wiring.flipped(self.transmit))
        wiring.connect(m, wiring.flipped(self.ring_read), ring.read)
        m.d.comb += [
            templates.write_valid.eq(self.template_valid),
            templates.write.eq(self.template_write),
            templates.is_locked.eq(connection.is_connected),
            templates.host_valid.eq(host.write_valid),
            templates.host_index.eq(host.write_index),
            templates.host_data.eq(host.write_data),
            templates.header_row.eq(writer.header_row),
            templates.payload_row.eq(writer.payload_row),
            symbols.write_valid.eq(self.symbol_valid),
            symbols.write.eq(self.symbol),
            self.init_done.eq(symbols.init_done),
            sequence.set_valid.eq(self.sequence_valid & ~connection.is_connected),
            sequence.set_number.eq(self.sequence_number),
            sequence.unacknowledged.eq(connection.unacknowledged),
            sequence.peer_window.eq(connection.peer_window),
            sequence.maximum_in_flight.eq(connection.maximum_in_flight),
            sequence.advance.eq(writer.described),
            sequence.advance_bytes.eq(writer.segment.payload_bytes),
            sequence.payload_bytes.eq(host.payload_bytes),
            self.next_sequence_number.eq(sequence.next_sequence_number),
            ring.clear.eq(sequence.set_valid),
            ring.unacknowledged.eq(connection.unacknowledged),
            ring.write_valid.eq(writer.copy_valid),
            ring.write_word.eq(writer.copy_word),
            ring.write_data.eq(writer.transmit.payload.data),
            ring.commit.eq(writer.commit),
            ring.descriptor.eq(writer.segment),
            ring.descriptor.number.eq(ring.segments),
            ring.play.eq(writer.play),
            ring.play_step.eq(writer.play_step),
            ring.play_address.eq(writer.play_address),
            writer.play_data.eq(ring.play_data),
            self.ring_valid.eq(ring.read_valid),
            self.ring_data.eq(ring.read_data),
            self.segments.eq(ring.segments),
            self.held.eq(ring.held),
            writer.header.eq(templates.header),
            writer.payload_word.eq(templates.payload),
            writer.descriptors.eq(templates.descriptors),
            writer.header_descriptor.eq(templates.header_descriptor),
            writer.host_payload_bytes.eq(host.payload_bytes),
            writer.host_total_length.eq(host.total_length),
            writer.host_payload_sum.eq(host.payload_sum),
            writer.sequence_number.eq(sequence.next_sequence_number),
            writer.identification.eq(sequence.identification),
            writer.acknowledgment_number.eq(connection.acknowledgment_number),
            writer.window.eq(connection.window),
            writer.is_connected.eq(connection.is_connected),
            writer.symbol.eq(symbols.row),
        ]

        m.d.comb += [
            turn.may_arrive.eq(self.verdict.valid),
            turn.arrives.eq(self.verdict.valid & self.verdict.payload.passed),
            *(turn.arriving[name].eq(self.verdict.payload[name]) for name in self._order.members),
            turn.is_held.eq(host.is_held),
            turn.is_too_long.eq(host.is_too_long),
            turn.is_idle.eq(writer.is_idle),
            turn.is_loaded.eq(templates.is_loaded),
            turn.connection.eq(connection),
            *(turn.room[name].eq(getattr(sequence, name)) for name in RoomLayout.members),
            turn.resend_valid.eq(self.resend_valid),
            turn.resend_slot.eq(self.resend_slot),
            self.resend_ready.eq(turn.resend_ready),
            turn.segments.eq(ring.segments),
            turn.held.eq(ring.held),
            writer.order.eq(turn.order),
            writer.is_order.eq(turn.is_order),
            writer.start.eq(turn.start),
            writer.resend.eq(turn.resend),
            writer.resend_slot.eq(self.resend_slot),
            symbols.symbol_index.eq(writer.symbol_index),
            self.is_up.eq(turn.is_up),
            self.is_free.eq(turn.place_is_free & symbols.init_done),
        ]
        # The host's payload is needed until its frame has left.
        is_sending = Signal()
        with m.If(turn.takes_payload):
            m.d.sync += is_sending.eq(turn.payload_leaves)
        with m.Elif(writer.commit):
            m.d.sync += is_sending.eq(0)
        m.d.comb += [
            host.taken.eq(turn.takes_payload),
            host.released.eq(
                (turn.takes_payload & ~turn.payload_leaves) | (is_sending & writer.commit)
            ),
        ]
        self._report(m, turn, writer, ring)
        m.d.sync += [
            self.count[BUILDER.value("template_write_refused")].eq(templates.refused),
            self.count[BUILDER.value("overwritten_unacknowledged")].eq(ring.overwrote),
            self.count[BUILDER.value("resends")].eq(turn.resend),
            self.count[BUILDER.value("resend_refused")].eq(turn.resend_refused),
        ]
        return m

    def _report(self, m: Module, turn: TransmitTurn, writer: FrameWriter, ring: ReplayRing) -> None:
        """One outcome for each order and payload, three cycles after it was taken or refused."""
        early = Signal.like(self.outcome)
        later = Signal.like(self.outcome)
        valid = Signal(2)
        m.d.sync += [
            valid.eq(Cat(turn.result_valid, valid)),
            early.result.eq(turn.result),
            early.is_order.eq(~turn.of_payload),
            early.pass_number.eq(turn.reported.pass_number),
            early.user_ref_num.eq(turn.reported.user_ref_num),
            later.eq(early),
            self.outcome_valid.eq(valid[1]),
            self.outcome.eq(later),
            self.outcome.sequence_number.eq(writer.segment.sequence_number),
            self.outcome.payload_bytes.eq(writer.segment.payload_bytes),
            self.outcome.slot.eq(ring.segments),
        ]
        m.d.sync += [
            self.count[BUILDER.value(name)].eq(valid[0] & (early.result == result(name)))
            for name in RESULTS
        ]
