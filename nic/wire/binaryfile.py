# SPDX-License-Identifier: Apache-2.0
"""Nasdaq BinaryFILE 1.00: a session of messages as a file.

Source: Nasdaq BinaryFILE specification 1.00. Big-endian. Every message stands behind its
length; a length of zero marks the end of the session, and a file without it is incomplete.
"""

from nic.wire.table import LengthRule, Message, Protocol, unsigned

END_OF_SESSION_LENGTH = 0
"""Message length that marks the end of the session."""

BINARYFILE = Protocol(
    name="binaryfile",
    title="Nasdaq BinaryFILE 1.00",
    byte_order="big",
    source="Nasdaq BinaryFILE 1.00",
    messages=(
        Message(
            "block",
            None,
            "Message block",
            (
                unsigned(
                    "message_length",
                    2,
                    "bytes that follow, these two not included; 0 end of session",
                    counts="after_field",
                ),
            ),
            "Message Block",
            LengthRule.PAYLOAD,
        ),
    ),
)
