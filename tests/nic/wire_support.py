# SPDX-License-Identifier: Apache-2.0
"""What the wire tests share: bytes of any message of a table, and a small pcap reader."""

import gzip
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st

from nic.wire import reference
from nic.wire.protocols import PROTOCOLS
from nic.wire.table import LengthRule, Message, Protocol

INTERNET = PROTOCOLS["internet"]
EVERY_MESSAGE = [(p, m) for p in PROTOCOLS.values() for m in p.messages]
EVERY_DIRECTION = [(p, d) for p in PROTOCOLS.values() for d in p.directions]


def message_id(value: Protocol | Message | str) -> str:
    return value if isinstance(value, str) else value.name


def data_folder() -> Path:
    folder = os.environ.get("TICKWIRE_DATA")
    if not folder:
        pytest.skip("TICKWIRE_DATA names no folder of captures")
    return Path(folder)


@st.composite
def wire_bytes(draw: st.DrawFn, protocol: Protocol, message: Message) -> bytes:
    """Valid bytes of a message with random fields and, where it may have one, a random payload."""
    fixed = bytearray(draw(st.binary(min_size=message.length, max_size=message.length)))
    if message.code is not None:
        fixed[protocol.type_offset] = message.code
    rule = message.length_rule
    if rule is LengthRule.EXACT:
        return bytes(fixed)
    if rule is LengthRule.OPTIONAL_APPENDAGE and draw(st.booleans()):
        return bytes(fixed[: message.shortest_length])
    payload = draw(st.binary(max_size=40))
    if message.has_appendage:
        fixed[-2:] = len(payload).to_bytes(2, protocol.byte_order)
    return bytes(fixed) + payload


@st.composite
def field_values(draw: st.DrawFn, message: Message) -> dict[str, int | bytes]:
    """Random values for every field of a message that is not counted or a type code."""
    values: dict[str, int | bytes] = {}
    for field in message:
        if field.counts:
            continue
        bits = 8 * field.width
        if field.kind == "signed":
            values[field.name] = draw(st.integers(-(1 << bits - 1), (1 << bits - 1) - 1))
        elif field.kind == "unsigned":
            values[field.name] = draw(st.integers(0, (1 << bits) - 1))
        else:
            values[field.name] = draw(st.binary(max_size=field.width))
    return values


def frames(path: Path) -> Iterator[bytes]:
    """The whole frames of a little-endian pcap, plain or gzip; ends at one that is cut."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        assert file.read(24)[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"), path
        while len(head := file.read(16)) == 16:
            captured = struct.unpack("<IIII", head)[2]
            frame = file.read(captured)
            if len(frame) < captured:
                return
            yield frame


def transport_payload(frame: bytes) -> bytes:
    """What UDP or TCP carries in a frame, by the lengths in its headers."""
    at = INTERNET["ethernet"].length
    kind = reference.decode_as(INTERNET, "ethernet", frame)["ethertype"]
    while kind == 0x8100:
        kind = reference.decode_as(INTERNET, "vlan", frame[at:])["ethertype"]
        at += INTERNET["vlan"].length
    assert kind == 0x0800
    ip = reference.decode_as(INTERNET, "ipv4", frame[at:])
    end = at + int(ip["total_length"])
    assert end <= len(frame)
    at += 4 * (int(ip["version_and_header_length"]) & 15)
    if ip["protocol"] == 17:
        udp = reference.decode_as(INTERNET, "udp", frame[at:end])
        assert at + int(udp["length"]) == end
        return frame[at + INTERNET["udp"].length : end]
    assert ip["protocol"] == 6
    tcp = reference.decode_as(INTERNET, "tcp", frame[at:end])
    return frame[at + 4 * (int(tcp["data_offset"]) >> 4) : end]


def blocks(protocol: Protocol, data: bytes) -> Iterator[bytes]:
    """The messages of a run of message blocks, which must fill the bytes."""
    while data:
        length = int(reference.decode_as(protocol, "block", data)["message_length"])
        prefix = protocol["block"].length
        assert len(data) >= prefix + length
        yield data[prefix : prefix + length]
        data = data[prefix + length :]
