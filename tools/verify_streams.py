# SPDX-License-Identifier: Apache-2.0
"""TCP connections out of captures: each direction's bytes as the receiver got them.

Retransmissions, segments out of order, the same line captured twice, and several connections
between the same addresses are taken in stride; bytes that a second copy shows differently, and
bytes that no capture holds, are kept as what they are. Source: RFC 9293, section 3.4 (numbers).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike

from nic.frame import parse_tcp
from nic.pcap import PcapPort
from nic.wire.soupbintcp import SOUPBINTCP

FIN, SYN, RST, ACK = 1, 2, 4, 16
HALF = 1 << 31
WINDOW_BYTES = 1 << 24
"""How far a segment may be from the bytes before it to belong to the same connection."""

LOGIN = SOUPBINTCP["login_request"]
_LOGIN_START = (LOGIN.length - 2).to_bytes(2, "big") + bytes([LOGIN.code or 0])
_FROM_SERVER = {m.code for m in SOUPBINTCP.of("to_client")} - {
    m.code for m in SOUPBINTCP.of("to_server")
}

Address = tuple[str, int]


@dataclass(slots=True)
class HalfStream:
    """One direction of a connection: its bytes from ``base`` (sequence number of the first) on."""

    base: int | None = None
    has_start: bool = False
    has_end: bool = False
    data: bytearray = field(default_factory=bytearray)
    waiting: dict[int, bytes] = field(default_factory=dict)
    acknowledged: int = 0
    """Offset up to which the other side said that it has the bytes."""

    segments: int = 0
    """Segments with bytes, repetitions included."""

    repeated_segments: int = 0
    reordered_segments: int = 0
    conflicts: list[int] = field(default_factory=list)
    """Offsets at which a second copy had other bytes."""

    def offset_of(self, sequence_number: int) -> int:
        """Offset in the stream; streams longer than 4 GiB wrap around."""
        assert self.base is not None
        expected = self.base + len(self.data)
        delta = (sequence_number - expected + HALF) % (1 << 32) - HALF
        return len(self.data) + delta

    def acknowledge(self, number: int) -> None:
        """The other side has everything before sequence number ``number``."""
        if self.base is not None:
            offset = self.offset_of(number)
            if self.acknowledged < offset < len(self.data) + WINDOW_BYTES:
                self.acknowledged = offset

    def add(self, sequence_number: int, payload: bytes) -> None:
        """Take one segment's bytes."""
        self.segments += 1
        if self.base is None:
            self.base = sequence_number
        offset = self.offset_of(sequence_number)
        if offset == len(self.data):
            self.data += payload
            if self.waiting:
                self._take_waiting()
        elif offset > len(self.data):
            self.reordered_segments += 1
            known = self.waiting.get(offset, b"")
            if known[: len(payload)] != payload[: len(known)]:
                self.conflicts.append(offset)
            if len(payload) > len(known):
                self.waiting[offset] = payload
        else:
            self._repeat(offset, payload)

    def _repeat(self, offset: int, payload: bytes) -> None:
        """Bytes we have, or that lie before the first we have; what is new at the end is taken."""
        self.repeated_segments += 1
        if offset < 0:
            payload = payload[-offset:]
            offset = 0
        held = self.data[offset : offset + len(payload)]
        if held != payload[: len(held)]:
            first = next(i for i, (a, b) in enumerate(zip(held, payload, strict=False)) if a != b)
            self.conflicts.append(offset + first)
        if len(payload) > len(held):
            self.data += payload[len(held) :]
            self._take_waiting()

    def _take_waiting(self) -> None:
        for offset in sorted(self.waiting):
            if offset > len(self.data):
                return
            payload = self.waiting.pop(offset)
            overlap = len(self.data) - offset
            held = self.data[offset : offset + len(payload)]
            if held != payload[: len(held)]:
                self.conflicts.append(offset)
            self.data += payload[overlap:]

    @property
    def missing(self) -> tuple[int, int] | None:
        """Offset and size of the first bytes that no capture holds, ``None`` for none.

        Behind the last byte captured, what the other side acknowledged shows that more was sent.
        """
        size = len(self.data)
        if self.waiting:
            return size, min(self.waiting) - size
        # the acknowledgement of the end of the stream counts as one byte more
        acknowledged = self.acknowledged - self.has_end
        return (size, acknowledged - size) if acknowledged > size else None


@dataclass(slots=True)
class Connection:
    """One TCP connection; ``client`` is the side that opened it, as far as the capture shows."""

    client: Address
    server: Address
    first_ns: int
    to_server: HalfStream = field(default_factory=HalfStream)
    to_client: HalfStream = field(default_factory=HalfStream)
    was_reset: bool = False

    def half(self, source: Address) -> HalfStream:
        """The direction that begins at ``source``."""
        return self.to_server if source == self.client else self.to_client

    def turn(self) -> None:
        """Exchange client and server: the opening was not captured and was guessed wrong."""
        self.client, self.server = self.server, self.client
        self.to_server, self.to_client = self.to_client, self.to_server

    @property
    def name(self) -> str:
        """Both addresses as text."""
        return f"{self.client[0]}:{self.client[1]} > {self.server[0]}:{self.server[1]}"


