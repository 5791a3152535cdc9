# SPDX-License-Identifier: Apache-2.0
"""Proof: each passed order is answered once, in order, and leaves only as it was passed.

The block that decides whose turn it is stands alone; verdicts, the host's payloads, the connection,
the room and the frame writer are free. A gateware that makes an order up, loses one, sends one
while the session is not armed, or changes one on its way must fail.
"""

import pytest
from amaranth.hdl import Assert, Cover, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hw import formal
from hw.order_builder_ports import ConnectionLayout, result
from hw.order_fields import order_layout
from hw.request import VENUE_BITS, Action
from hw.transmit_turn import RoomLayout, TransmitTurn

pytestmark = pytest.mark.timeout(900)

ORDER = order_layout(1, 1, VENUE_BITS)
MUTANTS = ("made_up", "lost", "not_armed", "changed")


class TurnSpec(wiring.Component):
    """The block with a shadow of the order that waits; ``mutant`` names what is wrong with it."""

    may_arrive: In(1)
    arrives: In(1)
    arriving: In(ORDER)
    is_held: In(1)
    is_too_long: In(1)
    is_idle: In(1)
    is_loaded: In(1)
    connection: In(ConnectionLayout)
    room: In(RoomLayout)
    is_wrong: In(1)

    def __init__(self, mutant: str = "") -> None:
        self.mutant = mutant
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.turn = turn = TransmitTurn(ORDER, 2)
        names = ("arrives", "arriving", "is_held", "is_too_long", "is_idle", "is_loaded",
                 "connection", "room")  # fmt: skip
        m.d.comb += [getattr(turn, name).eq(getattr(self, name)) for name in names]
        m.d.comb += turn.may_arrive.eq(self.may_arrive | turn.arrives)
        if self.mutant == "made_up":
            m.d.comb += turn.arrives.eq(self.arrives | self.is_wrong)
        elif self.mutant == "lost":
            m.d.comb += turn.arrives.eq(self.arrives & ~self.is_wrong)
        elif self.mutant == "not_armed":
            m.d.comb += turn.connection.is_armed.eq(1)
        elif self.mutant == "changed":
            m.d.comb += turn.arriving.request.quantity[3].eq(0)

        open_orders = Signal()
        waiting = Signal(ORDER)
        expected = Signal(ORDER)
        may_leave = Signal()
        answers = Signal()
        is_busy = turn.result == result("builder_busy")
        is_sent = turn.result == result("orders_sent")
        leaves = turn.start & ~turn.of_payload
        m.d.comb += [
            answers.eq(turn.result_valid & ~turn.of_payload),
            expected.eq(Mux(open_orders, waiting.as_value(), self.arriving.as_value())),
        ]
        m.d.sync += [
            open_orders.eq(open_orders + self.arrives - answers),
            may_leave.eq(
                self.connection.is_connected
                & self.connection.is_armed
                & self.is_loaded
                & self.room.order_in_window
                & self.room.order_in_flight
            ),
        ]
        with m.If(self.arrives & ~(answers & is_busy)):
            m.d.sync += waiting.eq(self.arriving)

        m.d.comb += [
            # One answer for each, no answer for none.
            Assert(~(answers & ~self.arrives & ~open_orders)),
            Assert(~(self.arrives & open_orders & ~answers)),
            Assert(turn.waits == open_orders),
            # In order, and to the order that was passed.
            Assert(~(answers & is_busy) | (self.arrives & open_orders)),
            Assert(
                ~answers
                | (
                    turn.reported.as_value()
                    == Mux(is_busy, self.arriving.as_value(), expected.as_value())
                )
            ),
            Assert(~turn.is_order | (turn.order.as_value() == expected.as_value())),
            # What leaves is an order that was passed, and may leave.
            Assert(~leaves | (answers & is_sent & may_leave)),
            Assert(leaves | ~(answers & is_sent)),
            Assert(~leaves | (expected.request.action != Action.INVALID)),
            Assert(
                ~open_orders
                | (turn.waiting_wrong["bad_action"] == (waiting.request.action == Action.INVALID))
            ),
            Cover(leaves & open_orders),
            Cover(answers & is_busy),
        ]
        return m


def test_each_order_is_answered_once_and_leaves_as_it_was_passed():
    proof = formal.prove(TurnSpec(), "transmit_turn", depth=3)
    assert proof.holds, proof.text


def test_the_proof_is_not_about_nothing():
    proof = formal.prove(TurnSpec(), "transmit_turn_reached", depth=8, mode="cover")
    assert proof.holds, proof.text


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_gateware_fails(mutant):
    proof = formal.prove(TurnSpec(mutant), f"transmit_turn_{mutant}", depth=6, mode="bmc")
    assert proof.verdict == "fails", proof.text
