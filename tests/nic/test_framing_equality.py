# SPDX-License-Identifier: Apache-2.0
"""The compiled parser and its reference on random, packed, damaged and captured traffic."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from framing_support import LINES, NASDAQ_LINE, SEED

from nic.capture import capture_kind
from nic.frame import address_number, parse_udp
from nic.framing.enumerations import DATAGRAM, FRAMING
from nic.framing.feed_format import FEEDS
from nic.framing.parser import LineParser
from nic.framing.reference import LineSettings, ReferenceParser
from nic.pcap import PcapPort
from sim.feed_traffic import FeedTraffic, Frames

IEX_ONLY = {"wrong_version", "wrong_protocol", "payload_length_mismatch"}


def reachable(settings: LineSettings) -> set[str]:
    """The results that frames of a line can have."""
    found = set(FRAMING.names)
    if not settings.feed.fixed:
        found -= IEX_ONLY
    if not settings.session:
        found -= {"foreign_session"}
    return found


def check_equal(settings: LineSettings, frames: Frames) -> ReferenceParser:
    """Hold both parsers against each other, frame by frame and all counters; the reference."""
    reference, compiled = ReferenceParser(settings), LineParser(settings)
    results, headers, messages = [], [], []
    for number, (frame, error) in enumerate(frames):
        parsed = reference.frame(frame, error)
        results.append(FRAMING.value(parsed.result))
        if parsed.datagram:
            kind = DATAGRAM.value(parsed.datagram.kind)
            headers.append((number, parsed.datagram.sequence_number, parsed.datagram.count, kind))
        messages += [(number, m.sequence_number, m.last_byte, m.message) for m in parsed.messages]
    found = compiled.frames(frames.data, frames.lengths, frames.errors)
    assert found["result"].tolist() == results
    columns = ("frame", "sequence_number", "count", "kind")
    names = ["datagram_" + name for name in columns]
    assert list(zip(*(found[name].tolist() for name in names), strict=True)) == headers
    rows = [
        row[:length].tobytes()
        for row, length in zip(found["message"], found["length"], strict=True)
    ]
    assert (
        list(
            zip(
                found["frame"].tolist(),
                found["sequence_number"].tolist(),
                found["last_byte"].tolist(),
                rows,
                strict=True,
            )
        )
        == messages
    )
    behind = np.arange(settings.feed.longest_bytes)[None, :] >= found["length"][:, None]
    assert not found["message"][behind].any()
    assert compiled.counters == reference.counters
    return reference


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("style", ["mixed", "packed", "minimum", "damaged"])
def test_random_traffic(line: str, style: str) -> None:
    settings = LINES[line]
    traffic = FeedTraffic(settings, SEED)
    count = {"packed": 60, "damaged": 6000}.get(style, 1500)
    frames = traffic.frames(count, style)  # type: ignore[arg-type]
    counters = check_equal(settings, frames).counters
    print(f"TICKWIRE_SEED={SEED}: {counters}")
    if style == "damaged":
        assert {name for name in FRAMING.names if counters[name]} == reachable(settings)
        assert all(counters[name] for name in ("fcs_errors", "unknown_type", "heartbeats"))
    else:
        assert counters["ok"] == count
        assert counters["messages"] == traffic.sequence_number - 1


def test_the_traffic_is_the_same_by_its_seed() -> None:
    first, again, other = (
        FeedTraffic(NASDAQ_LINE, seed).frames(200, "mixed", 0.5) for seed in (1, 1, 2)
    )
    assert first.data == again.data
    assert first.data != other.data


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    parser = LineParser(NASDAQ_LINE)
    with pytest.raises(ValueError, match="add up"):
        parser.frames(b"abc", np.array([2], np.uint32))
    with pytest.raises(ValueError, match="as many errors"):
        parser.frames(b"abc", np.array([3], np.uint32), np.zeros(2, np.uint8))
    assert parser.frames(b"", np.zeros(0, np.uint32))["message"].shape == (0, 50)
    assert parser.frames(b"", np.zeros(2, np.uint32))["result"].tolist() == [1, 1]


def test_nothing_is_read_beyond_a_frame() -> None:
    """In a process of its own, with frames that end where the memory ends; and a control."""
    script = str(Path(__file__).with_name("framing_page_end.py"))
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    control = subprocess.run([sys.executable, script, "--control"], env=environment)
    assert control.returncode < 0, "a read beyond the end was not noticed"


def captures() -> list[Path]:
    folder = os.environ.get("TICKWIRE_DATA")
    found = sorted(Path(folder).rglob("*.pcap*")) if folder else []
    return [path for path in found if capture_kind(path) in ("pcap", "pcapng")]


def lines_of(frames: list[bytes]) -> set[tuple[str, int]]:
    """The places that datagrams of a capture go to."""
    parsed = (parse_udp(frame)[1] for frame in frames)
    return {(p["destination_address"], p["destination_port"]) for p in parsed if p is not None}


def test_captures() -> None:
    """Every line of every capture, as either feed: the first 20,000 frames."""
    paths = captures()
    if not paths:
        pytest.skip("TICKWIRE_DATA names no folder with captures")
    decoded: Counter[str] = Counter()
    for path in paths:
        frames = [frame for frame, _ in PcapPort(path)][:20_000]
        packed = Frames(
            b"".join(frames),
            np.array([len(frame) for frame in frames], np.uint32),
            np.zeros(len(frames), np.uint8),
        )
        for group, port in lines_of(frames):
            for feed in FEEDS.values():
                settings = LineSettings(feed, address_number(group), port)
                decoded[feed.name] += check_equal(settings, packed).counters["messages"]
    assert decoded["itch50"] > 10
    assert decoded["deep10"] > 1000