@dataclass(slots=True)
class Traffic:
    """Every TCP connection of the captures, and what else was there."""

    connections: list[Connection] = field(default_factory=list)
    frames: int = 0
    segments: int = 0
    not_taken: Counter[str] = field(default_factory=Counter)
    """Frames without a whole TCP segment, by the reason."""


def read(captures: Iterable[str | PathLike[str]]) -> Traffic:
    """Reassemble every TCP connection of the captures, in the order they are given.

    Raises :class:`nic.port.PortError` where a file is no capture.
    """
    traffic = Traffic()
    known: dict[frozenset[Address], list[Connection]] = {}
    for path in captures:
        current: dict[frozenset[Address], Connection] = {}
        with PcapPort(path) as port:
            for frame, time_ns in port:
                traffic.frames += 1
                result, segment = parse_tcp(frame)
                if segment is None:
                    traffic.not_taken[result] += 1
                    continue
                traffic.segments += 1
                source = segment["source_address"], segment["source_port"]
                target = segment["destination_address"], segment["destination_port"]
                key = frozenset((source, target))
                flags = segment["flags"]
                number = segment["sequence_number"]
                connection = current.get(key)
                if connection is None or flags & SYN:
                    connection = _find(known.setdefault(key, []), source, flags, number)
                    if connection is None:
                        opener = source if flags & (SYN | ACK) != SYN | ACK else target
                        other = target if opener == source else source
                        connection = Connection(opener, other, time_ns)
                        known[key].append(connection)
                        traffic.connections.append(connection)
                    current[key] = connection
                if flags & ACK and not flags & RST:
                    acknowledgment = segment["acknowledgment_number"]
                    connection.half(target).acknowledge(acknowledgment)
                _take(connection, source, flags, number, segment["payload"])
            for name, count in port.errors().items():
                if count:
                    traffic.not_taken[f"capture_{name}"] += count
    traffic.connections.sort(key=lambda connection: connection.first_ns)
    return traffic


def _find(known: list[Connection], source: Address, flags: int, number: int) -> Connection | None:
    """The connection that a file's first segment, or an opening one, belongs to."""
    for connection in reversed(known):
        half = connection.half(source)
        if flags & SYN:
            if half.base == (number + 1) % (1 << 32) or half.base is None:
                return connection
        elif half.base is None or abs(half.offset_of(number) - len(half.data)) < WINDOW_BYTES + len(
            half.data
        ):
            return connection
    return None


def _take(connection: Connection, source: Address, flags: int, number: int, payload: bytes) -> None:
    half = connection.half(source)
    if flags & RST:
        connection.was_reset = True
    if flags & SYN:
        number = (number + 1) % (1 << 32)
        half.has_start = True
        if half.base is None:
            half.base = number
    if flags & FIN:
        half.has_end = True
    if payload:
        half.add(number, payload)


def order_entry(traffic: Traffic, port: int | None) -> list[Connection]:
    """The connections that carry order entry, oldest first.

    With ``port`` those whose server has it, otherwise those whose client begins with a SoupBinTCP
    login request, or that were captured only in part and look like SoupBinTCP.
    """
    found = []
    for connection in traffic.connections:
        has_start = connection.to_server.has_start or connection.to_client.has_start
        if not has_start and _looks_turned(connection, port):
            connection.turn()
        if port is not None:
            wanted = connection.server[1] == port
        elif has_start:
            wanted = connection.to_server.data.startswith(_LOGIN_START)
        else:
            wanted = _is_soupbintcp(connection)
        if wanted:
            found.append(connection)
    return found


def _looks_turned(connection: Connection, port: int | None) -> bool:
    if port is not None:
        return connection.client[1] == port
    data = connection.to_server.data
    return len(data) > 2 and data[2] in _FROM_SERVER


def _is_soupbintcp(connection: Connection) -> bool:
    """Whether each direction that has bytes begins with a whole packet of that direction."""
    seen = False
    for half, way in ((connection.to_server, "to_server"), (connection.to_client, "to_client")):
        if half.data:
            first = next(packets(half), None)
            if first is None or first[1][2] not in SOUPBINTCP.by_code(way):
                return False
            seen = True
    return seen


def packets(half: HalfStream) -> Iterator[tuple[int, bytes]]:
    """The whole SoupBinTCP packets of a direction, each with its offset in the stream.

    Ends at the first bytes that are no whole packet; :func:`left_over` says what is behind.
    """
    data = bytes(half.data)
    at, end = 0, len(data)
    while at + 3 <= end:
        size = 2 + (data[at] << 8 | data[at + 1])
        if size < 3 or at + size > end:
            return
        yield at, data[at : at + size]
        at += size


def left_over(half: HalfStream, at: int) -> str:
    """What is behind the last whole packet, which ended at ``at``; empty for nothing."""
    if half.missing is not None:
        offset, size = half.missing
        return f"{size} bytes from offset {offset} on are in no capture"
    rest = len(half.data) - at
    if rest == 0:
        return ""
    if rest >= 2 and half.data[at : at + 2] == b"\0\0":
        return f"a packet of length 0 at offset {at}"
    return f"{rest} bytes of an incomplete packet at offset {at}"
