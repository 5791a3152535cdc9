# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# SPDX-License-Identifier: Apache-2.0
"""Frames taken apart and put together, for Python tools.

The specification is :mod:`nic.frame_reference`. Addresses are dotted text, hardware addresses six
bytes, ports and lengths numbers.
"""

import socket

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy
from nic.ids cimport FRAME_OK, SEGMENT_BAD_TCP_HEADER, SEGMENT_NOT_TCP
from nic.wire.internet_codec cimport (
    INTERNET_IP_PROTOCOL_TCP, INTERNET_TCP_LENGTH, internet_tcp_acknowledgment_number,
    internet_tcp_data_offset, internet_tcp_destination_port, internet_tcp_flags,
    internet_tcp_sequence_number, internet_tcp_source_port, internet_tcp_window)

from nic.enumerations import FRAME, SEGMENT

cdef enum:
    LARGEST_FRAME = 65600   # the longest IP packet behind the longest headers


cdef str dotted(uint32_t address):
    """An address in host byte order as text."""
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"


def address_text(uint32_t address):
    """An IPv4 address in host byte order as dotted text."""
    return dotted(address)


def address_number(str text not None):
    """Dotted text as an IPv4 address in host byte order; raises ``ValueError``."""
    try:
        return int.from_bytes(socket.inet_aton(text), "big")
    except OSError:
        raise ValueError(f"{text!r} is no IPv4 address") from None


def parse_udp(const uint8_t[::1] frame not None):
    """``("ok", fields)`` of a frame that holds a whole UDP datagram, else ``(reason, None)``.

    The reasons are those of ``nic.enumerations.FRAME``. Fields: ``payload``, ``source_address``,
    ``destination_address``, ``source_port``, ``destination_port``, ``vlan``.
    """
    cdef UdpDatagram datagram
    cdef const uint8_t *data = &frame[0] if frame.shape[0] else NULL
    cdef int result = frame_parse_udp(data, <uint32_t> frame.shape[0], &datagram)
    if result != FRAME_OK:
        return FRAME.name_of(result), None
    return FRAME.name_of(result), {
        "payload": datagram.payload[:datagram.length],
        "source_address": dotted(datagram.source_address),
        "destination_address": dotted(datagram.destination_address),
        "source_port": datagram.source_port,
        "destination_port": datagram.destination_port,
        "vlan": datagram.vlan,
    }


def parse_tcp(const uint8_t[::1] frame not None):
    """``("ok", fields)`` of a frame that holds a whole TCP segment, else ``(reason, None)``.

    The reasons are those of ``FRAME`` and ``SEGMENT`` in :mod:`nic.enumerations`. Fields:
    ``payload`` (trimmed by the IP length), ``source_address``, ``destination_address``,
    ``source_port``, ``destination_port``, ``sequence_number``, ``acknowledgment_number``,
    ``flags``, ``window``, ``vlan``. Source: RFC 9293 section 3.1.
    """
    cdef Ipv4Packet packet
    cdef uint32_t header_length
    cdef const uint8_t *tcp
    cdef const uint8_t *data = &frame[0] if frame.shape[0] else NULL
    cdef int result = frame_parse_ipv4(data, <uint32_t> frame.shape[0], &packet)
    if result != FRAME_OK:
        return FRAME.name_of(result), None
    if packet.protocol != INTERNET_IP_PROTOCOL_TCP:
        return SEGMENT.name_of(SEGMENT_NOT_TCP), None
    tcp = packet.payload
    if packet.payload_length < INTERNET_TCP_LENGTH:
        return SEGMENT.name_of(SEGMENT_BAD_TCP_HEADER), None
    header_length = internet_tcp_data_offset(tcp) >> 4 << 2
    if header_length < INTERNET_TCP_LENGTH or header_length > packet.payload_length:
        return SEGMENT.name_of(SEGMENT_BAD_TCP_HEADER), None
    return FRAME.name_of(FRAME_OK), {
        "payload": tcp[header_length:packet.payload_length],
        "source_address": dotted(packet.source_address),
        "destination_address": dotted(packet.destination_address),
        "source_port": internet_tcp_source_port(tcp),
        "destination_port": internet_tcp_destination_port(tcp),
        "sequence_number": internet_tcp_sequence_number(tcp),
        "acknowledgment_number": internet_tcp_acknowledgment_number(tcp),
        "flags": internet_tcp_flags(tcp),
        "window": internet_tcp_window(tcp),
        "vlan": packet.vlan,
    }


def build_udp(const uint8_t[::1] payload not None, str source_address not None,
              int source_port, str destination_address not None, int destination_port, *,
              bytes source_hardware=bytes(6), bytes destination_hardware=None, int vlan=0,
              int time_to_live=64, int identification=0):
    """An Ethernet frame with one UDP datagram and real checksums.

    Without ``destination_hardware`` a multicast group's own hardware address is taken (RFC 1112
    section 6.4), else zeros. Raises ``ValueError`` where the payload is too long.
    """
    cdef UdpPath path
    cdef uint8_t frame[LARGEST_FRAME]
    cdef uint32_t length
    path.source_address = address_number(source_address)
    path.destination_address = address_number(destination_address)
    if destination_hardware is None:
        destination_hardware = multicast_hardware(destination_address) or bytes(6)
    if len(source_hardware) != 6 or len(destination_hardware) != 6:
        raise ValueError("a hardware address has six bytes")
    memcpy(path.source_hardware, <const uint8_t *> source_hardware, 6)
    memcpy(path.destination_hardware, <const uint8_t *> destination_hardware, 6)
    path.source_port = source_port
    path.destination_port = destination_port
    path.vlan = vlan
    path.time_to_live = time_to_live
    length = frame_build_udp(frame, LARGEST_FRAME, &path, identification,
                             &payload[0] if payload.shape[0] else NULL,
                             <uint32_t> payload.shape[0])
    if length == 0:
        raise ValueError(f"{payload.shape[0]} bytes do not fit a UDP datagram")
    return frame[:length]


def multicast_hardware(str group not None):
    """Hardware address of a multicast group (RFC 1112 section 6.4), ``None`` for another."""
    cdef uint32_t address = address_number(group)
    if address >> 28 != 0xE:
        return None
    return bytes((1, 0, 0x5E, address >> 16 & 0x7F, address >> 8 & 255, address & 255))
