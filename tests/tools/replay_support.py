# SPDX-License-Identifier: Apache-2.0
"""Recordings to replay: a generated day as a capture of two lines, and as a BinaryFILE."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from nic.frame import build_udp
from nic.pcap import PcapWriter
from sim.exchange.config import parse_config
from sim.exchange.exchange import Exchange
from tools.main import main

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
LINES = (("239.1.1.1", 26400), ("239.1.1.2", 26401))

Packets = list[tuple[int, bytes]]


def day(
    seconds: float = 0.3, *, seed: int = 1, session: str = "DAY1", start: int = START
) -> Packets:
    """Time and MoldUDP64 packet of an exchange's day."""
    exchange = Exchange(
        parse_config(
            {
                "symbols": ["AAPL", "MSFT", "INTC"],
                "seed": seed,
                "feed": {
                    "a": {"group": "239.1.1.1", "port": 26400},
                    "session": session,
                    "history_bytes": 1 << 22,
                    "history_messages": 1 << 17,
                },
                "flow": {"messages_per_second": 4_000, "orders_per_symbol": 32},
                "resting_orders": 1 << 14,
            }
        )
    )
    exchange.start(start)
    packets: Packets = []
    for millisecond in range(1, int(seconds * 1000) + 1):
        now = start + millisecond * MILLISECOND
        exchange.on_timer(now)
        packets += [(now, packet) for packet in exchange.take_packets()]
    return packets


def frames(
    packets: Packets, lines: Sequence[int] = (0, 1), lost: Iterable[tuple[int, int]] = ()
) -> Packets:
    """Frames on the lines, all but ``lost``: (line, place of the packet)."""
    gone = set(lost)
    return [
        (now + line * 1000, build_udp(packet, "10.0.0.1", 40000, *LINES[line]))
        for place, (now, packet) in enumerate(packets)
        for line in lines
        if (line, place) not in gone
    ]


def write_pcap(path: Path, recorded: Packets) -> Path:
    """A pcap file of those frames."""
    with PcapWriter(path) as writer:
        for now, frame in recorded:
            writer.write_frame(frame, now)
    return path


class Tickwire:
    """Runs the command in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch = monkeypatch
        self.capsys = capsys

    def run(self, *arguments: object) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        self.monkeypatch.setattr(sys, "argv", ["tickwire", *map(str, arguments)])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = self.capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, out, err

    def replay(self, *arguments: object) -> str:
        """What a replay that succeeds prints; with room for fewer orders it begins sooner."""
        code, out, err = self.run("replay", *arguments, "--orders", 100_000)
        assert (code, err) == (0, "")
        return out

    def report(self, *arguments: object) -> dict[str, Any]:
        """The report of a replay that succeeds."""
        found: dict[str, Any] = json.loads(self.replay(*arguments, "--json"))
        return found
