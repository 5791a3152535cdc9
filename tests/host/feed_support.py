# SPDX-License-Identifier: Apache-2.0
"""Builders of datagrams and a small re-request server for the feed tests."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from nic.wire.iextp import IEXTP, MESSAGE_PROTOCOL_DEEP10, VERSION
from nic.wire.moldudp64 import END_OF_SESSION_COUNT, MOLDUDP64
from nic.wire.reference import decode_as, encode

SESSION = b"SESSION001"


def moldudp64(
    first: int, messages: Sequence[bytes] = (), session: bytes = SESSION, count: int | None = None
) -> bytes:
    """A MoldUDP64 packet; ``count`` overrides the true number of blocks."""
    values = {
        "session": session,
        "sequence_number": first,
        "message_count": len(messages) if count is None else count,
        "payload": b"".join(len(m).to_bytes(2, "big") + m for m in messages),
    }
    return encode(MOLDUDP64, "header", values)


def end_of_session(first: int, session: bytes = SESSION) -> bytes:
    return moldudp64(first, session=session, count=END_OF_SESSION_COUNT)


def iextp(
    first: int,
    messages: Sequence[bytes] = (),
    *,
    offset: int = 0,
    send_time: int = 0,
    session: int = 7,
    channel: int = 1,
    **overrides: int,
) -> bytes:
    """An IEX-TP segment; header fields can be overridden by name."""
    payload = b"".join(len(m).to_bytes(2, "little") + m for m in messages)
    values = {
        "version": VERSION,
        "message_protocol_id": MESSAGE_PROTOCOL_DEEP10,
        "channel_id": channel,
        "session_id": session,
        "payload_length": len(payload),
        "message_count": len(messages),
        "stream_offset": offset,
        "first_message_sequence_number": first,
        "send_time": send_time,
        "payload": payload,
    }
    return encode(IEXTP, "header", values | overrides)


def day(random: Random, count: int) -> list[bytes]:
    """Messages of 0 to 40 bytes, each different but the empty ones."""
    return [
        number.to_bytes(4, "big") + random.randbytes(random.randrange(36))
        if random.random() > 0.01
        else b""
        for number in range(1, count + 1)
    ]


def cut(random: Random, messages: Sequence[bytes], most: int = 8) -> list[bytes]:
    """The messages 1, 2 ... as MoldUDP64 packets of 1 to ``most`` messages, cut at random."""
    packets = []
    at = 0
    while at < len(messages):
        size = random.randint(1, most)
        packets.append(moldudp64(at + 1, messages[at : at + size]))
        at += size
    return packets


def answer(request: bytes, messages: Sequence[bytes], most: int) -> bytes | None:
    """What a re-request server answers: at most ``most`` messages; None for what it hasn't."""
    header = decode_as(MOLDUDP64, "header", request)
    first, count = int(header["sequence_number"]), int(header["message_count"])
    found = messages[first - 1 : first - 1 + min(count, most)]
    return moldudp64(first, found, bytes(header["session"])) if found else None


def udp_payloads(path: Path) -> Iterator[tuple[int, bytes]]:
    """Time in ns and UDP payload of each whole packet of a gzipped little-endian pcap."""
    with gzip.open(path) as file:
        data = file.read()
    if data[:4] != b"\xd4\xc3\xb2\xa1":
        raise ValueError("not a little-endian microsecond pcap")
    at = 24
    while at + 16 <= len(data):
        seconds, microseconds, size, _ = struct.unpack_from("<IIII", data, at)
        at += 16
        if at + size > len(data):
            return
        ip = at + 14
        udp = ip + (data[ip] & 15) * 4
        length = int.from_bytes(data[udp + 4 : udp + 6], "big")
        yield seconds * 10**9 + microseconds * 1000, data[udp + 8 : udp + length]
        at += size
