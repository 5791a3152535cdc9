# SPDX-License-Identifier: Apache-2.0
"""What lies in the memory of an RDMA ring's two ends.

Little-endian. The reader's end: the slots, then the control words, which the sender writes all at
once; the sender's end: the credit. Both are written by RDMA writes of whole words. Every word only
grows. A slot's last word holds its number in the low 48 bits, above them a check of its words
(``nic/verbs/slot.pxd``).
"""

from nic.wire.table import Message, Protocol, octets, unsigned

RDMA_RING = Protocol(
    name="rdma_ring",
    title="RDMA ring",
    byte_order="little",
    source="this table",
    messages=(
        Message(
            "control",
            None,
            "Control words, behind the slots",
            (
                unsigned("start", 8, "number of the slot to go on with; 0 before the first"),
                unsigned("published", 8, "number of the newest slot, delivered or not"),
                unsigned("heartbeat_ns", 8, "the sender's time when it last said so", unit="ns"),
                unsigned("state", 8, "0 open, 1 closed: nothing more will come"),
            ),
        ),
        Message(
            "credit",
            None,
            "The reader's word in the sender's memory",
            (
                unsigned("consumed", 8, "number of the last slot that was taken"),
                octets("reserved_1", 120),
            ),
        ),
    ),
)
