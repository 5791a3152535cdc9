# SPDX-License-Identifier: Apache-2.0
"""Round trips on each kind of port, on veth, in one run.

Two processes in two network namespaces, each pinned to a core of its own where there are two, spin
on their ports. The paths take turns in short blocks, so that whatever else the machine does meets
all alike. Each path has a veth pair of its own: the XDP program must not slow the sockets down.

``udp`` is the port as the appliance uses it, with the kernel's receive time stamps, as the others
have them; ``udp_bare`` goes without them and has its peer fixed by ``connect``, the least a
socket costs. ``af_packet`` gets each frame at once, ``af_packet_block`` waits for its block.
``minimal_c`` is no port but the yardstick of ``af_xdp_bare``: a C program with the same rings and
the same XDP program (``tools/minimal_xdp.c``), both without time stamps.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import platform
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.connection import Connection
from typing import Any, Protocol

import numpy as np

from nic import link
from nic.af_packet import AfPacketPort
from nic.af_xdp import AfXdpPort
from nic.clock import Clock
from nic.port import Port, PortError
from nic.udp import UdpPort
from tools.minimal_xdp import MinimalSide, compiled_minimal
from tools.namespaces import PR_SET_PDEATHSIG, Link, inside, joined
from tools.ping_pong import Side
from tools.report import console, table

PATHS = (
    "udp",
    "udp_bare",
    "af_packet",
    "af_packet_block",
    "af_xdp",
    "af_xdp_bare",
    "minimal_c",
)
UDP_PORT = 5100
BLOCK_ROUNDS = 500
WARM_UP_ROUNDS = 100
SLOW_PATHS = {"af_packet_block": 25}
"""Paths of milliseconds, and how many times fewer their rounds are."""

RECEIVE_FRAMES = 64
"""Few enough to stay in the cache; a ping-pong has no bursts."""

TRANSMIT_FRAMES = 1024

LOST_SECONDS = 0.2
IDLE_SECONDS = 2.0
QUANTILES = {"min": 0.0, "p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


class Asker(Protocol):
    """A side of the round trip, whatever it is made of."""

    def ask(self, ticks: Any, lost_seconds: float, ns_per_tick: float) -> int:
        """Fill in round trips; how many were lost."""

    def answer(self, idle_seconds: float, ns_per_tick: float) -> int:
        """Send every packet back; how many those were."""

    def end(self) -> None:
        """Tell the other side that this was all."""


def wire(path: str) -> Link:
    """The veth pair of one path: the asking side is the left one."""
    number = PATHS.index(path)
    return Link(f"path{number}", f"10.77.{number}.1", f"10.77.{number}.2")


def hardware_address(namespace: str, interface: str) -> bytes:
    """Six bytes of an interface's hardware address."""
    with inside(namespace):
        return link.hardware_bytes(link.facts(interface).hardware_address)


def open_port(path: str, local: tuple[str, int], remote: tuple[str, int]) -> Port:
    """The port of one path."""
    interface = wire(path).name
    if path.startswith("af_xdp"):
        return AfXdpPort(
            interface,
            destinations=[local],
            stamps=path == "af_xdp",
            receive_frames=RECEIVE_FRAMES,
            transmit_frames=TRANSMIT_FRAMES,
        )
    if path.startswith("af_packet"):
        return AfPacketPort(
            interface,
            destinations=[local],
            receive_frames=RECEIVE_FRAMES,
            handover="block" if path == "af_packet_block" else "frame",
        )
    is_bare = path == "udp_bare"
    return UdpPort(bind=local, destination=remote, connect=is_bare, timestamps=not is_bare)


@contextmanager
def side(
    path: str, own: str, peer: str, is_asking: bool, library: ctypes.CDLL
) -> Iterator[tuple[Asker, dict[str, Any]]]:
    """One side of one path and its mode; ``own`` and ``peer`` are the namespaces."""
    pair = wire(path)
    addresses = [(pair.left_address, UDP_PORT), (pair.right_address, UDP_PORT)]
    local, remote = addresses if is_asking else addresses[::-1]
    source_hardware = hardware_address(own, pair.name)
    destination_hardware = hardware_address(peer, pair.name)
    if path == "minimal_c":
        bare = MinimalSide(
            library,
            pair.name,
            local,
            remote,
            source_hardware=source_hardware,
            destination_hardware=destination_hardware,
            receive_frames=RECEIVE_FRAMES,
            transmit_frames=TRANSMIT_FRAMES,
        )
        with closing(bare):
            yield bare, bare.mode()
        return
    with open_port(path, local, remote) as port:
        yield (
            Side(
                port,
                local,
                remote,
                source_hardware=source_hardware,
                destination_hardware=destination_hardware,
            ),
            port.mode(),
        )


def pin(core: int) -> None:
    """Keep this process on one core."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})


def answering_side(
    channel: Connection, asking: str, answering: str, core: int, library: ctypes.CDLL
) -> None:
    """The other process: answers on the path that it is told, until it is told none."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pin(core)
    clock = Clock()
    with ExitStack() as stack:
        stack.enter_context(inside(answering))
        sides = {}
        for path in PATHS:
            sides[path] = stack.enter_context(side(path, answering, asking, False, library))[0]
        channel.send("ready")
        while path := channel.recv():
            channel.send("ready")
            sides[path].answer(IDLE_SECONDS, clock.ns_per_tick)


