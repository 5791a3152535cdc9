# SPDX-License-Identifier: Apache-2.0
"""What this machine supports, and what to do about the rest: the findings of ``tickwire doctor``.

Reads ``/proc``, ``/sys`` and netlink, and opens sockets that it closes at once; it changes nothing.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import resource
import shutil
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from nic import link

Verdict = Literal["good", "note", "missing"]

CAPABILITIES = {
    "CAP_NET_ADMIN": (12, "namespaces, XDP programs, TCP repair"),
    "CAP_NET_RAW": (13, "AF_XDP and AF_PACKET sockets, captures"),
    "CAP_SYS_ADMIN": (21, "entering namespaces, BPF on older kernels"),
    "CAP_BPF": (39, "loading the XDP program"),
    "CAP_IPC_LOCK": (14, "locking ring memory"),
}
"""Bit in the capability mask (linux/capability.h) and what it is needed for."""

SLOW_MTU_BYTES = 3_498
"""Above about this MTU a native XDP program without fragment support is refused."""

TROUBLING_OFFLOADS = {
    "rx-gro": "merges datagrams before a generic XDP program sees them",
    "rx-lro": "merges segments before the port sees them",
    "rx-vlan-hw-parse": "takes the 802.1Q tag out of the frame",
    "tx-checksum-ip-generic": "leaves whole checksums to a device that a veth peer never is",
}
"""Features as ``ethtool -k`` names them, and what they do to a raw port."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: the verdict, what is there, and what to do where it is not good."""

    area: str
    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def read(path: str) -> str:
    """A small file of the kernel, empty where it is not there."""
    with contextlib.suppress(OSError):
        return Path(path).read_text().strip()
    return ""


def privileges() -> Iterator[Finding]:
    """Capabilities of this process."""
    mask = 0
    for line in read("/proc/self/status").splitlines():
        if line.startswith("CapEff:"):
            mask = int(line.split()[1], 16)
    for name, (bit, purpose) in CAPABILITIES.items():
        if mask >> bit & 1:
            yield Finding("privileges", name, "good", f"held: {purpose}")
        else:
            yield Finding(
                "privileges", name, "missing", f"not held: {purpose}", "run as root, or with sudo"
            )


def processor() -> Iterator[Finding]:
    """Clock source, time stamp counter, isolated cores, instructions."""
    clock = read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    good = clock == "tsc"
    yield Finding(
        "processor",
        "clock source",
        "good" if good else "note",
        clock or "unknown",
        "" if good else "clock_gettime is slow; boot with clocksource=tsc if the counter is stable",
    )
    flags = set()
    for line in read("/proc/cpuinfo").splitlines():
        if line.startswith("flags"):
            flags = set(line.split(":")[1].split())
            break
    invariant = {"constant_tsc", "nonstop_tsc"} <= flags
    yield Finding(
        "processor",
        "time stamp counter",
        "good" if invariant else "missing",
        "invariant" if invariant else "not invariant",
        "" if invariant else "stage latencies are not to be trusted on this processor",
    )
    isolated = read("/sys/devices/system/cpu/isolated")
    yield Finding(
        "processor",
        "isolated cores",
        "good" if isolated else "note",
        isolated or "none",
        "" if isolated else "boot with isolcpus= and nohz_full= for the core of [engine] core",
    )
    cores = os.cpu_count() or 1
    yield Finding(
        "processor",
        "cores",
        "good" if cores > 1 else "note",
        str(cores),
        "" if cores > 1 else "set [engine] spin = false: a spinning thread would starve the rest",
    )


def memory() -> Iterator[Finding]:
    """Huge pages and the limit on locked memory."""
    values = dict(line.split(":") for line in read("/proc/meminfo").splitlines() if ":" in line)
    free = int(values.get("HugePages_Free", "0"))
    yield Finding(
        "memory",
        "huge pages",
        "good" if free else "note",
        f"{free} free",
        "" if free else "sysctl vm.nr_hugepages=64 lets rings and books use them",
    )
    transparent = read("/sys/kernel/mm/transparent_hugepage/enabled")
    yield Finding(
        "memory",
        "transparent huge pages",
        "note" if "[never]" in transparent else "good",
        transparent or "unknown",
        "books ask for them: set to madvise" if "[never]" in transparent else "",
    )
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    unlimited = soft == resource.RLIM_INFINITY or os.geteuid() == 0
    yield Finding(
        "memory",
        "locked memory",
        "good" if unlimited else "note",
        "unlimited" if unlimited else f"{soft} bytes",
        "" if unlimited else "ulimit -l unlimited, for AF_XDP on kernels before 5.11",
    )


