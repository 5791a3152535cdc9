# SPDX-License-Identifier: Apache-2.0
"""What a feed looks like to a parser: a transport and its messages, out of ``nic/wire``."""

from __future__ import annotations

from dataclasses import dataclass

from nic.wire.deep10 import DEEP10
from nic.wire.iextp import IEXTP, MESSAGE_PROTOCOL_DEEP10, VERSION
from nic.wire.itch50 import ITCH50
from nic.wire.moldudp64 import END_OF_SESSION_COUNT, HEARTBEAT_COUNT, MOLDUDP64
from nic.wire.table import ByteOrder, Field, Message, Protocol

LARGEST_SEQUENCE_NUMBER = (1 << 63) - 1 - (1 << 16)
"""A datagram's first sequence number is at most this, so that adding its count never wraps."""


@dataclass(frozen=True, slots=True)
class FeedFormat:
    """A datagram header, blocks with a two-byte length before each message, and the messages.

    ``fixed`` names header fields that have one right value, in the order in which they are
    looked at: the field, the value, and the ``FRAMING`` result of a datagram that has another.
    ``payload_length`` names a field that counts the bytes behind the header, empty where the
    transport has none.
    """

    transport: Protocol
    messages: Protocol
    session: str
    sequence_number: str
    count: str
    heartbeat_count: int
    end_of_session_count: int | None = None
    payload_length: str = ""
    fixed: tuple[tuple[str, int, str], ...] = ()

    @property
    def name(self) -> str:
        """Name of the messages' protocol."""
        return self.messages.name

    @property
    def header(self) -> Message:
        """The transport's datagram header."""
        return self.transport["header"]

    @property
    def session_field(self) -> Field:
        """The header's field that names the session; a line may be pinned to one."""
        return self.header[self.session]

    @property
    def sequence_number_field(self) -> Field:
        """The header's field with the sequence number of the first, or of the next, message."""
        return self.header[self.sequence_number]

    @property
    def count_field(self) -> Field:
        """The header's field with the number of blocks that follow."""
        return self.header[self.count]

    @property
    def prefix(self) -> Field:
        """The length before each message, not counting itself."""
        return self.transport["block"]["message_length"]

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


NASDAQ = FeedFormat(
    MOLDUDP64,
    ITCH50,
    session="session",
    sequence_number="sequence_number",
    count="message_count",
    heartbeat_count=HEARTBEAT_COUNT,
    end_of_session_count=END_OF_SESSION_COUNT,
)
IEX = FeedFormat(
    IEXTP,
    DEEP10,
    session="session_id",
    sequence_number="first_message_sequence_number",
    count="message_count",
    heartbeat_count=0,
    payload_length="payload_length",
    fixed=(
        ("version", VERSION, "wrong_version"),
        ("message_protocol_id", MESSAGE_PROTOCOL_DEEP10, "wrong_protocol"),
    ),
)
FEEDS = {feed.name: feed for feed in (NASDAQ, IEX)}
