# SPDX-License-Identifier: Apache-2.0
"""What the kernel must know of destinations that a raw port takes: groups joined, ports held.

A raw socket joins no multicast group (IGMP), and where the kernel gets the frames as well, it
answers those to a port that nobody holds with an ICMP message. Ordinary UDP sockets do both.
Sources: RFC 3376; ip(7), udp(7) of the Linux manual; RFC 1122 section 3.2.2.1.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from collections.abc import Iterable

from nic.packet_filter import NOTHING

SO_ATTACH_FILTER = 26


class JoinError(OSError):
    """A group that could not be joined; ``group`` names it."""

    def __init__(self, group: str, cause: OSError) -> None:
        super().__init__(cause.errno, cause.strerror)
        self.group = group


def is_multicast(address: str) -> bool:
    """Whether an IPv4 address is that of a group."""
    return socket.inet_aton(address)[0] >> 4 == 0xE


def join_groups(destinations: Iterable[tuple[str, int]], index: int) -> list[socket.socket]:
    """Join the groups among ``(address, port)`` on the interface; closing the sockets leaves them.

    Raises :class:`JoinError`.
    """
    with contextlib.ExitStack() as stack:
        members = []
        for group in sorted({address for address, _ in destinations if is_multicast(address)}):
            member = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            request = struct.pack("@4s4si", socket.inet_aton(group), bytes(4), index)
            try:
                member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
            except OSError as failure:
                raise JoinError(group, failure) from None
            members.append(member)
        stack.pop_all()
    return members


def hold_ports(destinations: Iterable[tuple[str, int]]) -> list[socket.socket]:
    """Take the unicast ``(address, port)`` of this machine with sockets that drop everything.

    One that another socket has, or whose address is not ours, needs no holding and is left out.
    """
    held = []
    for address, port in dict.fromkeys(destinations):
        if is_multicast(address):
            continue
        holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            attach_filter(holder, NOTHING)
            holder.bind((address, port))
        except OSError:
            holder.close()
            continue
        held.append(holder)
    return held


def attach_filter(handle: socket.socket, program: bytes) -> None:
    """Give a socket a classic BPF program (``struct sock_filter`` each); raises ``OSError``."""
    memory = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(memory))
    handle.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, header)
