# SPDX-License-Identifier: Apache-2.0
"""The readable specification of a line's parser: one frame in, messages and one result out.

It works as a card does: a message is given on as soon as it is whole, and an error behind it does
not take it back. Headers are looked at whole: a decision needs all bytes of the header that it is
about, and a frame that ends before them is ``truncated``. Bytes behind the IP total length are
padding and never looked at. A message of a type that is not in the table, of a length that some
message has, is counted and given on like any other: it has a sequence number, and without it the
arbiter would see a gap. Who reads messages leaves it alone.
``nic.framing.parser`` and ``hw.line_parser`` are held against this.

Sources: IEEE 802.3, IEEE 802.1Q, RFC 791, RFC 768, and the transport of the feed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nic.frame_reference import FrameError, checksum, header, number
from nic.framing.enumerations import FRAMING, PARSER
from nic.framing.feed_format import LARGEST_SEQUENCE_NUMBER, FeedFormat
from nic.wire.internet import (
    ETHERTYPE_IPV4,
    ETHERTYPE_VLAN,
    INTERNET,
    IP_PROTOCOL_UDP,
    IPV4_FRAGMENT_OFFSET_MASK,
    IPV4_MORE_FRAGMENTS,
)
from nic.wire.reference import Value, decode_as


@dataclass(frozen=True, slots=True)
class LineSettings:
    """What a line carries: a feed to one address (a number) and port, of one session.

    ``session`` is empty for any session, else the bytes of the header's session field.
    """

    feed: FeedFormat
    destination_address: int
    destination_port: int
    session: bytes = b""

    def __post_init__(self) -> None:
        """Refuse what no header can hold."""
        if not 0 <= self.destination_address < 1 << 32:
            raise ValueError(f"destination_address {self.destination_address} has not 32 bits")
        if not 0 <= self.destination_port < 1 << 16:
            raise ValueError(f"destination_port {self.destination_port} has not 16 bits")
        if self.session and len(self.session) != self.feed.session_field.width:
            raise ValueError(f"a session has {self.feed.session_field.width} bytes")


@dataclass(frozen=True, slots=True)
class ParsedDatagram:
    """A transport header that was accepted; ``kind`` is a name of ``DATAGRAM``."""

    sequence_number: int
    count: int
    kind: str


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """A message: of a known type and that type's length, or of another type.

    ``last_byte`` is the place of its last byte in the frame: when a card may know all of it.
    """

    sequence_number: int
    message: bytes
    last_byte: int


@dataclass(slots=True)
class ParsedFrame:
    """What came out of a frame; ``result`` is a name of ``FRAMING``."""

    result: str = "ok"
    datagram: ParsedDatagram | None = None
    messages: list[ParsedMessage] = field(default_factory=list)


def need(condition: bool, reason: str) -> None:
    """Raise :class:`~nic.frame_reference.FrameError` with ``reason`` unless the condition holds."""
    if not condition:
        raise FrameError(reason)


class ReferenceParser:
    """One line's parser.

    ``counters`` has every name of ``FRAMING`` and ``PARSER``; of the former exactly one grows by
    one with each frame.
    """

    def __init__(self, settings: LineSettings) -> None:
        """A parser whose counters are 0."""
        self.settings = settings
        # Worked out by the feed at every call; here once.
        self._lengths = settings.feed.lengths_bytes
        self._shortest, self._longest = min(self._lengths.values()), max(self._lengths.values())
        self.counters = dict.fromkeys((*FRAMING.names, *PARSER.names), 0)

    def frame(self, frame: bytes, error: bool = False) -> ParsedFrame:
        """Take a frame apart; ``error``: the MAC found its check sequence wrong."""
        parsed = ParsedFrame()
        try:
            self._datagram(frame, parsed)
        except FrameError as refused:
            parsed.result = refused.reason
        self.counters[parsed.result] += 1
        self.counters["messages"] += len(parsed.messages)
        self.counters["fcs_errors"] += error
        return parsed

    def _datagram(self, frame: bytes, parsed: ParsedFrame) -> None:
        """The headers down to UDP; ``parsed`` is filled on the way."""
        ethernet, packet = header("ethernet", frame, "truncated")
        ethertype = number(ethernet, "ethertype")
        if ethertype == ETHERTYPE_VLAN:
            tag, packet = header("vlan", packet, "truncated")
            ethertype = number(tag, "ethertype")
        need(ethertype == ETHERTYPE_IPV4, "not_ipv4")

        ip, _ = header("ipv4", packet, "truncated")
        version, words = divmod(number(ip, "version_and_header_length"), 16)
        total_length = number(ip, "total_length")
        need(version == 4, "not_ipv4")
        need(INTERNET["ipv4"].length <= 4 * words <= total_length, "bad_ip_header")
        need(len(packet) >= 4 * words, "truncated")
        need(checksum(packet[: 4 * words]) == 0, "bad_ip_checksum")
        place = number(ip, "flags_and_fragment_offset")
        need(not place & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET_MASK), "fragment")
        need(number(ip, "protocol") == IP_PROTOCOL_UDP, "not_udp")

        udp, behind = header("udp", packet[4 * words :], "truncated")
        length = number(udp, "length")
        need(INTERNET["udp"].length <= length <= total_length - 4 * words, "bad_udp_length")
        place_wanted = (self.settings.destination_address, self.settings.destination_port)
        came_to = (number(ip, "destination_address"), number(udp, "destination_port"))
        need(came_to == place_wanted, "not_wanted")

        length -= INTERNET["udp"].length
        start = len(frame) - len(behind)
        self._transport(behind[:length], length, start, parsed)
        need(len(packet) >= total_length, "truncated")

    def _transport(self, there: bytes, length: int, start: int, parsed: ParsedFrame) -> None:
        """The transport header and the blocks behind it.

        ``there`` is what the frame holds of a datagram of ``length`` bytes that begins at byte
        ``start`` of the frame.
        """
        feed = self.settings.feed
        head = feed.header.length
        need(length >= head, "too_short")
        need(len(there) >= head, "truncated")
        fields = decode_as(feed.transport, "header", there)
        for name, value, reason in feed.fixed:
            need(fields[name] == value, reason)
        if feed.payload_length:
            need(fields[feed.payload_length] == length - head, "payload_length_mismatch")
        if self.settings.session:
            session = there[feed.session_field.offset : feed.session_field.end]
            need(session == self.settings.session, "foreign_session")
        # Signed in IEX-TP: what is negative there is out of range too.
        sequence_number = number(fields, feed.sequence_number)
        need(0 < sequence_number <= LARGEST_SEQUENCE_NUMBER, "sequence_out_of_range")
        count = self._accept(fields, sequence_number, parsed)

        at = head
        for index in range(count):
            message, at = self._block(there, length, at)
            place = start + at - 1
            parsed.messages.append(ParsedMessage(sequence_number + index, message, place))
            if message[feed.messages.type_offset] not in self._lengths:
                self.counters["unknown_type"] += 1
        need(at == length, "trailing_bytes")

    def _accept(self, fields: dict[str, Value], sequence_number: int, parsed: ParsedFrame) -> int:
        """Say what kind of datagram it is; the number of blocks that must follow."""
        feed = self.settings.feed
        count, kind = number(fields, feed.count), "data"
        if count == feed.heartbeat_count:
            self.counters["heartbeats"] += 1
            count, kind = 0, "heartbeat"
        elif count == feed.end_of_session_count:
            self.counters["ends_of_session"] += 1
            count, kind = 0, "end_of_session"
        parsed.datagram = ParsedDatagram(sequence_number, count, kind)
        return count

    def _block(self, there: bytes, length: int, at: int) -> tuple[bytes, int]:
        """The message in the block that begins at ``at``, and the place behind it."""
        feed, prefix = self.settings.feed, self.settings.feed.prefix.width
        need(length - at >= prefix, "count_beyond_datagram")
        need(len(there) - at >= prefix, "truncated")
        size = int.from_bytes(there[at : at + prefix], feed.byte_order)
        at += prefix
        need(self._shortest <= size <= self._longest, "message_length")
        need(size <= length - at, "block_beyond_datagram")
        type_at = at + feed.messages.type_offset
        need(type_at < len(there), "truncated")
        need(self._lengths.get(there[type_at], size) == size, "message_length")
        need(size <= len(there) - at, "truncated")
        return there[at : at + size], at + size
