# SPDX-License-Identifier: Apache-2.0
"""MoldUDP64: sequenced messages in UDP datagrams, with re-request.

Source: Nasdaq MoldUDP64 protocol specification 1.00. Big-endian. A downstream packet is a header
and ``message_count`` message blocks; a request is the same 20 bytes without blocks, sent to the
re-request server, which answers with an ordinary downstream packet. The first message of a session
has sequence number 1.
"""

from nic.wire.table import LengthRule, Message, Protocol, text, unsigned

HEARTBEAT_COUNT = 0
"""Message count of a heartbeat; its sequence number is the next expected one."""
END_OF_SESSION_COUNT = 0xFFFF
"""Message count that announces the end of the session."""
MAXIMUM_COUNT = 0xFFFE
"""Largest message count of a packet that carries messages."""

MOLDUDP64 = Protocol(
    name="moldudp64",
    title="MoldUDP64 1.00",
    byte_order="big",
    source="Nasdaq MoldUDP64 1.00",
    messages=(
        Message(
            "header",
            None,
            "Downstream packet header, and request packet",
            (
                text("session", 10, "session the sequence numbers belong to"),
                unsigned("sequence_number", 8, "of the first message in (or wanted from) it"),
                unsigned(
                    "message_count",
                    2,
                    "blocks that follow (or are wanted); 0 heartbeat, 0xFFFF end of session",
                ),
            ),
            "Downstream Packet Header",
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
    ),
)
