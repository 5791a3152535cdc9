# SPDX-License-Identifier: Apache-2.0
"""What a feed looks like to a parser: a transport and its messages, out of ``nic/wire``."""

from __future__ import annotations

from dataclasses import dataclass

from nic.wire.deep10 import DEEP10
from nic.wire.iextp import IEXTP
from nic.wire.itch50 import ITCH50
from nic.wire.moldudp64 import MOLDUDP64
from nic.wire.table import ByteOrder, Message, Protocol


@dataclass(frozen=True, slots=True)
class FeedFormat:
    """A datagram header, blocks with a two-byte length before each message, and the messages."""

    transport: Protocol
    messages: Protocol

    @property
    def name(self) -> str:
        """Name of the messages' protocol."""
        return self.messages.name

    @property
    def header(self) -> Message:
        """The transport's datagram header."""
        return self.transport["header"]

    @property
    def byte_order(self) -> ByteOrder:
        """Byte order of the length before each message, and of the fields."""
        return self.messages.byte_order

    @property
    def lengths_bytes(self) -> dict[int, int]:
        """Length of each message by its type code."""
        return {code: message.length for code, message in self.messages.by_code().items()}

    @property
    def longest_bytes(self) -> int:
        """Length of the longest message."""
        return max(self.lengths_bytes.values())

    @property
    def shortest_bytes(self) -> int:
        """Length of the shortest message."""
        return min(self.lengths_bytes.values())


NASDAQ = FeedFormat(MOLDUDP64, ITCH50)
IEX = FeedFormat(IEXTP, DEEP10)
