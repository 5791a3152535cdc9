# SPDX-License-Identifier: Apache-2.0
"""The control page of a broadcast ring.

Little-endian, host memory. What never changes stands in front; each word that the writer goes on
writing has 128 bytes to itself, because adjacent cache lines are fetched in pairs. Readers write
nothing. The slots follow at ``data_offset``; event ``n`` lies in slot ``n`` modulo ``slots``, its
number in the slot's last eight bytes (bit 63 set while it is being written).
"""

from nic.wire.table import Message, Protocol, octets, text, unsigned

MAGIC = b"TWCAST01"
PAGE_BYTES = 4096
BUSY = 1 << 63
"""Bit of a slot's number while its event is being written."""

BROADCAST = Protocol(
    name="broadcast",
    title="Broadcast ring",
    byte_order="little",
    source="this table",
    messages=(
        Message(
            "control",
            None,
            "Control page",
            (
                text("magic", 8, "TWCAST01"),
                unsigned("content", 8, "number of the table that the events follow; 0 for none"),
                unsigned("slots", 8, "a power of two"),
                unsigned("slot_bytes", 8, "a multiple of 64", unit="bytes"),
                unsigned("data_offset", 8, "where the slots begin", unit="bytes"),
                unsigned("instance", 8, "random; another one is another publisher"),
                unsigned("writer_process", 8, "process id of the publisher"),
                unsigned("created_ns", 8, "since the Unix epoch", unit="ns"),
                octets("reserved_1", 64),
                unsigned("published", 8, "number of the last event that is whole"),
                octets("reserved_2", 120),
                unsigned("heartbeat_ns", 8, "the publisher's time when it last said so", unit="ns"),
                octets("reserved_3", 120),
                unsigned("state", 8, "open, closed or replaced"),
                octets("reserved_4", 120),
            ),
        ),
    ),
)
