# SPDX-License-Identifier: Apache-2.0
"""Facts of network interfaces and neighbours, asked of the kernel by netlink and ethtool.

Everything is asked in the network namespace of the calling thread (``/sys/class/net`` is not: it
shows the namespace in which it was mounted). Sources: ``linux/ethtool.h``, ``linux/netdev.h`` and
kernel document ``networking/netdev-FAQ``; rtnetlink(7).
"""

from __future__ import annotations

import array
import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

SIOCETHTOOL = 0x8946
ETHTOOL_GDRVINFO = 0x03
ETHTOOL_STXCSUM = 0x17
ETHTOOL_GSTRINGS = 0x1B
ETHTOOL_GRXRINGS = 0x2D
ETHTOOL_GSSET_INFO = 0x37
ETHTOOL_GFEATURES = 0x3A
ETHTOOL_GCHANNELS = 0x3C
ETHTOOL_SCHANNELS = 0x3D
ETHTOOL_GET_TS_INFO = 0x41
ETH_SS_FEATURES = 4
STRING_BYTES = 32

TIMESTAMPING = (
    "transmit-hardware",
    "transmit-software",
    "receive-hardware",
    "receive-software",
    "software",
    "legacy-hardware",
    "raw-hardware",
)
"""Bits of SOF_TIMESTAMPING_*, from the lowest."""

XDP_FEATURES = (
    "basic",
    "redirect",
    "transmit",
    "zero-copy",
    "hardware-offload",
    "receive-multi-buffer",
    "transmit-multi-buffer",
)
"""Bits of NETDEV_XDP_ACT_*, from the lowest."""

