# SPDX-License-Identifier: Apache-2.0
"""What the tests of a line's parser share: frames as beats, and what came out as rows."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parents[1] / "nic"))

from framing_support import IEX_LINE, LINES, NASDAQ_LINE

from hw.line_parser import LineParser
from hw.stream import LANES
from nic.framing.enumerations import FRAMING, PARSER
from nic.framing.feed_format import FeedFormat
from nic.framing.reference import LineSettings
from sim.feed_traffic import Frames
from sim.gateware import harness
from sim.gateware.feed_lines import settings_value

__all__ = ["IEX_LINE", "LINES", "NASDAQ_LINE"]

SEED = int(os.environ.get("TICKWIRE_SEED", "11"))
DRAIN_CYCLES = 16
"""Cycles after the last beat in which everything comes out."""


def beats_of(frames: Frames) -> dict[str, NDArray[Any]]:
    """The frames as beats, back to back: fields of ``Beat``, and the frame's number of each."""
    lengths = frames.lengths.astype(np.int64)
    counts = -(-lengths // LANES)
    frame = np.repeat(np.arange(len(lengths)), counts)
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    place = np.arange(len(frame)) - starts[frame]
    padded = np.full((len(frame), LANES), 0xA5, np.uint8)  # what no byte of the frame is, is junk
    octets = np.frombuffer(frames.data, np.uint8)
    byte_frame = np.repeat(np.arange(len(lengths)), lengths)
    within = np.arange(len(octets)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    padded[starts[byte_frame] + within // LANES, within % LANES] = octets
    last = place == counts[frame] - 1
    return {
        "data": padded.view("<u8").ravel(),
        "last": last,
        "empty": np.where(last, counts[frame] * LANES - lengths[frame], 0),
        "error": last & (frames.errors[frame] != 0),
        "frame": frame,
        "place": place,
    }


def cycles_of(count: int, holes: float, seed: int) -> NDArray[np.int64]:
    """The cycle of each of ``count`` beats: one each, or with a share of empty cycles between."""
    if not holes:
        return np.arange(count)
    rng = np.random.default_rng(seed)
    return np.cumsum(1 + rng.geometric(1 - holes, count) - 1) - 1


def model(feed: FeedFormat) -> harness.Model:
    """The parser of a feed, compiled."""
    return harness.model(LineParser(feed), f"line_parser_{feed.name}", seed=SEED)


class Parsed:
    """What a model made of frames: messages, datagrams, counters, and when."""

    def __init__(
        self,
        parser: harness.Model,
        settings: LineSettings,
        frames: Frames,
        holes: float = 0.0,
        every_cycle: bool = False,
    ) -> None:
        self.beats = beats = beats_of(frames)
        self.frames = frames
        parser.hold(settings=settings_value(settings))
        base = parser.cycle
        count = len(beats["frame"])
        self.at = at = cycles_of(count, holes, SEED)
        total = int(at[-1]) + 1 + DRAIN_CYCLES
        words = {}
        for name in ("data", "last", "empty", "error"):
            words[name] = np.full(total, 1 if name != "data" else (1 << 64) - 1, np.uint64)
            words[name][at] = beats[name]
        valid = np.zeros(total, np.uint8)
        valid[at] = 1
        names = ["parsed__message__valid", "parsed__datagram__valid", "parsed__locate__valid"]
        inputs = {"line__valid": valid, "line__beat": words}
        rows = parser.run(inputs, when=() if every_cycle else [*names, "pulses"])
        self.parser, self.rows, self.cycles = parser, rows, total
        self.cycle = rows["cycle"].astype(np.int64) - base
        self.is_message, self.is_datagram, self.is_locate = (rows[name] == 1 for name in names)

    def counters(self) -> dict[str, int]:
        """Sums of the pulses, by name."""
        pulses = self.rows["pulses"].astype(np.int64)
        entries = (*FRAMING.entries, *PARSER.entries)
        return {e.name: int((pulses >> e.value & 1).sum()) for e in entries}

    def results(self) -> list[int]:
        """The frames' results in order; raises where two come at once."""
        found = self.rows["pulses"].astype(np.int64) & ((1 << FRAMING.count) - 1)
        found = found[found != 0]
        assert not (found & (found - 1)).any(), "two results in one cycle"
        return [int(value) for value in np.log2(found).astype(int)]

    def column(self, rows: NDArray[Any], port: str, field: str) -> NDArray[Any]:
        """A field of ``parsed``'s ``port`` in the given rows."""
        return self.parser.field(rows, f"parsed__{port}__payload", field)

    def messages(self) -> list[tuple[int, bytes]]:
        """Sequence number and bytes of each message in order."""
        rows = self.rows[self.is_message]
        columns = ("sequence_number", "length_bytes", "message")
        return [
            (int(number), bytes(message[: int(length)]))
            for number, length, message in zip(
                *(self.column(rows, "message", name) for name in columns), strict=True
            )
        ]

    def datagrams(self) -> list[tuple[int, int, int]]:
        """Sequence number, count and kind of each accepted header."""
        rows = self.rows[self.is_datagram]
        names = ("sequence_number", "count", "kind")
        columns = [self.column(rows, "datagram", name).tolist() for name in names]
        return list(zip(*columns, strict=True))

    def cycle_of_byte(self, frame: NDArray[Any], place: NDArray[Any]) -> NDArray[np.int64]:
        """The cycle in which a byte of a frame was on the line."""
        counts = -(-self.frames.lengths.astype(np.int64) // LANES)
        starts = np.cumsum(counts) - counts
        return self.at[starts[frame] + place // LANES]
