# SPDX-License-Identifier: Apache-2.0
"""``tickwire replay --port fpga-sim``: the same report, and every event compared."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from replay_support import Tickwire, day, frames, write_pcap

DATA = Path(os.environ.get("TICKWIRE_DATA", ""))
needs_data = pytest.mark.skipif(
    "TICKWIRE_DATA" not in os.environ, reason="TICKWIRE_DATA is not set"
)
pytestmark = pytest.mark.timeout(1800)  # the first time the model is compiled


@pytest.fixture
def tickwire(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tickwire:
    return Tickwire(monkeypatch, capsys)


def both(tickwire: Tickwire, path: Path, *options: object) -> dict[str, Any]:
    """The offload section; the rest of the report is that of the software."""
    plain = tickwire.report(path, *options)
    code, out, err = tickwire.run(
        "replay", path, "--orders", 100_000, "--port", "fpga-sim", "--json", *options
    )
    assert code == 0, out[-2000:] + err[-2000:]
    found: dict[str, Any] = json.loads(out)
    offload: dict[str, Any] = found.pop("offload")
    assert found == plain
    assert offload["ok"] and not offload["event_differences"]
    assert offload["frames"] == plain["packets"] - offload["feed"]["frames_not_taken"]
    return offload


def test_generated_day_on_two_lines(tickwire: Tickwire, tmp_path: Path) -> None:
    """With losses on either line; duplicates are the feed handler's to find."""
    recorded = frames(day(), lost=[(0, 5), (0, 6), (1, 40), (0, 90), (1, 90)])
    path = write_pcap(tmp_path / "day.pcap", recorded)
    offload = both(tickwire, path, "--strategy", "market_maker")
    assert offload["events_compared"] > 2_000
    assert offload["cycles"] > 10_000


def test_two_runs_are_the_same_to_the_byte(tickwire: Tickwire, tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "day.pcap", frames(day(0.1), lines=(0,)))
    runs = [tickwire.run("replay", path, "--port", "fpga-sim", "--json")[1] for _ in range(2)]
    assert runs[0] == runs[1]


def test_people_read_what_was_compared(tickwire: Tickwire, tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "day.pcap", frames(day(0.1), lines=(0,)))
    code, out, err = tickwire.run("replay", path, "--port", "fpga-sim")
    assert code == 0
    assert "events compared" in out and "0 differ" in out
    assert "cycles a second" in err


def test_messages_without_frames_are_refused(tickwire: Tickwire, tmp_path: Path) -> None:
    path = tmp_path / "day.itch"
    path.write_bytes(b"\x00\x0cS\x00\x00\x00\x01" + bytes(6) + b"O")
    code, _, err = tickwire.run("replay", path, "--port", "fpga-sim")
    assert code == 2
    assert "holds no frames" in err and len(err.splitlines()) == 1


@needs_data
def test_nasdaq_captures(tickwire: Tickwire) -> None:
    for path in sorted((DATA / "nasdaq-itch50").glob("*.pcap")):
        assert both(tickwire, path, "--strategy", "none")["events_compared"] > 0


@needs_data
def test_iex_capture(tickwire: Tickwire) -> None:
    path = DATA / "iex" / "DEEP10.pcap.gz"
    assert both(tickwire, path, "--strategy", "none")["events_compared"] > 10_000
