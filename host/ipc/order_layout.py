# SPDX-License-Identifier: Apache-2.0
"""What a strategy host and its feed host say to each other about orders, in slots of a ring.

Little-endian, one cache line each; the sequence number of the ring stands last. A strategy host
names its orders by handles of its own choice and never sees another one's.
"""

import zlib

from nic.wire.table import Message, Protocol, octets, signed, signed_price, text, unsigned

ORDER_LINE = Protocol(
    name="order_line",
    title="Order line",
    byte_order="little",
    source="this table",
    messages=(
        Message(
            "request",
            None,
            "Request, from a strategy host",
            (
                unsigned("action", 1, "what is wanted; see the actions"),
                unsigned("length", 1, "of this record", unit="bytes"),
                unsigned("side", 1, "'B', 'S', 'T' or 'E', as in OUCH 5.0; of a new order"),
                unsigned("time_in_force", 1, "'0' day, '3' immediate or cancel"),
                unsigned("post_only", 1, "0 or 1"),
                octets("reserved", 3),
                text("symbol", 8, "of a new order: has to be the symbol of the index"),
                unsigned("symbol_index", 4, "of a new order: as in the feed's events"),
                unsigned(
                    "quantity",
                    4,
                    "of a replace the chain's total; of a cancel what stays, 0 for nothing",
                    unit="shares",
                ),
                signed_price("price", 8),
                unsigned(
                    "handle", 4, "of the new order or the replacement; of a cancel the order's"
                ),
                unsigned("original_handle", 4, "of a replace: the order that it replaces"),
                unsigned("sent_tsc", 8, "the sender's time stamp counter"),
                unsigned("request_number", 8, "counts from 1, without holes; of alive 0"),
                unsigned("sequence_number", 8, "of the ring; counts from 1, without holes"),
            ),
        ),
        Message(
            "report",
            None,
            "Report, from the feed host",
            (
                unsigned("kind", 1, "what it is; see the reports"),
                unsigned("length", 1, "of this record", unit="bytes"),
                unsigned("action", 1, "of the request that is answered, else 0"),
                unsigned("event", 1, "of an event: the exchange's message"),
                unsigned("state", 1, "of an event: the order's state after it"),
                unsigned("side", 1, "of the order"),
                unsigned("refusal", 1, "of a refusal or an end: why"),
                octets("reserved_1", 1),
                unsigned("reason", 2, "of the risk gate, or of the exchange"),
                octets("reserved_2", 2),
                unsigned("handle", 4, "the order's; 0 where it is none of this line's"),
                unsigned("user_ref_num", 4, "the order's on the wire; of opened the strategy"),
                unsigned("symbol_index", 4),
                unsigned("quantity", 4, "of the event", unit="shares"),
                unsigned("leaves_quantity", 4, "open after it", unit="shares"),
                signed_price("price", 8, "of the event"),
                signed("position", 8, "of the symbol after it, of the whole feed host", "shares"),
                unsigned("request_number", 8, "of the request that is answered, else 0"),
                unsigned("sequence_number", 8, "of the ring; counts from 1, without holes"),
            ),
        ),
    ),
)

SLOT_BYTES = ORDER_LINE["request"].length
"""Size of a slot, of requests and of reports."""

ORDER_CONTENT = zlib.crc32(
    repr([(f.name, f.offset, f.width) for m in ORDER_LINE.messages for f in m]).encode()
)
"""What both sides have to agree on: another table gives another number."""
