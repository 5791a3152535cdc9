# SPDX-License-Identifier: Apache-2.0
"""One event of the normalised feed, as it lies in a slot of a ring.

Little-endian, two cache lines. Every event of a symbol carries the whole top of its book after the
event, so that whoever missed events is right again with the symbol's next one. The sequence
number stands last: it is what is written last, and what a reader waits for.
"""

import zlib

from nic.wire.table import Message, Protocol, octets, signed_price, text, unsigned

FEED = Protocol(
    name="feed",
    title="Normalised feed",
    byte_order="little",
    source="this table",
    messages=(
        Message(
            "event",
            None,
            "Event",
            (
                unsigned("kind", 1, "what happened; see the kinds"),
                unsigned("changes", 1, "bits: 1 best bid or offer, 2 trade, 4 state, 8 depth"),
                unsigned("flags", 1, "bits; see the flags"),
                unsigned("side", 1, "'B' or 'S' of the order, level or resting order; 0 unknown"),
                unsigned("book_state", 1, "0 clean, 1 gapped, 2 rebuilding"),
                unsigned("trading_state", 1, "the venue's letter, 'T' trading; 0 unknown"),
                unsigned("operational_halt", 1, "1 while halted operationally"),
                unsigned("short_sale_state", 1, "the venue's letter; 0 unknown"),
                text("symbol", 8, "zeros in an event that is of no symbol"),
                unsigned("symbol_index", 4, "the publisher's number of the symbol, stock locate"),
                unsigned("market_phase", 1, "phase of the market, as in the risk gate's table"),
                octets("reserved", 1),
                unsigned("round_lot_size", 2, "0 unknown; 65,535 stands for more", unit="shares"),
                unsigned(
                    "feed_sequence_number",
                    8,
                    "of the message; of a gap the first that is lost; otherwise the last message",
                ),
                unsigned("timestamp", 8, "exchange time of the symbol's last message", unit="ns"),
                unsigned(
                    "received_ns",
                    8,
                    "the publisher's time of the packet; of a top event, of the last that changed "
                    "the symbol",
                    unit="ns",
                ),
                unsigned(
                    "received_tsc", 8, "time stamp counter when the packet was taken; 0 for none"
                ),
                unsigned("order_reference_number", 8, "0 where there is none"),
                unsigned("previous_order_reference_number", 8, "of the order that was replaced"),
                signed_price(
                    "price",
                    8,
                    "of order, level or trade; of a top event the last trade; 0: the message "
                    "names none, or the execution is not to be reported",
                ),
                unsigned(
                    "quantity",
                    8,
                    "shares that were added, executed, taken away, traded, or that the level has; "
                    "of a gap the messages lost; of a restart its reason",
                    unit="shares",
                ),
                signed_price("bid_price", 8, "best bid after the event; 0 for none"),
                unsigned("bid_shares", 8, "at the best bid", unit="shares"),
                signed_price("ask_price", 8, "best offer after the event; 0 for none"),
                unsigned("ask_shares", 8, "at the best offer", unit="shares"),
                unsigned("sequence_number", 8, "of the ring; counts from 1, without holes"),
            ),
        ),
    ),
)

EVENT_BYTES = FEED["event"].length
"""Size of the slot of one event."""

CONTENT = zlib.crc32(repr([(f.name, f.offset, f.width) for f in FEED["event"]]).encode())
"""What a ring of these events says of its content: another table gives another number."""
