# SPDX-License-Identifier: Apache-2.0
"""The transmit side of a TCP connection: whose turn the next byte is, and whether there is room.

The gateware alone gives out sequence numbers. The host sets the first one, says what the peer
acknowledged and how large its window is, and how many bytes it allows in flight.
"""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from nic.offload.order_template import LONGEST_ORDER_BYTES

PAYLOAD_BITS = 8
SETTLE_CYCLES = 6
"""After a segment was started, until the room that it left is told."""


class TransmitSequence(wiring.Component):
    """Sequence number, IP identification, and what room the peer and the host leave.

    Members: ``set_valid``, ``set_number``: the next byte's number, set by the host.
    ``unacknowledged``: the oldest byte's that the peer has not acknowledged; ``peer_window`` and
    ``maximum_in_flight`` count bytes from there. ``advance``, ``advance_bytes``: a segment left.
    ``order_in_window``, ``order_in_flight``: there is room for the longest order.
    ``payload_in_window``, ``payload_in_flight``: for ``payload_bytes`` and the longest order
    behind them, so that a payload never takes an order's room. An acknowledgement of what was
    never sent leaves no room at all.
    """

    set_valid: In(1)
    set_number: In(32)
    unacknowledged: In(32)
    peer_window: In(32)
    maximum_in_flight: In(32)
    advance: In(1)
    advance_bytes: In(PAYLOAD_BITS)
    payload_bytes: In(PAYLOAD_BITS)
    next_sequence_number: Out(32)
    identification: Out(16)
    order_in_window: Out(1)
    order_in_flight: Out(1)
    payload_in_window: Out(1)
    payload_in_flight: Out(1)

    def elaborate(self, platform: object) -> Module:
        """Subtract, subtract, compare: one cycle each."""
        m = Module()
        with m.If(self.set_valid):
            m.d.sync += self.next_sequence_number.eq(self.set_number)
        with m.Elif(self.advance):
            m.d.sync += [
                self.next_sequence_number.eq(self.next_sequence_number + self.advance_bytes),
                self.identification.eq(self.identification + 1),
            ]
        in_flight = Signal(32)
        m.d.sync += in_flight.eq(self.next_sequence_number - self.unacknowledged)
        # A half of the numbers is before us: beyond it, the acknowledgement is of the future.
        is_ahead = Signal()
        m.d.sync += is_ahead.eq(in_flight[-1])
        wanted = Signal(PAYLOAD_BITS + 1)
        m.d.sync += wanted.eq(self.payload_bytes + LONGEST_ORDER_BYTES)
        for limit, order, payload in (
            (self.peer_window, self.order_in_window, self.payload_in_window),
            (self.maximum_in_flight, self.order_in_flight, self.payload_in_flight),
        ):
            left = Signal(33, name=f"left_{limit.name}")
            rest = Signal(34, name=f"rest_{limit.name}")
            low_bits = LONGEST_ORDER_BYTES.bit_length() - 1
            has_room = ~left[-1] & ~is_ahead
            m.d.sync += left.eq(Cat(limit, Const(0, 1)) - in_flight)
            m.d.comb += rest.eq(left.as_signed() - wanted)
            m.d.sync += [
                order.eq(has_room & left[low_bits:-1].any()),
                payload.eq(has_room & ~rest[-1]),
            ]
        return m
