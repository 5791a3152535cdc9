# SPDX-License-Identifier: Apache-2.0
"""Finds out what feed a capture holds: its transport and the addresses of its lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nic.binary_file import BinaryFile
from nic.frame import parse_udp
from nic.pcap import PcapPort
from nic.wire.iextp import IEXTP, MESSAGE_PROTOCOL_DEEP10, VERSION
from nic.wire.itch50 import ITCH50
from nic.wire.moldudp64 import END_OF_SESSION_COUNT, MOLDUDP64
from nic.wire.reference import WireError, decode_as, decode_field
from nic.wire.table import Protocol

LOOK_AT_PACKETS = 4096

Address = tuple[str, int]
Transport = Literal["moldudp64", "iextp"]


@dataclass(frozen=True, slots=True)
class FoundFeed:
    """A feed: ``moldudp64`` or ``iextp``, its lines (the first one seen is A), its first moment."""

    transport: Transport
    lines: tuple[Address, ...]
    first_ns: int = 0


def _blocks_fill(protocol: Protocol, payload: bytes, count: int) -> bool:
    """Whether the message blocks behind the header end where the datagram does."""
    prefix, order = protocol["block"]["message_length"], protocol.byte_order
    at = protocol["header"].length
    for _ in range(count):
        if at + prefix.end > len(payload):
            return False
        at += prefix.end + int(decode_field(prefix, payload[at:], order))
    return at == len(payload)


def transport_of(payload: bytes) -> tuple[Transport, bytes] | None:
    """Transport and session of a datagram that is structurally valid, else ``None``."""
    try:
        segment = decode_as(IEXTP, "header", payload)
        if (
            segment["version"] == VERSION
            and segment["message_protocol_id"] == MESSAGE_PROTOCOL_DEEP10
            and segment["payload_length"] == len(payload) - IEXTP["header"].length
            and _blocks_fill(IEXTP, payload, int(segment["message_count"]))
        ):
            return "iextp", str(segment["session_id"]).encode()
    except WireError:
        pass
    try:
        header = decode_as(MOLDUDP64, "header", payload)
    except WireError:
        return None
    count = int(header["message_count"]) % END_OF_SESSION_COUNT
    if _blocks_fill(MOLDUDP64, payload, count):
        return "moldudp64", bytes(header["session"])
    return None


def find_in(frames: Sequence[tuple[bytes, int]]) -> FoundFeed | None:
    """The feed that most of the frames belong to; its one or two busiest lines in order seen."""
    seen: Counter[tuple[Transport, bytes, Address]] = Counter()
    for frame, _ in frames:
        reason, datagram = parse_udp(frame)
        if reason != "ok" or datagram is None:
            continue
        if found := transport_of(datagram["payload"]):
            address = (datagram["destination_address"], datagram["destination_port"])
            seen[(*found, address)] += 1
    if not seen:
        return None
    transport, session, _ = seen.most_common(1)[0][0]
    lines = [a for (t, s, a) in seen if t == transport and s == session]
    busiest = sorted(lines, key=lambda a: -seen[(transport, session, a)])[:2]
    return FoundFeed(transport, tuple(a for a in lines if a in busiest), frames[0][1])


def find_feed(path: Path) -> FoundFeed:
    """The feed of a capture file; raises ``ValueError`` in one line where there is none."""
    with PcapPort(path) as port:
        frames: list[tuple[bytes, int]] = []
        while len(frames) < LOOK_AT_PACKETS and (burst := port.receive(64)):
            frames.extend(burst)
    found = find_in(frames)
    if found is None:
        raise ValueError(f"{path}: no MoldUDP64 and no IEX-TP DEEP datagram in its first packets")
    return found


def find_session(path: Path) -> FoundFeed:
    """What a BinaryFILE holds: no transport, no lines; the first moment is its first message's."""
    with BinaryFile(path) as file:
        for message in file:
            field = ITCH50["system_event"]["timestamp"]
            return FoundFeed("moldudp64", (), int(decode_field(field, message, ITCH50.byte_order)))
    raise ValueError(f"{path}: the file holds no message")
