# SPDX-License-Identifier: Apache-2.0
"""Round trips on AF_XDP against a UDP socket, on veth, in one run.

Two processes in two network namespaces, each pinned to a core of its own where there are two, spin
on their ports. The paths take turns in short blocks, so that whatever else the machine does meets
all alike. Each path has a veth pair of its own: the XDP program must not slow the sockets down.

``udp`` is the port as the appliance uses it, with the kernel's receive time stamps, which
``af_xdp`` has as well; ``udp_bare`` goes without them and has its peer fixed by ``connect``, the
least a socket costs.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import platform
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from nic import link
from nic.af_xdp import AfXdpPort
from nic.clock import Clock
from nic.port import Port, PortError
from nic.udp import UdpPort
from tools.namespaces import PR_SET_PDEATHSIG, Link, inside, joined
from tools.ping_pong import Side
from tools.report import console, table

PATHS = ("udp", "udp_bare", "af_xdp")
UDP_PORT = 5100
BLOCK_ROUNDS = 500
WARM_UP_ROUNDS = 100
RECEIVE_FRAMES = 64
"""Few enough to stay in the cache; a ping-pong has no bursts."""

LOST_SECONDS = 0.2
IDLE_SECONDS = 2.0
QUANTILES = {"min": 0.0, "p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


def wire(path: str) -> Link:
    """The veth pair of one path: the asking side is the left one."""
    number = PATHS.index(path)
    return Link(f"{path}0", f"10.77.{number}.1", f"10.77.{number}.2")


def hardware_address(namespace: str, interface: str) -> bytes:
    """Six bytes of an interface's hardware address."""
    with inside(namespace):
        return link.hardware_bytes(link.facts(interface).hardware_address)


@contextmanager
def side(path: str, own: str, peer: str, is_asking: bool) -> Iterator[tuple[Side, Port]]:
    """One side of one path; ``own`` and ``peer`` are the namespaces."""
    pair = wire(path)
    addresses = [(pair.left_address, UDP_PORT), (pair.right_address, UDP_PORT)]
    local, remote = addresses if is_asking else addresses[::-1]
    port: Port
    if path == "af_xdp":
        port = AfXdpPort(pair.name, destinations=[local], receive_frames=RECEIVE_FRAMES)
    else:
        is_bare = path == "udp_bare"
        port = UdpPort(bind=local, destination=remote, connect=is_bare, timestamps=not is_bare)
    with port:
        yield (
            Side(
                port,
                local,
                remote,
                source_hardware=hardware_address(own, pair.name),
                destination_hardware=hardware_address(peer, pair.name),
            ),
            port,
        )


def pin(core: int) -> None:
    """Keep this process on one core."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})


def answering_side(channel: Connection, asking: str, answering: str, core: int) -> None:
    """The other process: answers on the path that it is told, until it is told none."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pin(core)
    clock = Clock()
    with ExitStack() as stack:
        stack.enter_context(inside(answering))
        sides = {}
        for path in PATHS:
            sides[path] = stack.enter_context(side(path, answering, asking, False))[0]
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
    """Round trips of both paths, ``rounds`` each; needs root.

    ``paths`` holds percentiles in nanoseconds, count, lost and mode of each; ``ratio_p50`` says
    how many times faster AF_XDP is than ``udp``, ``ratio_p50_bare`` than ``udp_bare``. Raises
    ``PortError`` where a port can't be had.
    """
    asking, answering = (f"tw-bench-{os.getpid()}-{end}" for end in "ab")
    affinity = os.sched_getaffinity(0)
    with ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, affinity)
        stack.enter_context(joined(asking, answering, [wire(path) for path in PATHS]))
        channel, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(
            target=answering_side, args=(theirs, asking, answering, 1), daemon=True
        )
        process.start()
        stack.callback(process.join, 5)
        stack.callback(process.terminate)
        theirs.close()
        stack.enter_context(inside(asking))
        pin(0)
        return run(stack, channel, rounds, asking, answering)


def run(
    stack: ExitStack, channel: Connection, rounds: int, asking: str, answering: str
) -> dict[str, Any]:
    """The blocks of all paths in turn."""
    clock = Clock()
    sides = {path: stack.enter_context(side(path, asking, answering, True)) for path in PATHS}
    modes = {path: port.mode() for path, (_, port) in sides.items()}
    taken: dict[str, list[np.ndarray]] = {path: [] for path in PATHS}
    lost = dict.fromkeys(PATHS, 0)
    wait(channel)
    for _ in range(-(-rounds // BLOCK_ROUNDS)):
        for path in PATHS:
            channel.send(path)
            wait(channel)
            ticks = np.zeros(WARM_UP_ROUNDS + BLOCK_ROUNDS, dtype=np.uint64)
            asker = sides[path][0]
            asker.ask(ticks[:WARM_UP_ROUNDS], LOST_SECONDS, clock.ns_per_tick)
            lost[path] += asker.ask(ticks[WARM_UP_ROUNDS:], LOST_SECONDS, clock.ns_per_tick)
            asker.end()
            block = ticks[WARM_UP_ROUNDS:]
            taken[path].append(block[block > 0])
    channel.send("")
    paths = {
        path: {
            **summary(np.concatenate(taken[path]), lost[path], clock.ns_per_tick),
            "mode": modes[path],
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
    }


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
