# SPDX-License-Identifier: Apache-2.0
"""An order's way from the call to the peer's end of the wire: delegated sends beside ``send()``.

Two processes in two network namespaces, each pinned to a core of its own where there are two. All
paths use one and the same socket, in short blocks by turns. The peer spins on a packet socket,
which sees the frame before the kernel's TCP does, and stamps it by the time stamp counter, which
both cores share.

``send`` is the kernel's, ``none`` a delegated send that does everything on the way of the order,
accounting calls included; ``cached`` reads the connection's state ahead; ``armed`` is in repair
mode already, so that one accounting call is left. ``frame`` is the raw frame alone, accounted to
nobody: what would remain if accounting cost nothing, and no way to send. Before each send the
connection is idle.
"""

from __future__ import annotations

import ctypes
import mmap
import multiprocessing
import os
import platform
import signal
import socket
import time
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from nic.af_xdp import AfXdpPort
from nic.clock import Clock
from nic.port import Port, PortError
from nic.tcp.delegated_stream import DelegatedStream
from tools.bench_ports import pin, summary, wait
from tools.namespaces import PR_SET_PDEATHSIG, Link, inside, joined
from tools.report import console, table
from tools.send_timer import send_each, watch

PATHS = ("send", "none", "cached", "armed", "frame")
WIRE = Link("orders0", "10.78.0.1", "10.78.0.2")
BLOCK_ROUNDS = 100
WARM_UP_ROUNDS = 20
PAYLOAD_BYTES = 50
"""An OUCH 5.0 order in its SoupBinTCP packet."""

LOST_SECONDS = 0.2
IDLE_SECONDS = 5.0
ETH_P_IP = 0x0800
READY_SECONDS = 3.0


def watching_side(channel: Connection, namespace: str, memory: mmap.mmap) -> None:
    """The other process: the venue's kernel socket, and the eye on the wire."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pin(1)
    clock = Clock()
    seen = np.frombuffer(memory, dtype=np.uint64)
    with inside(namespace):
        listener = socket.create_server((WIRE.right_address, 0))
        eye = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        eye.bind((WIRE.name, ETH_P_IP))
    port = listener.getsockname()[1]
    channel.send(port)
    peer, _ = listener.accept()
    channel.send("ready")
    watch(eye.fileno(), peer.fileno(), port, seen, IDLE_SECONDS, clock.ns_per_tick)


def measure(rounds: int = 4_000) -> dict[str, Any]:
    """Sends by all paths, ``rounds`` each; needs root.

    ``paths`` holds for each the time to the peer's end (percentiles in nanoseconds, count, lost)
    and the time of the call (``call_p50_ns``); ``ratio_p50`` how many times as long ``send``
    takes at p50. Raises ``PortError`` where a port can't be had.
    """
    trader, venue = (f"tw-sends-{os.getpid()}-{end}" for end in ("trader", "venue"))
    affinity = os.sched_getaffinity(0)
    blocks = -(-rounds // BLOCK_ROUNDS)
    count = blocks * (BLOCK_ROUNDS + WARM_UP_ROUNDS) * len(PATHS)
    with ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, affinity)
        stack.enter_context(joined(trader, venue, [WIRE]))
        memory = mmap.mmap(-1, 8 * count)
        channel, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(
            target=watching_side, args=(theirs, venue, memory), daemon=True
        )
        process.start()
        stack.callback(process.join, 5)
        stack.callback(process.terminate)
        theirs.close()
        if not channel.poll(READY_SECONDS):
            raise PortError("the watching process does not start")
        number = channel.recv()
        with inside(trader):
            raw = stack.enter_context(AfXdpPort(WIRE.name, receive_frames=64, transmit_frames=64))
            stream = stack.enter_context(DelegatedStream(WIRE.right_address, number, raw=raw))
        wait(channel)
        pin(0)
        limit = time.monotonic() + READY_SECONDS
        while not stream.prepare():
            if time.monotonic() > limit:
                raise PortError(f"the connection is not ready: {stream.verdict()}")
        return run(stream, raw, np.frombuffer(memory, dtype=np.uint64), blocks)


def run(stream: DelegatedStream, raw: Port, seen: np.ndarray, blocks: int) -> dict[str, Any]:
    """The blocks of all paths in turn."""
    clock = Clock()
    taken: dict[str, list[np.ndarray]] = {path: [] for path in PATHS}
    calls: dict[str, list[np.ndarray]] = {path: [] for path in PATHS}
    lost = dict.fromkeys(PATHS, 0)
    number = 0
    for block in range(blocks):
        # Each path comes first as often as any other.
        for path in PATHS[block % len(PATHS) :] + PATHS[: block % len(PATHS)]:
            for size in (WARM_UP_ROUNDS, BLOCK_ROUNDS):
                ticks, call = np.zeros(size, np.uint64), np.zeros(size, np.uint64)
                missed = send_each(
                    stream,
                    path,
                    seen,
                    number,
                    ticks,
                    call,
                    PAYLOAD_BYTES,
                    LOST_SECONDS,
                    clock.ns_per_tick,
                )
                number += size
            lost[path] += missed
            taken[path].append(ticks[ticks > 0])
            calls[path].append(call[call > 0])
    paths = {}
    for path in PATHS:
        of_calls = summary(np.concatenate(calls[path]), 0, clock.ns_per_tick)
        paths[path] = {
            **summary(np.concatenate(taken[path]), lost[path], clock.ns_per_tick),
            "call_p50_ns": of_calls["p50_ns"],
        }
    counters = stream.counters()
    return {
        "what": f"call of a send to the frame at the peer's end of a veth, {PAYLOAD_BYTES} bytes",
        "environment": {
            "kernel": platform.release(),
            "cores": os.cpu_count(),
            "pinned": len(os.sched_getaffinity(0)) == 1,
        },
        "mode": raw.mode(),
        "paths": paths,
        "ratio_p50": {
            path: round(paths["send"]["p50_ns"] / max(paths[path]["p50_ns"], 1), 2)
            for path in PATHS[1:]
        },
        "retransmitted_segments": counters["retransmitted_segments"],
    }


def print_report(report: dict[str, Any]) -> None:
    """The report for people."""
    out = console()
    names = list(next(iter(report["paths"].values())))
    rows = [(path, *(found[name] for name in names)) for path, found in report["paths"].items()]
    out.print(table(report["what"], ["path", *names], rows))
    for path, ratio in report["ratio_p50"].items():
        out.print(f"at p50 send() takes {ratio} times as long as {path}")
    out.print(f"retransmitted by the kernel: {report['retransmitted_segments']:,} segments")
