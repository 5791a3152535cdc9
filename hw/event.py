# SPDX-License-Identifier: Apache-2.0
"""The event: one message with all its fields, what the parser gives to everything behind it.

A message lies in an event as on the wire, byte 0 lowest. A field is wiring only: its bytes out of
the message, in the order that makes a number; the places come from the tables of ``nic/wire``.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Mux, Value
from amaranth.lib import data

from nic.framing.feed_format import FeedFormat
from nic.wire.table import ByteOrder, Field, Protocol

LENGTH_BITS = 7
SEQUENCE_NUMBER_BITS = 64
CYCLE_BITS = 48
"""Width of the cycle counter that stamps events: 20 days at 156.25 MHz."""


def message_layout(feed: FeedFormat) -> data.StructLayout:
    """A message as a line's parser gives it."""
    return data.StructLayout(
        {
            "message": 8 * feed.longest_bytes,  # bytes behind the length are undefined
            "length_bytes": LENGTH_BITS,
            "sequence_number": SEQUENCE_NUMBER_BITS,
        }
    )


def event_layout(feed: FeedFormat, symbol_bits: int) -> data.StructLayout:
    """A message that came for the first time, with what the filter knows of its instrument."""
    return data.StructLayout(
        {
            **dict(message_layout(feed).members),
            "line": 1,  # 0 A, 1 B
            "after_gap": 1,  # sequence numbers before it are missing
            "is_late": 1,  # it closes a part of a gap: newer messages went before
            "is_wanted": 1,  # the filter has its instrument
            "symbol_index": symbol_bits,  # of a wanted one
            "received_cycle": CYCLE_BITS,  # in which its last byte was on the line
        }
    )


def field_value(message: Value, field: Field, byte_order: ByteOrder) -> Value:
    """A field of a message as a number; text has its first letter in the highest byte."""
    octets = [message[8 * i : 8 * i + 8] for i in range(field.offset, field.end)]
    little = byte_order == "little" and field.is_integer
    return Cat(*(octets if little else reversed(octets)))


def message_type(message: Value, protocol: Protocol) -> Value:
    """The type code."""
    return message[8 * protocol.type_offset : 8 * protocol.type_offset + 8]


def any_field(message: Value, protocol: Protocol, *names: str) -> tuple[Value, Value]:
    """The first of the named fields that the message's type has, and whether it has one.

    Types that have it at the same place share one input of the multiplexer.
    """
    places: dict[tuple[int, int], tuple[Field, list[int]]] = {}
    for code, kind in protocol.by_code().items():
        found = next((f for name in names for f in kind.fields if f.name == name), None)
        if found is not None:
            places.setdefault((found.offset, found.width), (found, []))[1].append(code)
    code_now = message_type(message, protocol)
    value: Value = Const(0, 8 * max(width for _, width in places))
    present: Value = Const(0, 1)
    for found, codes in places.values():
        here = Cat(*(code_now == code for code in codes)).any()
        value = Mux(here, field_value(message, found, protocol.byte_order), value)
        present = present | here
    return value, present
