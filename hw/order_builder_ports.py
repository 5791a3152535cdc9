# SPDX-License-Identifier: Apache-2.0
"""What the order builder is told of the connection, and what it tells of orders and payloads."""

from __future__ import annotations

from amaranth.hdl import Const, Mux, Value
from amaranth.lib import data

from hw.gate_ports import PASS_NUMBER_BITS
from hw.request import USER_REF_NUM_BITS, VENUE_BITS
from hw.transmit import PAYLOAD_BITS
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
            "payload_bytes": PAYLOAD_BITS,  # where it left
            "slot": slot_bits,  # of the replay ring, where it left
        }
    )


def result(name: str) -> Const:
    """Number of a result."""
    return Const(BUILDER.value(name), RESULT_BITS)


def first(reasons: tuple[tuple[Value, str | Value], ...], otherwise: str) -> Value:
    """The result of the first condition that holds."""
    found: Value = result(otherwise)
    for condition, name in reversed(reasons):
        found = Mux(condition, result(name) if isinstance(name, str) else name, found)
    return found
