# SPDX-License-Identifier: Apache-2.0
"""The kernel filter of an AF_PACKET socket: the frames of the configured UDP destinations.

A classic BPF program, made for exactly the destinations asked for. It takes what the XDP program of
:mod:`nic.xdp_program` takes: Ethernet II with at most one 802.1Q tag, IPv4 without options, no
fragment, UDP, destination address and port in the list. The kernel has taken the outer tag out of
the frame before it asks. Sources: ``linux/filter.h``, kernel document ``networking/filter``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from nic.frame import address_number
from nic.wire import internet
from nic.wire.internet import INTERNET

LOAD_WORD, LOAD_HALF, LOAD_BYTE = 0x20, 0x28, 0x30
"""BPF_LD | BPF_ABS, by width: bytes of the frame, or an ancillary fact of it."""

AND, JUMP_EQUAL, JUMP_ANY_BIT, RETURN = 0x54, 0x15, 0x45, 0x06
"""BPF_ALU | BPF_AND, BPF_JMP | BPF_JEQ, BPF_JMP | BPF_JSET, BPF_RET; all with a constant."""

ANCILLARY = -0x1000 & 0xFFFFFFFF
"""SKF_AD_OFF: loads from here on are facts that the kernel keeps beside the frame."""

PACKET_KIND, VLAN_TAG_PRESENT, VLAN_PROTOCOL = ANCILLARY + 4, ANCILLARY + 48, ANCILLARY + 60
PACKET_OUTGOING = 4
WHOLE_FRAME = 0xFFFFFFFF
PLAIN_IPV4 = 0x45
"""Version 4, header of five words: no options."""

MOST_DESTINATIONS = 256

Instruction = tuple[int, int, int, int]
"""Code, instructions to skip if true, instructions to skip if not, constant."""


def checked(destinations: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """The destinations as a tuple; raises ``ValueError`` where one of them is none."""
    found = tuple((str(address), int(port)) for address, port in destinations)
    if len(found) > MOST_DESTINATIONS:
        raise ValueError(f"give at most {MOST_DESTINATIONS} destinations")
    for address, port in found:
        address_number(address)
        if not 0 < port < 65536:
            raise ValueError(f"{port} is no UDP port")
    return found


def instructions(destinations: Iterable[tuple[str, int]]) -> list[Instruction]:
    """The program; without destinations it takes nothing."""
    ethernet, ipv4, udp = (INTERNET[name] for name in ("ethernet", "ipv4", "udp"))
    at_ip = ethernet.length
    at_udp = at_ip + ipv4.length
    fragment = internet.IPV4_MORE_FRAGMENTS | internet.IPV4_FRAGMENT_OFFSET_MASK
    program = [
        (LOAD_WORD, 0, 0, PACKET_KIND),
        *refuse(JUMP_EQUAL, PACKET_OUTGOING),
        (LOAD_WORD, 0, 0, VLAN_TAG_PRESENT),
        (JUMP_EQUAL, 3, 0, 0),
        (LOAD_WORD, 0, 0, VLAN_PROTOCOL),
        *demand(internet.ETHERTYPE_VLAN),
        (LOAD_HALF, 0, 0, ethernet["ethertype"].offset),
        *demand(internet.ETHERTYPE_IPV4),
        (LOAD_BYTE, 0, 0, at_ip + ipv4["version_and_header_length"].offset),
        *demand(PLAIN_IPV4),
        (LOAD_HALF, 0, 0, at_ip + ipv4["flags_and_fragment_offset"].offset),
        *refuse(JUMP_ANY_BIT, fragment),
        (LOAD_BYTE, 0, 0, at_ip + ipv4["protocol"].offset),
        *demand(internet.IP_PROTOCOL_UDP),
        # A frame that ends inside the UDP header is none: loading behind its end refuses it.
        (LOAD_HALF, 0, 0, at_udp + udp["checksum"].offset),
    ]
    for address, port in destinations:
        program += [
            (LOAD_WORD, 0, 0, at_ip + ipv4["destination_address"].offset),
            (JUMP_EQUAL, 0, 3, address_number(address)),
            (LOAD_HALF, 0, 0, at_udp + udp["destination_port"].offset),
            (JUMP_EQUAL, 0, 1, port),
            (RETURN, 0, 0, WHOLE_FRAME),
        ]
    return [*program, (RETURN, 0, 0, 0)]


def demand(value: int) -> list[Instruction]:
    """Go on if the register is this value."""
    return [(JUMP_EQUAL, 1, 0, value), (RETURN, 0, 0, 0)]


def refuse(condition: int, value: int) -> list[Instruction]:
    """Go on unless the register compares so with the value."""
    return [(condition, 0, 1, value), (RETURN, 0, 0, 0)]


def packed(program: list[Instruction]) -> bytes:
    """As an array of ``struct sock_filter``."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


NOTHING = packed([(RETURN, 0, 0, 0)])
"""A program that takes no packet."""
