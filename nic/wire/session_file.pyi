# SPDX-License-Identifier: Apache-2.0
"""Reads ITCH 5.0 messages in BinaryFILE framing. Source: Nasdaq BinaryFILE 1.00."""

from typing_extensions import Buffer

def count_messages(data: Buffer) -> tuple[int, int]:
    """Messages before the end of the session or of the data, and the bytes that they take."""

def decode_all_fields(data: Buffer) -> tuple[int, int]:
    """Decode every field of every message: the number of messages and a checksum of their structs.

    The checksum is the sum of the eight 8-byte words of each record, modulo 2**64. Ends at the end
    of the session or of the data; raises :class:`nic.wire.reference.WireError` where a message is
    refused.
    """

def decode_record(message: Buffer) -> bytes:
    """The 64 bytes that one message decodes into; raises ``WireError`` where it is refused."""
