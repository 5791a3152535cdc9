# SPDX-License-Identifier: Apache-2.0
"""Two hosts with a bad wire between them, and the loops that the delegated tests share."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nic.af_xdp import AfXdpPort
from nic.tcp.delegated_stream import DelegatedStream
from tools.namespaces import Link, inside, joined, start

ROOT = Path(__file__).resolve().parents[2]
TRADER, VENUE = "10.91.0.1", "10.91.0.2"
DEVICE = "wire0"


class World:
    """The namespaces of trader and venue, the bridge between them and the venue's listener."""

    def __init__(self, trader: str, venue: str, bridge: subprocess.Popen[bytes]) -> None:
        self.trader, self.venue, self.bridge = trader, venue, bridge
        with inside(venue):
            self.listener = socket.create_server((VENUE, 0))
        self.listener.settimeout(15)

    def tell(self, **command: Any) -> dict[str, Any]:
        """Give the bridge a command; what it counted so far, by side."""
        assert self.bridge.stdin and self.bridge.stdout
        self.bridge.stdin.write(json.dumps(command).encode() + b"\n")
        self.bridge.stdin.flush()
        answer: dict[str, Any] = json.loads(self.bridge.stdout.readline())
        return answer

    def heal(self) -> None:
        """A perfect wire."""
        good = {"drop": 0.0, "repeat": 0.0, "delay": 0.0, "drop_next": 0, "is_cut": False}
        self.tell(left=good, right=good, forget=True, vlan=0)

    def raw_port(self, **options: Any) -> AfXdpPort:
        """A port to send by, on the trader's side."""
        with inside(self.trader):
            return AfXdpPort(DEVICE, transmit_frames=64, receive_frames=64, **options)

    @contextlib.contextmanager
    def connection(
        self, raw: Any, **options: Any
    ) -> Iterator[tuple[DelegatedStream, socket.socket]]:
        """A delegated stream that is ready, and the venue's end of it."""
        with inside(self.trader):
            stream = DelegatedStream(VENUE, self.listener.getsockname()[1], raw=raw, **options)
        with stream:
            peer, _ = self.listener.accept()
            with peer:
                peer.setblocking(False)
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                wait(stream.prepare)
                yield stream, peer


@contextlib.contextmanager
def world() -> Iterator[World]:
    """Trader and venue in one network, each on its side of the bridge."""
    names = [f"tw-tcp-{os.getpid()}-{end}" for end in ("trader", "left", "right", "venue")]
    trader, left, right, venue = names
    with (
        joined(trader, left, [Link(DEVICE, TRADER, "10.91.0.253")]),
        joined(venue, right, [Link(DEVICE, VENUE, "10.91.0.254")]),
    ):
        bridge = start(
            None,
            [sys.executable, str(Path(__file__).parent / "tcp_bridge.py"), left, right, DEVICE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            assert bridge.stdout and bridge.stdout.readline() == b"ready\n"
            found = World(trader, venue, bridge)
            yield found
            found.listener.close()
        finally:
            bridge.kill()
            bridge.wait()


def wait(condition: Any, seconds: float = 15.0) -> None:
    """Until the condition holds."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.0005)


def receive(peer: socket.socket) -> bytes:
    """What the venue's kernel has; nothing is no error."""
    with contextlib.suppress(BlockingIOError):
        return peer.recv(1 << 20)
    return b""


def exchange(
    stream: DelegatedStream,
    peer: socket.socket,
    data: bytes,
    answer: bytes = b"",
    *,
    source: random.Random,
    largest: int = 300,
    seconds: float = 30.0,
    reads: float = 1.0,
    ahead_bytes: int = 1 << 30,
    sent: int = 0,
) -> tuple[bytes, bytes]:
    """Send ``data`` in pieces one way and ``answer`` the other; what arrived at each end.

    ``sent`` bytes of ``data`` were sent before, and none of them read.

    ``reads`` is how likely the venue reads after each piece, ``ahead_bytes`` how much may be under
    way.
    """
    told = 0
    arrived, heard = bytearray(), bytearray()
    limit = time.monotonic() + seconds
    while len(arrived) < len(data) or len(heard) < len(answer):
        assert time.monotonic() < limit, (
            f"{len(arrived)} of {len(data)} and {len(heard)} of {len(answer)} bytes arrived: "
            f"{stream.counters()}"
        )
        if sent < len(data) and sent - len(arrived) <= ahead_bytes:
            sent += stream.write(data[sent : sent + source.randint(1, largest)])
        if told < len(answer):
            with contextlib.suppress(BlockingIOError):
                told += peer.send(answer[told : told + source.randint(1, largest)])
        if sent == len(data) or source.random() < reads:
            arrived += receive(peer)
        heard += stream.read() or b""
    return bytes(arrived), bytes(heard)


def congestion_window(stream: DelegatedStream) -> int:
    """Segments, as the kernel says."""
    with socket.socket(fileno=os.dup(stream.fileno())) as handle:
        information = handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    found: int = struct.unpack_from("@8x24I", information)[18]
    return found


def nonzero(stream: DelegatedStream) -> dict[str, int]:
    """Counters that counted something."""
    return {name: count for name, count in stream.counters().items() if count}
