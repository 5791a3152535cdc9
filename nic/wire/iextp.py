# SPDX-License-Identifier: Apache-2.0
"""IEX-TP version 1: the transport of IEX market data, and its gap fill request.

Source: IEX Transport specification 1.26 (2026-06-02). Little-endian. A segment is one UDP datagram:
a header and ``message_count`` message blocks that fill ``payload_length`` bytes exactly. The
first message of a session has sequence number 1. A segment without messages is a heartbeat; it
carries the sequence number and stream offset of the next message.
"""

from nic.wire.table import LengthRule, Message, Protocol, signed, unsigned

VERSION = 1
MESSAGE_PROTOCOL_DEEP10 = 0x8004
REQUEST_SEQUENCED_MESSAGES = 1

IEXTP = Protocol(
    name="iextp",
    title="IEX-TP version 1",
    byte_order="little",
    source="IEX Transport 1.26",
    messages=(
        Message(
            "header",
            None,
            "Outbound segment header",
            (
                unsigned("version", 1, "1"),
                unsigned("reserved", 1, "ignored"),
                unsigned(
                    "message_protocol_id", 2, "0x8003 TOPS 1.6, 0x8004 DEEP 1.0, 0x8005 DEEP+"
                ),
                unsigned("channel_id", 4),
                unsigned("session_id", 4, "names one stream of messages, normally one trading day"),
                unsigned("payload_length", 2, "bytes after the header", counts="after_message"),
                unsigned("message_count", 2, "message blocks in the payload; 0 in a heartbeat"),
                signed("stream_offset", 8, "byte position of the payload in the stream"),
                signed("first_message_sequence_number", 8),
                signed("send_time", 8, "nanoseconds since the Unix epoch", unit="ns"),
            ),
            "Outbound Segment",
            LengthRule.PAYLOAD,
        ),
        Message(
            "block",
            None,
            "Message block",
            (
                unsigned(
                    "message_length",
                    2,
                    "bytes that follow, these two not included",
                    counts="after_field",
                ),
            ),
            "Message Block",
            LengthRule.PAYLOAD,
        ),
        Message(
            "gap_fill_request",
            None,
            "Gap fill request",
            (
                unsigned("version", 1, "1"),
                unsigned("request_type", 1, "1 sequenced messages, 2 byte stream"),
                unsigned("message_protocol_id", 2),
                unsigned("channel_id", 4),
                unsigned("session_id", 4),
                unsigned("request_range_count", 4, "ranges that follow"),
            ),
            "Gap Fill Request",
            LengthRule.PAYLOAD,
        ),
        Message(
            "gap_fill_range",
            None,
            "Range of a gap fill request",
            (
                signed("first", 8, "first sequence number wanted"),
                signed("last", 8, "last sequence number wanted"),
            ),
            "Gap Fill Request",
        ),
    ),
)
