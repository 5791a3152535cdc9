# SPDX-License-Identifier: Apache-2.0
"""Network namespaces joined by veth pairs: a wire between two sides on one machine.

Needs root. Everything made here is removed by the same ``with`` block, whatever happens inside it.
Source: network_namespaces(7), veth(4) of the Linux manual.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

NAMESPACE_FOLDER = "/run/netns"


@dataclass(frozen=True, slots=True)
class VethEnd:
    """One end of a veth pair: its name, the namespace it lies in, its IPv4 address and prefix length."""

    namespace: str
    name: str
    address: str
    prefix_length: int = 24


@contextmanager
def namespaces(*names: str) -> Iterator[None]:
    """Make network namespaces with their loopback up; remove them, and what is in them, at the end."""
    from pyroute2 import IPRoute, netns

    made = []
    try:
        for name in names:
            netns.create(name)
            made.append(name)
            with IPRoute(netns=name) as route:
                route.link("set", index=1, state="up")
        yield
    finally:
        for name in made:
            netns.remove(name)


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Run the block with this thread in a namespace; sockets opened in it stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        with open(f"{NAMESPACE_FOLDER}/{name}", "rb") as target:
            os_setns(target.fileno())
        try:
            yield
        finally:
            os_setns(home)
    finally:
        os.close(home)


def os_setns(descriptor: int) -> None:
    """Move this thread to the network namespace that ``descriptor`` names; raises ``OSError``."""
    import ctypes

    clone_newnet = 0x40000000
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, clone_newnet) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def join(one: VethEnd, other: VethEnd, *, mtu_bytes: int = 1500, offloads: bool = False) -> None:
    """Make a veth pair, an end in each namespace, both up and knowing each other's hardware address.

    Without ``offloads`` both ends compute real UDP and TCP checksums when they send. The pair goes
    with either namespace.
    """
    from pyroute2 import IPRoute

    from nic import link

    with IPRoute(netns=one.namespace) as route:
        route.link(
            "add",
            ifname=one.name,
            kind="veth",
            mtu=mtu_bytes,
            peer={"ifname": other.name, "net_ns_fd": other.namespace, "mtu": mtu_bytes},
        )
    for end in (one, other):
        with IPRoute(netns=end.namespace) as route:
            index = route.link_lookup(ifname=end.name)[0]
            route.addr("add", index=index, address=end.address, prefixlen=end.prefix_length)
            route.link("set", index=index, state="up")
            route.route("add", dst="224.0.0.0/4", oif=index, priority=index)
        if not offloads:
            with inside(end.namespace):
                link.set_transmit_checksum_offload(end.name, False)
    for end, peer in ((one, other), (other, one)):
        with inside(peer.namespace):
            hardware_address = link.facts(peer.name).hardware_address
        with IPRoute(netns=end.namespace) as route:
            index = route.link_lookup(ifname=end.name)[0]
            route.neigh(
                "replace",
                dst=peer.address,
                lladdr=hardware_address,
                ifindex=index,
                state="permanent",
            )


def stale(prefix: str) -> Sequence[str]:
    """Names of namespaces that begin with ``prefix``: what a killed run left behind."""
    if not os.path.isdir(NAMESPACE_FOLDER):
        return ()
    return tuple(sorted(name for name in os.listdir(NAMESPACE_FOLDER) if name.startswith(prefix)))
