# SPDX-License-Identifier: Apache-2.0
"""The readable specification of :func:`nic.frame.parse_udp`, by the field tables.

Tests hold the compiled one against it; whoever changes one changes this one first.
"""

from __future__ import annotations

import socket

from nic.wire.internet import (
    ETHERTYPE_IPV4,
    ETHERTYPE_SERVICE_VLAN,
    ETHERTYPE_VLAN,
    INTERNET,
    IP_PROTOCOL_UDP,
    IPV4_FRAGMENT_OFFSET_MASK,
    IPV4_MORE_FRAGMENTS,
    VLAN_IDENTIFIER_MASK,
)
from nic.wire.reference import Value, decode_as

MAXIMUM_TAGS = 2


class FrameError(ValueError):
    """A frame without a UDP datagram; ``reason`` is a name of ``nic.enumerations.FRAME``."""

    def __init__(self, reason: str) -> None:
        """The reason's name."""
        super().__init__(reason)
        self.reason = reason


def header(name: str, data: bytes, reason: str) -> tuple[dict[str, Value], bytes]:
    """A header's fields and the bytes behind it."""
    if len(data) < INTERNET[name].length:
        raise FrameError(reason)
    fields = decode_as(INTERNET, name, data)
    return fields, bytes(fields.pop("payload"))


def number(fields: dict[str, Value], name: str) -> int:
    """A field that is a number."""
    value = fields[name]
    assert isinstance(value, int)
    return value


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_packet(frame: bytes) -> tuple[bytes, int]:
    """The bytes behind the Ethernet header and up to two tags, and the inner VLAN identifier."""
    ethernet, rest = header("ethernet", frame, "truncated")
    ethertype = number(ethernet, "ethertype")
    vlan = tags = 0
    while ethertype in (ETHERTYPE_VLAN, ETHERTYPE_SERVICE_VLAN):
        if tags == MAXIMUM_TAGS:
            raise FrameError("not_ipv4")
        tag, rest = header("vlan", rest, "truncated")
        vlan = number(tag, "tag_control") & VLAN_IDENTIFIER_MASK
        ethertype = number(tag, "ethertype")
        tags += 1
    if ethertype != ETHERTYPE_IPV4:
        raise FrameError("not_ipv4")
    return rest, vlan


def ip_payload(packet: bytes) -> tuple[dict[str, Value], bytes]:
    """The fields of a whole IPv4 packet and its payload."""
    fields, _ = header("ipv4", packet, "truncated")
    first = number(fields, "version_and_header_length")
    header_length = (first & 15) * 4
    total_length = number(fields, "total_length")
    if first >> 4 != 4:
        raise FrameError("not_ipv4")
    if header_length < INTERNET["ipv4"].length or header_length > total_length:
        raise FrameError("bad_ip_header")
    if total_length > len(packet):
        raise FrameError("truncated")
    if checksum(packet[:header_length]) != 0:
        raise FrameError("bad_ip_checksum")
    place = number(fields, "flags_and_fragment_offset")
    if place & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET_MASK):
        raise FrameError("fragment")
    return fields, packet[header_length:total_length]


def datagram(frame: bytes) -> dict[str, object]:
    """The UDP datagram of a frame; raises :class:`FrameError`."""
    packet, vlan = ip_packet(frame)
    ip, behind_ip = ip_payload(packet)
    if number(ip, "protocol") != IP_PROTOCOL_UDP:
        raise FrameError("not_udp")
    udp, _ = header("udp", behind_ip, "bad_udp_length")
    length = number(udp, "length")
    if length < INTERNET["udp"].length or length > len(behind_ip):
        raise FrameError("bad_udp_length")
    return {
        "payload": behind_ip[INTERNET["udp"].length : length],
        "source_address": socket.inet_ntoa(number(ip, "source_address").to_bytes(4, "big")),
        "destination_address": socket.inet_ntoa(
            number(ip, "destination_address").to_bytes(4, "big")
        ),
        "source_port": number(udp, "source_port"),
        "destination_port": number(udp, "destination_port"),
        "vlan": vlan,
    }


def parse_udp(frame: bytes) -> tuple[str, dict[str, object] | None]:
    """``("ok", fields)`` of a frame that holds a whole UDP datagram, else ``(reason, None)``."""
    try:
        return "ok", datagram(frame)
    except FrameError as error:
        return error.reason, None
