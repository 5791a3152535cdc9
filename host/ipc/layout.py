# SPDX-License-Identifier: Apache-2.0
"""What lies in the memory of a ring: the control page and the head of each record.

Little-endian, host memory. ``control`` is the first page of the mapping; producer and consumer
write to cache lines that are 128 bytes apart, because adjacent lines are fetched in pairs.
"""

from nic.wire.table import LengthRule, Message, Protocol, octets, text, unsigned

MAGIC = b"TWRING01"
WRAP = 0xFFFFFFFF
"""Length of a record head that says: the rest up to the end of the ring is empty."""

RING = Protocol(
    name="ring",
    title="Shared-memory ring",
    byte_order="little",
    source="this table",
    messages=(
        Message(
            "control",
            None,
            "Control page",
            (
                text("magic", 8, "TWRING01"),
                unsigned("capacity", 8, "size of the data area, a power of two", unit="bytes"),
                unsigned("data_offset", 8, "where the data area begins", unit="bytes"),
                octets("reserved_1", 104),
                unsigned("tail", 8, "bytes written since the start; only the producer writes it"),
                unsigned("sequence", 8, "number of the last record"),
                unsigned("full", 8, "records refused because there was no room"),
                unsigned("too_long", 8, "records refused because they can never fit"),
                octets("reserved_2", 96),
                unsigned("head", 8, "bytes consumed since the start; only the consumer writes it"),
                octets("reserved_3", 120),
            ),
        ),
        Message(
            "record",
            None,
            "Head of a record",
            (
                unsigned("length", 4, "of the body that follows", unit="bytes"),
                unsigned("kind", 2, "what the body is; a table of the user of the ring"),
                unsigned("flags", 2, "0"),
                unsigned("t_ns", 8, "time given by the producer", unit="ns"),
                unsigned("sequence", 8, "counts from 1, without holes"),
                unsigned("reserved", 4, "0"),
                unsigned("crc32c", 4, "over the head before this field, then the body"),
            ),
            "",
            LengthRule.PAYLOAD,
        ),
    ),
)
