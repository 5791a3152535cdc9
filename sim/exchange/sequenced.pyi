# SPDX-License-Identifier: Apache-2.0
"""The sequenced messages of one order-entry session, kept for the day."""

class SequencedStore:
    """Append-only packets of one session; the first has sequence number 1."""

    count: int

    def __init__(self, capacity: int = 1 << 20) -> None:
        """Begin with room for ``capacity`` bytes."""

    def packets(self, first: int, last: int) -> bytes:
        """Packets of the sequence numbers first..last (inclusive), as one piece of bytes."""

    def messages(self, first: int = 1) -> list[bytes]:
        """The messages (payloads of the packets) from sequence number ``first`` on."""