def packet_paths() -> Iterator[Finding]:
    """Which kinds of port can be opened at all."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)):
        yield Finding("packet paths", "udp", "good", "kernel sockets work")
    module = importlib.util.find_spec("nic.af_xdp")
    try:
        socket.socket(44, socket.SOCK_RAW).close()  # AF_XDP
        kernel = ""
    except OSError as error:
        kernel = error.strerror or str(error)
    if module is None:
        yield Finding(
            "packet paths",
            "af_xdp",
            "missing",
            "the port was not built",
            "install libbpf-dev and start tools/tickwire again",
        )
    elif kernel:
        yield Finding(
            "packet paths",
            "af_xdp",
            "missing",
            f"the kernel refuses: {kernel}",
            "run as root on a kernel with CONFIG_XDP_SOCKETS",
        )
    else:
        yield Finding("packet paths", "af_xdp", "good", "the kernel gives sockets")
    yield packet_rings()
    yield verbs_devices()
    for name, purpose in (("tcpdump", "captures to verify"), ("tshark", "witness in the tests")):
        there = shutil.which(name)
        yield Finding(
            "packet paths",
            name,
            "good" if there else "missing",
            there or "not there",
            "" if there else f"apt-get install {name}: {purpose}",
        )


def verbs_devices() -> Finding:
    """Which RDMA devices there are."""
    from nic.port import PortError

    area, name = "packet paths", "verbs"
    try:
        from nic.verbs.device import device_names
    except ImportError:
        advice = "install libibverbs-dev and start tools/tickwire again"
        return Finding(area, name, "note", "the port was not built", advice)
    try:
        found = device_names()
    except PortError as error:
        found, reason = [], str(error)
    else:
        reason = "no RDMA device"
    if found:
        return Finding(area, name, "good", f"RDMA devices: {', '.join(found)}")
    return Finding(area, name, "note", reason, "an RDMA card, or rdma link add rxe0 type rxe ...")


def packet_rings() -> Finding:
    """Whether AF_PACKET rings of both versions can be made; tried without any interface."""
    from nic.packet_socket import PacketSocket
    from nic.port import PortError

    try:
        for by_block in (False, True):
            with contextlib.closing(PacketSocket("af_packet", by_block)) as tried:
                tried.make_receive_ring(4, 4096, 1)
                tried.make_transmit_ring(4, 1518)
                tried.map_rings()
    except PortError as error:
        advice = "run as root on a kernel of 4.20 or newer with CONFIG_PACKET"
        return Finding("packet paths", "af_packet", "missing", str(error), advice)
    return Finding("packet paths", "af_packet", "good", "mapped rings by frame and by block work")


def interfaces() -> Iterator[Finding]:
    """AF_XDP, time stamps and troubling offloads per interface."""
    for name in link.interface_names():
        facts = link.facts(name)
        area = f"interface {name}"
        state = f"{facts.kind} {facts.driver or 'without a driver name'}, MTU {facts.mtu_bytes}"
        yield Finding(
            area,
            "link",
            "good" if facts.is_up else "note",
            f"{state}, {'up' if facts.is_up else 'down'}",
            "" if facts.is_up else f"ip link set {name} up",
        )
        yield from xdp_of(area, facts)
        hardware = "receive-hardware" in facts.timestamping
        yield Finding(
            area,
            "time stamps",
            "good" if hardware else "note",
            "hardware" if hardware else ", ".join(facts.timestamping) or "none reported",
            "" if hardware else "the kernel's receive time is taken instead",
        )
        for feature, effect in TROUBLING_OFFLOADS.items():
            if feature in facts.offloads:
                yield Finding(
                    area, feature, "note", f"on: {effect}", f"ethtool -K {name} {feature} off"
                )
        if (facts.rss_rings or 1) > 1:
            yield Finding(
                area,
                "receive queues",
                "note",
                f"{facts.rss_rings} by hash",
                f"ethtool -L {name} combined 1, or steer the feed to one queue (ethtool -N)",
            )


def xdp_of(area: str, facts: link.LinkFacts) -> Iterator[Finding]:
    """What AF_XDP can do on one interface."""
    features = facts.xdp_features
    if features is None:
        yield Finding(
            area,
            "AF_XDP native",
            "note",
            "the kernel does not say (before 6.3)",
            'driver_mode = "best" finds out, and the report tells',
        )
        return
    native = "redirect" in features
    yield Finding(area, "AF_XDP generic", "good", "works on any interface, with a copy")
    yield Finding(
        area,
        "AF_XDP native",
        "good" if native else "note",
        "supported" if native else "no support in the driver",
        "" if native else 'use driver_mode = "generic", or another NIC',
    )
    zero_copy = "zero-copy" in features
    yield Finding(
        area,
        "AF_XDP zero-copy",
        "good" if zero_copy else "note",
        "supported" if zero_copy else "no support in the driver",
        "" if zero_copy else "frames are copied once; nothing else changes",
    )
    if native and facts.mtu_bytes > SLOW_MTU_BYTES:
        yield Finding(
            area,
            "MTU",
            "note",
            f"{facts.mtu_bytes} bytes",
            f"ip link set {facts.name} mtu 1500: native mode refuses large frames",
        )


def examine() -> dict[str, Any]:
    """Every finding, as a report."""
    found: list[Finding] = []
    for part in (privileges, processor, memory, packet_paths, interfaces):
        found.extend(part())
    return {
        "kernel": platform.release(),
        "python": platform.python_version(),
        "findings": [asdict(finding) for finding in found],
        "missing": sum(finding.verdict == "missing" for finding in found),
        "notes": sum(finding.verdict == "note" for finding in found),
    }