def summary(ticks: np.ndarray, lost: int, ns_per_tick: float) -> dict[str, Any]:
    """Percentiles of round trips in nanoseconds, their count and how many were lost."""
    if not len(ticks):
        return {**{f"{name}_ns": 0 for name in QUANTILES}, "count": 0, "lost": lost}
    found = np.quantile(ticks * ns_per_tick, list(QUANTILES.values()), method="higher")
    named = {f"{name}_ns": round(float(v)) for name, v in zip(QUANTILES, found, strict=True)}
    return {**named, "count": len(ticks), "lost": lost}


def measure(rounds: int = 20_000) -> dict[str, Any]:
    """Round trips of every path, ``rounds`` each (slow ones fewer); needs root.

    ``paths`` holds percentiles in nanoseconds, count, lost and mode of each; ``ratio_p50`` says
    how many times faster AF_XDP is than ``udp``, ``ratio_p50_bare`` than ``udp_bare``.
    ``overhead`` is what ``af_xdp_bare`` takes in terms of ``minimal_c``: of their p50 and p99, and
    the median over the blocks of the ratio of each block's p50 and p99, which the machine's moods
    move less. Raises ``PortError`` where a port can't be had.
    """
    library = compiled_minimal()
    asking, answering = (f"tw-bench-{os.getpid()}-{end}" for end in "ab")
    affinity = os.sched_getaffinity(0)
    with ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, affinity)
        stack.enter_context(joined(asking, answering, [wire(path) for path in PATHS]))
        channel, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(
            target=answering_side, args=(theirs, asking, answering, 1, library), daemon=True
        )
        process.start()
        stack.callback(process.join, 5)
        stack.callback(process.terminate)
        theirs.close()
        stack.enter_context(inside(asking))
        pin(0)
        return run(stack, channel, rounds, asking, answering, library)


def run(
    stack: ExitStack,
    channel: Connection,
    rounds: int,
    asking: str,
    answering: str,
    library: ctypes.CDLL,
) -> dict[str, Any]:
    """The blocks of all paths in turn, each round in another order."""
    clock = Clock()
    sides = {
        path: stack.enter_context(side(path, asking, answering, True, library)) for path in PATHS
    }
    taken: dict[str, list[np.ndarray]] = {path: [] for path in PATHS}
    lost = dict.fromkeys(PATHS, 0)
    wait(channel)
    for turn in range(-(-rounds // BLOCK_ROUNDS)):
        for path in PATHS if turn % 2 else PATHS[::-1]:
            channel.send(path)
            wait(channel)
            fewer = SLOW_PATHS.get(path, 1)
            ticks = np.zeros(BLOCK_ROUNDS // fewer, dtype=np.uint64)
            warm_up = np.zeros(WARM_UP_ROUNDS // fewer, dtype=np.uint64)
            asker = sides[path][0]
            asker.ask(warm_up, LOST_SECONDS, clock.ns_per_tick)
            lost[path] += asker.ask(ticks, LOST_SECONDS, clock.ns_per_tick)
            asker.end()
            taken[path].append(ticks[ticks > 0])
    channel.send("")
    paths = {
        path: {
            **summary(np.concatenate(taken[path]), lost[path], clock.ns_per_tick),
            "mode": sides[path][1],
        }
        for path in PATHS
    }
    fast = max(paths["af_xdp"]["p50_ns"], 1)
    return {
        "what": "round trip of a 32-byte UDP payload over veth, both sides spinning",
        "environment": {
            "kernel": platform.release(),
            "cores": os.cpu_count(),
            "pinned": len(os.sched_getaffinity(0)) == 1,
        },
        "paths": paths,
        "ratio_p50": round(paths["udp"]["p50_ns"] / fast, 2),
        "ratio_p50_bare": round(paths["udp_bare"]["p50_ns"] / fast, 2),
        "overhead": overhead(paths, taken["af_xdp_bare"], taken["minimal_c"]),
    }


def overhead(
    paths: dict[str, Any], ours: list[np.ndarray], theirs: list[np.ndarray]
) -> dict[str, float]:
    """The AF_XDP port in terms of the minimal program: 1.0 is no overhead."""
    found = {}
    for name in ("p50", "p99"):
        least = max(paths["minimal_c"][f"{name}_ns"], 1)
        found[name] = round(paths["af_xdp_bare"][f"{name}_ns"] / least, 3)
        pairs = [
            float(np.quantile(a, QUANTILES[name]) / np.quantile(b, QUANTILES[name]))
            for a, b in zip(ours, theirs, strict=True)
            if len(a) and len(b)
        ]
        found[f"{name}_by_blocks"] = round(float(np.median(pairs)), 3) if pairs else 0.0
    return found


def wait(channel: Connection) -> None:
    """Wait for the other process; raises ``PortError`` where it died."""
    try:
        if not channel.poll(10):
            raise PortError("the answering process does not answer")
        channel.recv()
    except EOFError:
        raise PortError("the answering process ended early") from None


def print_report(report: dict[str, Any]) -> None:
    """The report for people."""
    out = console()
    names = [*(f"{name}_ns" for name in QUANTILES), "count", "lost"]
    rows = [(path, *(found[name] for name in names)) for path, found in report["paths"].items()]
    out.print(table(report["what"], ["path", *names], rows))
    mode = report["paths"]["af_xdp"]["mode"]
    copying = "zero-copy" if mode["zero_copy"] else "copy"
    out.print(f"af_xdp is {mode['driver_mode']}, {copying}")
    out.print(
        f"at p50 it is {report['ratio_p50']} times as fast as the spinning socket, "
        f"{report['ratio_p50_bare']} times as fast as the bare one"
    )
    found = report["overhead"]
    out.print(
        f"in terms of the minimal C program the bare one takes {found['p50']} at p50 and "
        f"{found['p99']} at p99, {found['p50_by_blocks']} and {found['p99_by_blocks']} block by "
        "block"
    )
