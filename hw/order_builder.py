# SPDX-License-Identifier: Apache-2.0
"""The order builder: passed orders and payloads of the host become TCP segments on the wire.

Everything that leaves a connection goes through here, so one place gives out sequence numbers. The
frame's first beat is on the transmit stream in the cycle after the verdict; what it takes to finish
a frame is known by then, so none is ever broken off.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.frame_writer import FrameWriter
from hw.gate_ports import PASS_NUMBER_BITS, VerdictPort
from hw.host_payload import HostPayload, PayloadWord
from hw.order_fields import order_layout
from hw.order_template import OrderTemplates, TemplateWrite
from hw.replay_ring import COUNT_BITS, SLOTS, ReplayRing, ring_address
from hw.request import STRATEGY_BITS, SYMBOL_BITS, USER_REF_NUM_BITS, VENUE_BITS, Action
from hw.stream import FrameSignature
from hw.symbol_text import SymbolTexts, symbol_write_layout
from hw.transmit import PAYLOAD_BITS, SETTLE_CYCLES, TransmitSequence
from nic.offload.builder_enumerations import BUILDER

RESULT_BITS = (BUILDER.count - 1).bit_length()

ConnectionLayout = data.StructLayout(
    {
        "is_connected": 1,  # the host handed over a connection; payloads may go
        "is_armed": 1,  # orders may go too
        "venue": VENUE_BITS,  # whose orders these are
        "acknowledgment_number": 32,  # the next byte the host expects of the peer
        "window": 16,  # that the peer is told
        "unacknowledged": 32,  # the oldest byte the peer has not acknowledged
        "peer_window": 32,  # bytes it takes from there
        "maximum_in_flight": 32,  # bytes the host allows from there
    }
)
"""What the host says of the connection, and may change at any time."""


def outcome_layout(slot_bits: int) -> data.StructLayout:
    """What became of an order or a payload."""
    return data.StructLayout(
        {
            "result": RESULT_BITS,  # of the table BUILDER
            "is_order": 1,
            "pass_number": PASS_NUMBER_BITS,  # of an order
            "user_ref_num": USER_REF_NUM_BITS,  # of an order
            "sequence_number": 32,  # of the first byte, where it left
            "payload_bytes": PAYLOAD_BITS,
            "slot": slot_bits,  # of the replay ring
        }
    )


def result(name: str) -> Const:
    """Number of a result."""
    return Const(BUILDER.value(name), RESULT_BITS)


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
        """Decide whose turn it is; the frame writer does the rest."""
        m = Module()
        m.submodules.ring = ring = self._ring
        m.submodules.templates = templates = OrderTemplates()
        m.submodules.host = host = HostPayload()
        m.submodules.sequence = sequence = TransmitSequence()
        m.submodules.symbols = symbols = SymbolTexts(self._symbol_bits)
        m.submodules.writer = writer = FrameWriter(self._order, len(ring.play_address.slot))
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

        # The order whose turn it is: the one that waits, or else the one that comes.
        arrives = Signal()
        arriving = Signal(self._order)
        waits = Signal()
        waiting = Signal(self._order)
        order = Signal(self._order)
        m.d.comb += [
            arrives.eq(self.verdict.valid & self.verdict.payload.passed),
            *(arriving[name].eq(self.verdict.payload[name]) for name in self._order.members),
            order.eq(Mux(waits, waiting.as_value(), arriving.as_value())),
            symbols.symbol_index.eq(order.request.symbol_index),
            writer.order.eq(order),
        ]
        take_order = Signal()
        m.d.comb += take_order.eq(writer.is_idle & (arrives | waits))
        is_dropped = arrives & waits & ~writer.is_idle
        is_open = ~waits | writer.is_idle  # the place to wait in is free, or becomes so
        with m.If(take_order):
            m.d.sync += waits.eq(arrives & waits)
        with m.Elif(arrives):
            m.d.sync += waits.eq(1)
        with m.If(is_open):
            m.d.sync += waiting.eq(arriving)

        order_sent = self._order_result(m, templates, sequence, arriving, waits, is_open)
        take_payload = Signal()
        m.d.comb += [
            take_payload.eq(writer.is_idle & ~arrives & ~waits & host.is_held),
            host.taken.eq(take_payload),
        ]
        payload_sent = self._payload_result(m, templates, sequence, host)
        is_sending = Signal()
        m.d.comb += host.released.eq(
            (take_payload & ~payload_sent[1]) | (is_sending & writer.commit)
        )
        with m.If(take_payload):
            m.d.sync += is_sending.eq(payload_sent[1])
        with m.Elif(writer.commit):
            m.d.sync += is_sending.eq(0)
        m.d.comb += [
            writer.start.eq((take_order & order_sent[1]) | (take_payload & payload_sent[1])),
            writer.is_order.eq(arrives | waits),
        ]
        resend_ok = self._resend(m, writer, ring, arrives | waits | host.is_held)

        reported = Signal(self._order)  # the order that was taken, or else the one that comes
        m.d.comb += reported.eq(
            Mux(waits & writer.is_idle, waiting.as_value(), arriving.as_value())
        )

        # What the gate is told; the room is told anew a few cycles after an order left.
        unsettled = Signal(SETTLE_CYCLES)
        m.d.sync += unsettled.eq(Cat(take_order, unsettled)[:SETTLE_CYCLES])
        m.d.comb += [
            self.is_up.eq(order_sent[2]),
            self.is_free.eq(~waits & ~unsettled.any() & symbols.init_done),
        ]
        self._report(m, ring, writer, (take_order, order_sent[0]),
                     (take_payload, payload_sent[0]), (is_dropped, reported))  # fmt: skip
        m.d.sync += [
            self.count[BUILDER.value("template_write_refused")].eq(templates.refused),
            self.count[BUILDER.value("overwritten_unacknowledged")].eq(ring.overwrote),
            self.count[BUILDER.value("resends")].eq(self.resend_ready & resend_ok),
            self.count[BUILDER.value("resend_refused")].eq(self.resend_ready & ~resend_ok),
        ]
        return m

    def _order_result(
        self,
        m: Module,
        templates: OrderTemplates,
        sequence: TransmitSequence,
        arriving: data.View[data.StructLayout],
        waits: Value,
        is_open: Value,
    ) -> tuple[Value, Value, Value]:
        """The result of an order whose turn it is, whether it leaves; whether orders may leave."""
        state = Signal(RESULT_BITS)
        is_up = Signal()
        reasons = (
            (~self.connection.is_connected, "not_connected"),
            (~self.connection.is_armed, "not_armed"),
            (~templates.is_loaded, "template_not_loaded"),
            (~sequence.order_in_window, "no_window"),
            (~sequence.order_in_flight, "in_flight_limit"),
        )
        m.d.sync += is_up.eq(~Cat(*(condition for condition, _ in reasons)).any())
        m.d.sync += state.eq(first(reasons, result("orders_sent")))
        is_right = []
        for name, wrong in (
            ("other_venue", arriving.request.venue != self.connection.venue),
            ("bad_action", arriving.request.action == Action.INVALID),
        ):
            waiting_wrong = Signal(name=f"waiting_{name}")
            with m.If(is_open):
                m.d.sync += waiting_wrong.eq(wrong)
            is_right.append(~Mux(waits, waiting_wrong, wrong))
        found = first(
            ((~is_up, state), (~is_right[0], "other_venue"), (~is_right[1], "bad_action")),
            result("orders_sent"),
        )
        return found, is_up & is_right[0] & is_right[1], is_up

    def _payload_result(
        self,
        m: Module,
        templates: OrderTemplates,
        sequence: TransmitSequence,
        host: HostPayload,
    ) -> tuple[Value, Value]:
        """The result of the payload that is held, and whether it leaves."""
        state = Signal(RESULT_BITS)
        leaves = Signal()
        reasons = (
            (~self.connection.is_connected, "not_connected"),
            (host.is_too_long, "payload_too_long"),
            (~templates.is_loaded, "template_not_loaded"),
            (~sequence.payload_in_window, "no_window"),
            (~sequence.payload_in_flight, "in_flight_limit"),
        )
        m.d.sync += leaves.eq(~Cat(*(condition for condition, _ in reasons)).any())
        m.d.sync += state.eq(first(reasons, result("payloads_sent")))
        return state, leaves

    def _resend(self, m: Module, writer: FrameWriter, ring: ReplayRing, is_other: Value) -> Signal:
        """Start a resend when nothing else wants to go; whether the ring has that segment."""
        age = Signal(unsigned(len(self.resend_slot)))
        is_there = Signal()
        is_checked = Signal()
        m.d.comb += [
            age.eq(ring.segments - 1 - self.resend_slot),
            self.resend_ready.eq(self.resend_valid & is_checked & writer.is_idle & ~is_other),
            writer.resend.eq(self.resend_ready & is_there),
            writer.resend_slot.eq(self.resend_slot),
        ]
        m.d.sync += [
            is_there.eq((age < ring.held) & self.connection.is_connected),
            is_checked.eq(self.resend_valid & writer.is_idle & ~self.resend_ready),
        ]
        return is_there

    def _report(
        self,
        m: Module,
        ring: ReplayRing,
        writer: FrameWriter,
        taken_order: tuple[Value, Value],
        taken_payload: tuple[Value, Value],
        dropped: tuple[Value, data.View[data.StructLayout]],
    ) -> None:
        """One outcome for each order and payload, three cycles after it was taken or refused."""
        take_order, order_result = taken_order
        take_payload, payload_result = taken_payload
        is_dropped, reported = dropped
        found = Signal(RESULT_BITS)
        m.d.comb += found.eq(
            Mux(take_order, order_result, Mux(take_payload, payload_result, result("builder_busy")))
        )
        early = Signal.like(self.outcome)
        early_valid = Signal(2)
        later = Signal.like(self.outcome)
        m.d.sync += [
            early_valid.eq(Cat(take_order | take_payload | is_dropped, early_valid)),
            early.result.eq(found),
            early.is_order.eq(~take_payload),
            early.pass_number.eq(reported.pass_number),
            early.user_ref_num.eq(reported.user_ref_num),
            later.eq(early),
            self.outcome_valid.eq(early_valid[1]),
            self.outcome.eq(later),
            self.outcome.sequence_number.eq(writer.segment.sequence_number),
            self.outcome.payload_bytes.eq(writer.segment.payload_bytes),
            self.outcome.slot.eq(ring.segments),
        ]
        results = ("orders_sent", "payloads_sent", "not_connected", "not_armed",
                   "template_not_loaded", "other_venue", "bad_action", "no_window",
                   "in_flight_limit", "builder_busy", "payload_too_long")  # fmt: skip
        m.d.sync += [
            self.count[BUILDER.value(name)].eq(early_valid[0] & (early.result == result(name)))
            for name in results
        ]


def first(reasons: tuple[tuple[Value, str | Value], ...], otherwise: Value) -> Value:
    """The result of the first condition that holds."""
    found = otherwise
    for condition, name in reversed(reasons):
        found = Mux(condition, result(name) if isinstance(name, str) else name, found)
    return found