XDP_MODES = {
    "xdp": "native",
    "xdpgeneric": "generic",
    "xdpoffload": "offloaded",
    "xdpmulti": "multiple",
}
"""What pyroute2 makes of IFLA_XDP_ATTACHED, and our word for it."""


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """What the kernel says of one interface; ``None`` or an empty tuple where it says nothing."""

    name: str
    index: int
    kind: str
    driver: str
    hardware_address: str
    mtu_bytes: int
    is_up: bool
    has_carrier: bool
    addresses: tuple[str, ...]
    receive_queues: int
    channels: int | None
    rss_rings: int | None
    xdp_attached: str
    xdp_program_id: int | None
    xdp_features: tuple[str, ...] | None
    offloads: tuple[str, ...]
    timestamping: tuple[str, ...]
    hardware_clock: int | None

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain values, for JSON."""
        return asdict(self)


def bits(value: int, names: Sequence[str]) -> tuple[str, ...]:
    """The names of the bits that are set, from the lowest."""
    return tuple(name for i, name in enumerate(names) if value >> i & 1)


def interface_names() -> list[str]:
    """The interfaces of this network namespace."""
    return [name for _, name in socket.if_nameindex()]


def index_of(interface: str) -> int:
    """Index of an interface given by its name or one of its addresses; raises ``ValueError``."""
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        pass
    try:
        address = str(ipaddress.IPv4Address(interface))
    except ValueError:
        raise ValueError(f"there is no interface {interface!r}") from None
    with _netlink() as route:
        for message in route.get_addr(family=socket.AF_INET, address=address):
            return int(message["index"])
    raise ValueError(f"no interface has the address {address}")


def name_of(interface: str) -> str:
    """Name of an interface given by its name or one of its addresses; raises ``ValueError``."""
    return socket.if_indextoname(index_of(interface))


def addresses_of(interface: str) -> tuple[str, ...]:
    """IPv4 addresses of an interface; raises ``ValueError``."""
    with _netlink() as route:
        found = route.get_addr(family=socket.AF_INET, index=index_of(interface))
        return tuple(message.get_attr("IFA_LOCAL") for message in found)


def interface_to(address: str) -> str:
    """Name of the interface by which the kernel sends to an address; raises ``ValueError``."""
    from pyroute2.netlink.exceptions import NetlinkError

    with _netlink() as route:
        try:
            found = next(iter(route.route("get", dst=address)))
        except NetlinkError as error:
            raise ValueError(f"no route to {address}: {os.strerror(error.code)}") from None
        return socket.if_indextoname(found.get_attr("RTA_OIF"))


def facts(interface: str) -> LinkFacts:
    """Everything about one interface; raises ``ValueError`` where there is none of that name."""
    index = index_of(interface)
    with _netlink() as route:
        link = next(iter(route.get_links(index)))
    name = link.get_attr("IFLA_IFNAME")
    info = link.get_attr("IFLA_LINKINFO")
    xdp = link.get_attr("IFLA_XDP")
    attached = xdp.get_attr("IFLA_XDP_ATTACHED") if xdp else None
    stamps, clock = timestamping(name)
    return LinkFacts(
        name=name,
        index=index,
        kind=(info.get_attr("IFLA_INFO_KIND") if info else None) or "device",
        driver=driver(name),
        hardware_address=link.get_attr("IFLA_ADDRESS") or "",
        mtu_bytes=int(link.get_attr("IFLA_MTU")),
        is_up=bool(link["flags"] & 1),
        has_carrier=bool(link.get_attr("IFLA_CARRIER")),
        addresses=addresses_of(name),
        receive_queues=int(link.get_attr("IFLA_NUM_RX_QUEUES") or 1),
        channels=channels(name),
        rss_rings=rss_rings(name),
        xdp_attached=XDP_MODES.get(str(attached), "none"),
        xdp_program_id=xdp.get_attr("IFLA_XDP_PROG_ID") if xdp else None,
        xdp_features=xdp_features(index),
        offloads=offloads(name),
        timestamping=stamps,
        hardware_clock=clock,
    )


def neighbour(address: str, interface: str) -> str | None:
    """Hardware address of a neighbour, ``None`` where the kernel does not know it (yet)."""
    with _netlink() as route:
        for entry in route.get_neighbours(ifindex=index_of(interface), dst=address):
            found = entry.get_attr("NDA_LLADDR")
            if found is not None:
                return str(found)
    return None


def hardware_bytes(text: str) -> bytes:
    """``aa:bb:cc:dd:ee:ff`` as six bytes; raises ``ValueError``."""
    found = bytes.fromhex(text.replace(":", ""))
    if len(found) != 6:
        raise ValueError(f"{text!r} is no hardware address")
    return found


def ethtool(interface: str, request: bytes) -> bytes | None:
    """The answer to one ethtool request, ``None`` where the driver does not support it."""
    block = array.array("B", request)
    address, _ = block.buffer_info()
    request_block = struct.pack("@16sP", interface.encode(), address).ljust(40, b"\0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        try:
            fcntl.ioctl(handle, SIOCETHTOOL, request_block)
        except OSError:
            return None
    return block.tobytes()


def set_transmit_checksum_offload(interface: str, is_on: bool) -> None:
    """Have the device (on) or the kernel (off) compute UDP and TCP checksums; raises ``OSError``.

    Over a virtual link with the offload on nobody computes them: captures show wrong checksums.
    """
    if ethtool(interface, struct.pack("@II", ETHTOOL_STXCSUM, int(is_on))) is None:
        raise OSError(f"{interface}: cannot switch the transmit checksum offload")


def driver(interface: str) -> str:
    """Name of the interface's driver, empty where it has none."""
    answer = ethtool(interface, struct.pack("@I", ETHTOOL_GDRVINFO).ljust(196, b"\0"))
    return answer[4:36].split(b"\0")[0].decode() if answer else ""


def channels(interface: str) -> int | None:
    """Receive queues in use: combined channels and those for receiving only."""
    answer = ethtool(interface, struct.pack("@I", ETHTOOL_GCHANNELS).ljust(36, b"\0"))
    if answer is None:
        return None
    values = struct.unpack("@9I", answer)
    return int(values[5] + values[8])


