# SPDX-License-Identifier: Apache-2.0
"""A wire between two namespaces that loses, repeats and reorders TCP segments, in user space.

Runs as a process of its own: ``python tcp_bridge.py LEFT RIGHT INTERFACE``. LEFT and
RIGHT are namespaces; INTERFACE is the name of the device in both. Commands come as JSON lines on
standard input, each is answered with one line. Frames to VLAN ``vlan`` from the left lose their
tag: the kernel behind the right side has no VLAN device.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import selectors
import socket
import struct
import sys
import time
from dataclasses import dataclass, field

from nic.frame import parse_tcp
from tools.namespaces import inside

ETH_P_ALL = 3
SOL_PACKET, PACKET_IGNORE_OUTGOING, SO_RCVBUFFORCE = 263, 23, 33
PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 8, 0x10
AUXILIARY = struct.Struct("@IIIHHHH")
"""tpacket_auxdata: status, lengths, offsets, and the tag that the kernel took off the frame."""


@dataclass
class Fate:
    """What happens to the TCP segments of one direction."""

    drop: float = 0.0
    repeat: float = 0.0
    delay: float = 0.0
    """Share of the segments that later ones overtake."""

    drop_next: int = 0
    """So many segments with payload are lost for certain."""

    is_cut: bool = False
    seen: int = 0
    dropped: int = 0
    repeated: int = 0
    delayed: int = 0
    payload_segments: int = 0
    tagged: int = 0
    numbers: dict[int, int] = field(default_factory=dict)
    """Sequence number of each segment with payload, and how often it came."""


class Bridge:
    """Two packet sockets and what lies between them."""

    def __init__(self, left: str, right: str, interface: str) -> None:
        self.sockets = [packet_socket(space, interface) for space in (left, right)]
        self.fates = [Fate(), Fate()]
        self.random = random.Random(0)
        self.waiting: list[tuple[float, int, int, bytes]] = []
        self.count = 0
        self.vlan = 0

    def take(self, side: int) -> None:
        """Everything that one side sent."""
        while True:
            try:
                frame, extra, _, _ = self.sockets[side].recvmsg(65536, 64)
            except BlockingIOError:
                return
            vlan = 0
            for level, kind, value in extra:
                if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                    status, *_, tag, _ = AUXILIARY.unpack(value)
                    vlan = tag & 0xFFF if status & TP_STATUS_VLAN_VALID else 0
            self.decide(side, frame, vlan)

    def decide(self, side: int, frame: bytes, vlan: int) -> None:
        """One frame: lost, late, twice, or as it came."""
        fate = self.fates[side]
        if vlan:
            fate.tagged += 1
            if vlan != self.vlan:
                return
        _, segment = parse_tcp(frame)
        if segment is None:
            if not fate.is_cut:
                self.send(1 - side, frame)
            return
        fate.seen += 1
        if segment["payload"]:
            fate.payload_segments += 1
            number = segment["sequence_number"]
            fate.numbers[number] = fate.numbers.get(number, 0) + 1
        if fate.drop_next and segment["payload"]:
            fate.drop_next -= 1
            fate.dropped += 1
            return
        if fate.is_cut or self.random.random() < fate.drop:
            fate.dropped += 1
            return
        if self.random.random() < fate.repeat:
            fate.repeated += 1
            self.send(1 - side, frame)
        if self.random.random() < fate.delay:
            fate.delayed += 1
            self.count += 1
            due = time.monotonic() + self.random.uniform(0.0002, 0.003)
            heapq.heappush(self.waiting, (due, self.count, 1 - side, frame))
            return
        self.send(1 - side, frame)

    def send(self, side: int, frame: bytes) -> None:
        """On to the other side."""
        try:
            self.sockets[side].send(frame)
        except OSError as error:
            print(f"bridge: {len(frame)} bytes: {error}", file=sys.stderr)

    def release(self) -> float | None:
        """Send what is due; seconds until the next."""
        while self.waiting:
            wait = self.waiting[0][0] - time.monotonic()
            if wait > 0:
                return wait
            _, _, side, frame = heapq.heappop(self.waiting)
            self.send(side, frame)
        return None

    def command(self, line: str) -> str:
        """One command; its answer."""
        asked = json.loads(line)
        if "seed" in asked:
            self.random = random.Random(asked["seed"])
        self.vlan = asked.get("vlan", self.vlan)
        for side, name in enumerate(("left", "right")):
            for key, value in asked.get(name, {}).items():
                setattr(self.fates[side], key, value)
        if asked.get("forget"):
            for fate in self.fates:
                fate.numbers.clear()
                fate.payload_segments = 0
        answer = {
            name: {**vars(fate), "numbers": sorted(fate.numbers.items())}
            for name, fate in zip(("left", "right"), self.fates, strict=True)
        }
        return json.dumps(answer)

    def run(self) -> None:
        """Until standard input ends."""
        selector = selectors.DefaultSelector()
        for side, handle in enumerate(self.sockets):
            selector.register(handle, selectors.EVENT_READ, side)
        selector.register(0, selectors.EVENT_READ, None)
        text = b""
        while True:
            wait = self.release()
            for key, _ in selector.select(wait):
                if key.data is not None:
                    self.take(key.data)
                    continue
                got = os.read(0, 65536)
                if not got:
                    return
                text += got
                while b"\n" in text:
                    line, text = text.split(b"\n", 1)
                    print(self.command(line.decode()), flush=True)


def packet_socket(namespace: str, interface: str) -> socket.socket:
    """Every frame of an interface, without those that we send."""
    with inside(namespace):
        handle = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        handle.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        handle.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        handle.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        handle.bind((interface, 0))
    handle.setblocking(False)
    return handle


if __name__ == "__main__":
    bridge = Bridge(*sys.argv[1:4])
    print("ready", flush=True)
    bridge.run()
