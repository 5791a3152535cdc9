# SPDX-License-Identifier: Apache-2.0
"""Frames through the compiled parser and arbiter, on their way to a host's feed handler."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from host.feed.collector import Collector
from host.feed.handler import FeedHandler
from host.risk.gate import RiskGate
from host.risk.offload import GateOffload
from host.risk.seal import Seal
from nic.frame import build_udp
from nic.framing.feed_format import IEX, NASDAQ, FeedFormat
from nic.framing.parser import LineParser
from nic.framing.reference import LineSettings
from nic.pcap import PcapPort, PcapWriter
from nic.wire.moldudp64 import MOLDUDP64
from nic.wire.reference import encode
from sim.feed_traffic import FeedTraffic
from sim.offload.gateware_path import GatewareFeed

pytestmark = pytest.mark.timeout(1800)  # the first time the model is compiled

SEED = int(os.environ.get("TICKWIRE_SEED", "5"))
ADDRESSES = (("239.1.1.1", 26400), ("239.1.1.2", 26401))
LINES = [(0xEF010101, 26400), (0xEF010102, 26401)]
SESSION = b"TICKWIRE01"
FRAMES = 700
MESSAGES = 400


@contextmanager
def feed_of(
    feed: FeedFormat, lines: list[tuple[int, int]], arbitrates: bool
) -> Iterator[GatewareFeed]:
    transport = "iextp" if feed is IEX else "moldudp64"
    path = GatewareFeed(transport, lines, is_arbitrating=arbitrates, has_orders=False)
    try:
        yield path
    finally:
        path.close()


def capture(path: Path, frames: Iterable[bytes]) -> Path:
    with PcapWriter(path) as writer:
        for number, frame in enumerate(frames):
            writer.write_frame(frame, 10**18 + number)
    return path


@pytest.mark.parametrize("feed", [NASDAQ, IEX], ids=["nasdaq", "iex"])
def test_whole_frames_come_out_as_they_went_in(tmp_path: Path, feed: FeedFormat) -> None:
    """Whatever is wrong with them; and card and host counted the same of them."""
    print(f"seed {SEED}")
    settings = LineSettings(feed, *LINES[0])
    traffic = FeedTraffic(settings, seed=SEED)
    frames = [f for f, _ in traffic.frames(FRAMES, damage_share=0.3) if len(f) <= 9216]
    parser = LineParser(settings)
    expected = sum(len(parser.frame(frame).messages) for frame in frames)
    with feed_of(feed, LINES[:1], False) as path:
        with PcapPort(capture(tmp_path / "frames.pcap", frames)) as inner:
            port = path.through(None, inner)
            found = []
            while burst := port.receive(64):
                found += [data for data, _ in burst]
        path.finish()
        report = path.report()
    assert found == frames
    assert report["ok"], report
    assert report["events_compared"] == expected > FRAMES
    assert report["frames"] == len(frames)


def message(random_: random.Random, number: int) -> bytes:
    fields = {
        "stock_locate": random_.randrange(1 << 16),
        "buy_sell_indicator": b"B",
        "shares": number,
        "stock": b"TICKWIRE",
        "price": 10_000,
    }
    return encode(NASDAQ.messages, "trade", fields)


def packets_of(messages: list[bytes], random_: random.Random) -> Iterator[tuple[int, bytes]]:
    """Datagrams with some messages each, now and then none; and the first number of each."""
    at = 0
    while at < len(messages):
        part = messages[at : at + random_.choice((0, 1, 1, 2, 5))]
        blocks = b"".join(len(m).to_bytes(2, "big") + m for m in part)
        header = {
            "session": SESSION,
            "sequence_number": at + 1,
            "message_count": len(part),
            "payload": blocks,
        }
        yield at + 1, encode(MOLDUDP64, "header", header)
        at += len(part)


def test_two_lossy_lines_are_one_sequence(tmp_path: Path) -> None:
    """The card arbitrates; what neither line brings is a gap for the feed handler too."""
    print(f"seed {SEED}")
    random_ = random.Random(SEED)
    messages = [message(random_, number) for number in range(MESSAGES)]
    recorded: list[list[bytes]] = [[], []]
    for line in range(2):
        recorded[line] = [
            build_udp(packet, "10.0.0.1", 4000, *ADDRESSES[line])
            for number, packet in packets_of(messages, random_)
            if random_.random() > 0.1 or number == 1
        ]
    collector = Collector()
    handler = FeedHandler(collector, transport="moldudp64", start=1)
    with feed_of(NASDAQ, LINES, True) as path:
        ports = []
        for line in range(2):
            inner = PcapPort(capture(tmp_path / f"{line}.pcap", recorded[line]))
            ports.append(path.through(line, inner, ADDRESSES[line]))
        is_over = False
        while not is_over:
            is_over = True
            for line in random_.sample((0, 1), 2):
                for data, time_ns in ports[line].receive(random_.choice((1, 1, 3))):
                    handler.datagram(line, data, time_ns)
                    is_over = False
        path.finish()
        report = path.report()
        for port in ports:
            port.close()
    handler.finish(2 * 10**18)
    assert report["ok"], report
    counters = handler.counters()
    assert counters["duplicates_a"] == counters["duplicates_b"] == 0  # the card took them out
    assert report["feed"]["idle_datagrams"] > 10
    assert report["events_compared"] == counters["messages"]
    assert counters["messages"] + counters["messages_lost"] >= MESSAGES - 10
    assert len(collector.messages) == counters["messages"]
    assert all(data == messages[number - 1] for number, data in collector.messages)


class Silent(GateOffload):
    """A second gate that is never asked."""


def test_an_event_that_does_not_come_stops_trading(tmp_path: Path) -> None:
    """The card listens to another port than the host: its messages are missing."""
    random_ = random.Random(SEED)
    messages = [message(random_, number) for number in range(9)]
    frames = [
        build_udp(packet, "10.0.0.1", 4000, *ADDRESSES[0])
        for _, packet in packets_of(messages, random_)
    ]
    gate = RiskGate(4, 16, Seal(99), offload=Silent())
    with feed_of(NASDAQ, LINES[:1], False) as path:
        path.audit.attach(gate)
        path.card.write("line_a.destination_port", 1)
        with PcapPort(capture(tmp_path / "one.pcap", frames)) as inner:
            port = path.through(0, inner)
            found = []
            while burst := port.receive(64):
                found += [data for data, _ in burst]
        path.finish()
        report = path.report()
    assert found == frames  # the host still sees what came, to close what is open
    assert not report["ok"] and report["event_differences"] == 1
    first = report["first_event_difference"]
    assert first is not None and first["what"] == "missing" and first["line"] == "A"
    assert gate.kills()["global"] is True
    assert gate.card_failure() == {"failure": "event_differs"}


def test_counters_that_differ_are_found(tmp_path: Path) -> None:
    """A frame that only the card saw."""
    frames = [build_udp(b"nothing", "10.0.0.1", 4000, *ADDRESSES[0])]
    with feed_of(NASDAQ, LINES[:1], False) as path:
        path.device.receive(0, frames[0])
        path.finish()
        report = path.report()
    assert report["counter_differences"] == {"line_a.too_short": {"card": 1, "host": 0}}
    assert not report["ok"]