def set_receive_queues(interface: str, count: int) -> None:
    """Use ``count`` receive queues, combined ones where there are such; raises ``OSError``."""
    answer = ethtool(interface, struct.pack("@I", ETHTOOL_GCHANNELS).ljust(36, b"\0"))
    values = list(struct.unpack("@9I", answer)) if answer else [0] * 9
    values[0] = ETHTOOL_SCHANNELS
    values[5 if values[1] else 8] = count
    if answer is None or ethtool(interface, struct.pack("@9I", *values)) is None:
        raise OSError(f"{interface}: cannot use {count} receive queues")


def rss_rings(interface: str) -> int | None:
    """Rings among which received packets are spread by hash."""
    answer = ethtool(interface, struct.pack("@I", ETHTOOL_GRXRINGS).ljust(192, b"\0"))
    return int(struct.unpack_from("@Q", answer, 8)[0]) if answer else None


def timestamping(interface: str) -> tuple[tuple[str, ...], int | None]:
    """Kinds of time stamps, and the number of the interface's hardware clock."""
    answer = ethtool(interface, struct.pack("@I", ETHTOOL_GET_TS_INFO).ljust(44, b"\0"))
    if answer is None:
        return (), None
    _, kinds, clock = struct.unpack_from("@IIi", answer)
    return bits(kinds, TIMESTAMPING), clock if clock >= 0 else None


def offloads(interface: str) -> tuple[str, ...]:
    """Names of the interface's features that are switched on, as ``ethtool -k`` calls them."""
    request = struct.pack("@IIQI", ETHTOOL_GSSET_INFO, 0, 1 << ETH_SS_FEATURES, 0)
    answer = ethtool(interface, request)
    if answer is None:
        return ()
    count = struct.unpack_from("@I", answer, 16)[0]
    head = struct.pack("@III", ETHTOOL_GSTRINGS, ETH_SS_FEATURES, count)
    texts = ethtool(interface, head + bytes(count * STRING_BYTES))
    words = (count + 31) // 32
    state = ethtool(interface, struct.pack("@II", ETHTOOL_GFEATURES, words) + bytes(16 * words))
    if texts is None or state is None:
        return ()
    found = []
    for i in range(count):
        _, _, active, _ = struct.unpack_from("@4I", state, 8 + 16 * (i // 32))
        if active >> (i % 32) & 1:
            text = texts[12 + i * STRING_BYTES : 12 + (i + 1) * STRING_BYTES]
            found.append(text.split(b"\0")[0].decode())
    return tuple(found)


def xdp_features(index: int) -> tuple[str, ...] | None:
    """What the driver can do with XDP, ``None`` where the kernel is too old to say (before 6.3)."""
    from pyroute2.netlink import NLM_F_REQUEST, genlmsg
    from pyroute2.netlink.exceptions import NetlinkError
    from pyroute2.netlink.generic import GenericNetlinkSocket

    class device(genlmsg):
        """The netdev family's device message."""

        nla_map = (
            ("NETDEV_A_DEV_UNSPEC", "none"),
            ("NETDEV_A_DEV_IFINDEX", "uint32"),
            ("NETDEV_A_DEV_PAD", "none"),
            ("NETDEV_A_DEV_XDP_FEATURES", "uint64"),
        )

    handle = GenericNetlinkSocket()
    try:
        handle.bind("netdev", device)
        request = device()
        request["cmd"] = 1  # NETDEV_CMD_DEV_GET
        request["version"] = 1
        request["attrs"] = [("NETDEV_A_DEV_IFINDEX", index)]
        for answer in handle.nlm_request(request, msg_type=handle.prid, msg_flags=NLM_F_REQUEST):
            value = answer.get_attr("NETDEV_A_DEV_XDP_FEATURES")
            return bits(value, XDP_FEATURES) if value is not None else None
    except (NetlinkError, OSError):
        pass
    finally:
        handle.close()
    return None


def _netlink() -> Any:
    """A netlink socket in this thread's namespace; imported late, it is slow to load."""
    from pyroute2 import IPRoute

    return IPRoute()
