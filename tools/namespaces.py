# SPDX-License-Identifier: Apache-2.0
"""Two hosts on one machine: network namespaces joined by veth pairs, made and removed by us.

Everything here needs root (CAP_NET_ADMIN, CAP_SYS_ADMIN). A namespace that a killed run left
behind is recognised by the address label on its loopback interface and removed; one that somebody
else made under the same name is never touched.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pyroute2 import NetNS, netns

from nic.link import set_transmit_checksum_offload

OWNER_ADDRESS = "127.84.87.1"
"""Loopback address that marks a namespace as ours."""

PR_SET_PDEATHSIG = 1


class NamespaceError(RuntimeError):
    """The namespaces can't be made; the message is one line."""


class InUseError(NamespaceError):
    """Another run has namespaces of these names."""


@dataclass(frozen=True, slots=True)
class Link:
    """One veth pair: the interface has the same name at both ends."""

    name: str
    left_address: str
    right_address: str
    prefix_length: int = 24


def exists(name: str) -> bool:
    """Whether a namespace of that name is there."""
    return name in netns.listnetns()


def is_ours(name: str) -> bool:
    """Whether the namespace carries our mark."""
    try:
        with NetNS(name, flags=0) as space:
            addresses = [a.get("address") for a in space.get_addr(family=socket.AF_INET)]
            return OWNER_ADDRESS in addresses
    except OSError:
        return False


def _make(name: str) -> None:
    if exists(name):
        if not is_ours(name):
            raise NamespaceError(
                f"a network namespace {name!r} is there already and is not ours; "
                f"remove it with: ip netns delete {name}"
            )
        if running := pids(name):
            raise InUseError(
                f"the network namespace {name!r} is in use by process {running[0]}: "
                "another run is at work"
            )
        netns.remove(name)
    try:
        netns.create(name)
    except OSError as error:
        raise NamespaceError(f"no network namespace: {error.strerror or error}") from None
    with NetNS(name) as space:
        loopback = space.link_lookup(ifname="lo")[0]
        space.addr("add", index=loopback, address=OWNER_ADDRESS, prefixlen=32)
        space.link("set", index=loopback, state="up")


def pids(name: str) -> list[int]:
    """Processes whose network namespace is the named one; none where there is no such."""
    found: list[int] = []
    try:
        inode = os.stat(f"/run/netns/{name}").st_ino
    except FileNotFoundError:
        return found
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and os.stat(f"/proc/{entry}/ns/net").st_ino == inode:
                found.append(int(entry))
    return found


def _set_up(name: str, link: Link, address: str) -> None:
    with NetNS(name) as space:
        index = space.link_lookup(ifname=link.name)[0]
        space.addr("add", index=index, address=address, prefixlen=link.prefix_length)
        space.link("set", index=index, state="up")
        space.route("add", dst="224.0.0.0/4", oif=index, priority=100 + index)


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """Run the body of the ``with`` in the namespace; this thread only."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{name}") as there:
        if libc.setns(there.fileno(), 0) != 0:
            raise NamespaceError(f"can't enter {name!r}: {os.strerror(ctypes.get_errno())}")
        try:
            yield
        finally:
            libc.setns(home.fileno(), 0)


def transmit_checksums_by_sender(name: str, interface: str) -> None:
    """Make the kernel compute whole checksums: a veth peer otherwise sees pseudo-header sums."""
    with inside(name):
        set_transmit_checksum_offload(interface, False)


@contextlib.contextmanager
def joined(left: str, right: str, links: Sequence[Link]) -> Iterator[None]:
    """Two namespaces joined by ``links`` for the time of the ``with``; removed whatever happens."""
    made: list[str] = []
    turn = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        try:  # an abstract name: it vanishes with the process, whatever ends it
            turn.bind(f"\0tickwire-{left}-{right}")
        except OSError:
            raise InUseError(
                f"another run uses the namespaces {left!r} and {right!r}: let it end first"
            ) from None
        for name in (left, right):
            _make(name)
            made.append(name)
        with NetNS(left) as space:
            for link in links:
                space.link(
                    "add",
                    ifname=link.name,
                    kind="veth",
                    peer={"ifname": link.name, "net_ns_fd": right},
                )
        for link in links:
            _set_up(left, link, link.left_address)
            _set_up(right, link, link.right_address)
            transmit_checksums_by_sender(left, link.name)
            transmit_checksums_by_sender(right, link.name)
        yield
    finally:
        for name in made:
            for pid in pids(name):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(OSError):  # gone already: what we wanted
                netns.remove(name)
        turn.close()


RUNS_AT_ONCE = 8
"""Runs of one kind on one machine, each in namespaces of its own."""


@contextlib.contextmanager
def joined_beside_others(left: str, right: str, links: Sequence[Link]) -> Iterator[str]:
    """:func:`joined`, whatever other runs have: behind both names comes what is yielded.

    That is nothing, or "-2" and on where another run has the names.
    """
    for number in range(1, RUNS_AT_ONCE + 1):
        suffix = f"-{number}" if number > 1 else ""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(joined(left + suffix, right + suffix, links))
            except InUseError:
                if number == RUNS_AT_ONCE:
                    raise
                continue
            yield suffix
            return


def _die_with_parent() -> None:
    os.setpgid(0, 0)  # Ctrl-C goes to us alone; we stop the children in order
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(name: str | None, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a command in a namespace (``None``: here); it is killed should this process die."""
    prefix = [] if name is None else ["ip", "netns", "exec", name]
    return subprocess.Popen([*prefix, *command], preexec_fn=_die_with_parent, **options)
