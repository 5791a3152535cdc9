# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is to be sent: an order, a payload of the host, or a segment once more.

Orders go first. One that comes while a frame is under way waits in one place. What can't go is
refused by name at once or when its turn comes: nothing waits for a condition.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.order_builder_ports import RESULT_BITS, ConnectionLayout, first, result
from hw.replay_ring import COUNT_BITS
from hw.request import Action
from hw.transmit import SETTLE_CYCLES

RoomLayout = data.StructLayout(
    {
        "order_in_window": 1,
        "order_in_flight": 1,
        "payload_in_window": 1,
        "payload_in_flight": 1,
    }
)
"""What :class:`hw.transmit.TransmitSequence` says of the room there is."""


class TransmitTurn(wiring.Component):
    """Takes orders, payloads and resends while the frame writer ``is_idle``, and starts frames.

    Members: ``arrives``, ``arriving``: an order. ``arrives`` may come late in its cycle, and only
    where ``may_arrive`` is 1: nobody else has a turn then. ``is_held``, ``is_too_long``: the host's
    payload. ``connection``, ``is_loaded`` (the templates), ``room``. ``order``: whose turn it is;
    ``is_order``: it is an order's; ``waits``: it came before. ``start``: what was taken leaves, as
    a frame. ``takes_payload``: it was its turn; ``payload_leaves``. ``result_valid``, ``result``,
    ``reported`` (the order), ``of_payload``: what becomes of what was taken, or dropped as there
    is no place.
    ``is_up``: orders may leave; ``place_is_free``: for one more, and the room is known.
    ``resend_valid``, ``resend_slot``, ``resend_ready``; ``resend``: of ``resend_slot``, else
    ``resend_refused``; ``segments`` and ``held`` of the ring.
    """

    def __init__(self, order: data.StructLayout, slot_bits: int) -> None:
        """``order``: layout of an order; ``slot_bits`` of the replay ring."""
        self._order = order
        self.waiting_wrong = {
            name: Signal(name=f"waiting_{name}") for name in ("other_venue", "bad_action")
        }
        """Of the order that waits, as it was when it came."""
        super().__init__(
            {
                "may_arrive": In(1),
                "arrives": In(1),
                "arriving": In(order),
                "is_held": In(1),
                "is_too_long": In(1),
                "is_idle": In(1),
                "is_loaded": In(1),
                "connection": In(ConnectionLayout),
                "room": In(RoomLayout),
                "order": Out(order),
                "is_order": Out(1),
                "waits": Out(1),
                "start": Out(1),
                "takes_payload": Out(1),
                "payload_leaves": Out(1),
                "result_valid": Out(1),
                "result": Out(RESULT_BITS),
                "reported": Out(order),
                "of_payload": Out(1),
                "is_up": Out(1),
                "place_is_free": Out(1),
                "resend_valid": In(1),
                "resend_slot": In(slot_bits),
                "resend_ready": Out(1),
                "segments": In(COUNT_BITS),
                "held": In(slot_bits + 1),
                "resend": Out(1),
                "resend_refused": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The place to wait in, and the choice."""
        m = Module()
        waits = self.waits
        waiting = Signal(self._order)
        is_open = ~waits | self.is_idle  # the place is free, or becomes so
        takes_order = Signal()
        is_dropped = self.arrives & waits & ~self.is_idle
        m.d.comb += [
            takes_order.eq(self.is_idle & (self.arrives | waits)),
            self.is_order.eq(self.may_arrive | waits),
            self.order.eq(Mux(waits, waiting.as_value(), self.arriving.as_value())),
            self.takes_payload.eq(self.is_idle & ~self.is_order & self.is_held),
        ]
        with m.If(takes_order):
            m.d.sync += waits.eq(self.arrives & waits)
        with m.Elif(self.arrives):
            m.d.sync += waits.eq(1)
        with m.If(is_open):
            m.d.sync += waiting.eq(self.arriving)

        order_result, order_leaves = self._order_result(m, waits, is_open)
        payload_result = self._payload_result(m)
        m.d.comb += [
            self.start.eq(
                (takes_order & order_leaves) | (self.takes_payload & self.payload_leaves)
            ),
            self.result_valid.eq(takes_order | self.takes_payload | is_dropped),
            self.of_payload.eq(self.takes_payload),
            self.result.eq(
                Mux(
                    self.is_idle & self.is_order,
                    order_result,
                    Mux(self.takes_payload, payload_result, result("builder_busy")),
                )
            ),
            # The order that was taken, or else the one that comes.
            self.reported.eq(
                Mux(waits & self.is_idle, waiting.as_value(), self.arriving.as_value())
            ),
        ]
        self._resend(m)
        unsettled = Signal(SETTLE_CYCLES)
        m.d.sync += unsettled.eq(Cat(takes_order, unsettled)[:SETTLE_CYCLES])
        m.d.comb += self.place_is_free.eq(~waits & ~unsettled.any())
        return m

    def _order_result(self, m: Module, waits: Value, is_open: Value) -> tuple[Value, Value]:
        """The result of the order whose turn it is, and whether it leaves."""
        state = Signal(RESULT_BITS, init=result("not_connected").value)
        reasons = (
            (~self.connection.is_connected, "not_connected"),
            (~self.connection.is_armed, "not_armed"),
            (~self.is_loaded, "template_not_loaded"),
            (~self.room.order_in_window, "no_window"),
            (~self.room.order_in_flight, "in_flight_limit"),
        )
        m.d.sync += [
            self.is_up.eq(~Cat(*(condition for condition, _ in reasons)).any()),
            state.eq(first(reasons, "orders_sent")),
        ]
        wrong: dict[str, Value] = {}
        for name, condition in (
            ("other_venue", self.arriving.request.venue != self.connection.venue),
            ("bad_action", self.arriving.request.action == Action.INVALID),
        ):
            kept = self.waiting_wrong[name]
            with m.If(is_open):
                m.d.sync += kept.eq(condition)
            wrong[name] = Mux(waits, kept, condition)
        own = tuple((condition, name) for name, condition in wrong.items())
        found = first(((~self.is_up, state), *own), "orders_sent")
        return found, self.is_up & ~Cat(*wrong.values()).any()

    def _payload_result(self, m: Module) -> Value:
        """The result of the payload that is held."""
        state = Signal(RESULT_BITS, init=result("not_connected").value)
        reasons = (
            (~self.connection.is_connected, "not_connected"),
            (self.is_too_long, "payload_too_long"),
            (~self.is_loaded, "template_not_loaded"),
            (~self.room.payload_in_window, "no_window"),
            (~self.room.payload_in_flight, "in_flight_limit"),
        )
        m.d.sync += [
            self.payload_leaves.eq(~Cat(*(condition for condition, _ in reasons)).any()),
            state.eq(first(reasons, "payloads_sent")),
        ]
        return state

    def _resend(self, m: Module) -> None:
        """Look the segment up, and start in the next cycle, when nothing else wants to go."""
        age = Signal(unsigned(len(self.resend_slot)))
        is_there = Signal()
        is_checked = Signal()
        m.d.comb += [
            age.eq(self.segments - 1 - self.resend_slot),
            self.resend_ready.eq(
                self.resend_valid & is_checked & self.is_idle & ~self.is_order & ~self.is_held
            ),
            self.resend.eq(self.resend_ready & is_there),
            self.resend_refused.eq(self.resend_ready & ~is_there),
        ]
        m.d.sync += [
            is_there.eq((age < self.held) & self.connection.is_connected),
            is_checked.eq(self.resend_valid & self.is_idle & ~self.resend_ready),
        ]
