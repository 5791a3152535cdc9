# SPDX-License-Identifier: Apache-2.0
"""Traffic of two lines for :mod:`sim.gateware.equality_feed`: drawn from a seed, or captured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

import numpy as np

from hw.stream import LANES
from nic.framing.feed_format import FEEDS, FeedFormat
from nic.framing.reference import LineSettings
from sim.feed_traffic import FeedTraffic, Frames, Style
from sim.gateware import harness
from sim.gateware.equality import Difference, Found
from sim.gateware.equality_feed import DRAIN_CYCLES, TABLE_BITS, FeedRun, Traffic
from sim.gateware.rows import Array

STYLES = ("random", "packed")
HIGHEST_INDEX = (1 << 10) - 1
CAPTURE_BEATS = 100_000
"""Beats of a capture that are run at once."""

Frame = tuple[bytes, bool]


def frames_of(frames: Iterable[Frame]) -> Frames:
    """Frames, each with whether its check sequence is wrong, one behind the other."""
    given = list(frames)
    lengths = np.array([len(frame) for frame, _ in given], np.uint32)
    errors = np.array([error for _, error in given], np.uint8)
    return Frames(b"".join(frame for frame, _ in given), lengths, errors)


def beats_of(frame: bytes) -> int:
    """How many beats a frame takes."""
    return -(-len(frame) // LANES)


class Drawn:
    """Everything that is drawn for one run of ``cycles`` cycles; the same for the same seed.

    Style ``packed``: frames without damage, back to back, full ones or shortest ones. Style
    ``random``: all kinds of frames, damage, loss, pauses, feeds that do not fit each other.
    """

    def __init__(self, feed: FeedFormat, style: str, seed: int, cycles: int) -> None:
        if style not in STYLES:
            raise ValueError(f"style is one of {', '.join(STYLES)}, not {style}")
        self.rng = r = Random(seed)
        self.feed, self.cycles, self.is_packed = feed, cycles, style == "packed"
        session = r.randbytes(feed.session_field.width) if r.random() < 0.5 else b""
        address, port = r.randrange(0xE0000000, 0xF0000000), r.randrange(1, 1 << 16)
        ours = LineSettings(feed, address, port, session)
        theirs = LineSettings(feed, address ^ 1, port ^ 1, session)
        locates = r.sample(range(1 << TABLE_BITS), 100)
        self.symbols = {locate: r.randrange(HIGHEST_INDEX + 1) for locate in locates[:60]}
        self.locates = (*locates, 1 << TABLE_BITS, 0xFFFF)
        self.damage = 0.0 if self.is_packed else r.choice((0.0, 0.02, 0.3, 1.0))
        self.is_arbitrating = r.random() < (0.3 if self.damage > 0.1 else 0.9)
        self.drops_unwanted = r.random() < 0.5
        self.loss = r.choice((0.0, 0.0, 0.01)) if self.is_packed else r.choice((0.0, 0.05, 0.3))
        self.holes = 0.0 if self.is_packed else r.choice((0.0, 0.0, 0.1, 0.6))
        self.is_one_feed = not self.damage and r.random() < 0.8
        self.settings = (ours, ours if self.is_one_feed else theirs)
        self.skews = (0, r.choice((0, 1, 2, 5, 30, 400, 3000)))

    def traffic(self) -> list[Traffic]:
        """What each of the lines carries."""
        r = self.rng
        places = [self._places(skew) for skew in self.skews]
        room = max(len(at) for at in places)
        style: Style = r.choice(("packed", "packed", "minimum")) if self.is_packed else "mixed"
        source = self._source(0)
        frames = list(self._draw(source, style, room))
        others = frames if self.is_one_feed else list(self._draw(self._source(1), style, room))
        return [
            self._line(given, at, skew)
            for given, at, skew in zip((frames, others), places, self.skews, strict=True)
        ]

    def _source(self, line: int) -> FeedTraffic:
        r = self.rng
        return FeedTraffic(
            self.settings[line],
            r.getrandbits(64),
            sequence_number=r.choice((1, 1, r.randrange(1, 1 << 40))) if not line else 1,
            locates=self.locates,
            unknown_share=r.choice((0.0, 0.002, 0.05)),
        )

    def _places(self, skew: int) -> Array:
        """The cycles that a line's beats may take, from its first on."""
        most = max(self.cycles - skew - DRAIN_CYCLES, 0)
        if not self.holes:
            return np.arange(most)
        rng = np.random.default_rng(self.rng.getrandbits(64))
        return np.flatnonzero(rng.random(most) >= self.holes)

    def _draw(self, source: FeedTraffic, style: Style, room: int) -> Iterator[Frame]:
        """Frames for so many beats."""
        used = 0
        while used < room:
            is_damaged = source.rng.random() < self.damage
            frame = source.damaged() if is_damaged else source.whole(style)
            used += beats_of(frame)
            yield frame, self.damage > 0 and source.rng.random() < 0.02

    def _line(self, frames: list[Frame], at: Array, skew: int) -> Traffic:
        """What a line that loses some has room for."""
        kept, used = [], 0
        for frame, error in frames:
            if self.rng.random() < self.loss:
                continue
            used += beats_of(frame)
            if used > len(at):
                break
            kept.append((frame, error))
        found = frames_of(kept)
        return Traffic(found, at[: sum(beats_of(frame) for frame, _ in kept)], skew)


def run_drawn(model: harness.Model, style: str, feed: str, seed: int, cycles: int) -> Found:
    """Hold everything against each other for traffic drawn from a seed."""
    drawn = Drawn(FEEDS[feed], style, seed, cycles)
    given = drawn.traffic()
    run = FeedRun(
        model,
        drawn.settings,
        drawn.symbols,
        is_arbitrating=drawn.is_arbitrating,
        drops_unwanted=drawn.drops_unwanted,
    )
    try:
        run.take(given, cycles)
    except Difference as found:
        where = f"parser, feed {feed}, style {style}, seed {seed}, {cycles} cycles"
        return Found(cycles, run.counts(), f"{found}; {where}")
    return Found(cycles, run.counts())


def run_captured(
    model: harness.Model, settings: LineSettings, frames: Iterable[bytes], name: str
) -> Found:
    """The same for a capture: on line A alone, every message an event; then on both lines.

    On both, with arbitration, the frames come on line B some cycles later.
    """
    given = list(frames)
    total = Found()
    for is_arbitrating in (False, True):
        run = FeedRun(model, (settings, settings), {}, is_arbitrating=is_arbitrating)
        at = 0
        while at < len(given) and not total.difference:
            first, beats = at, 0
            while at < len(given) and beats < CAPTURE_BEATS:
                beats += beats_of(given[at])
                at += 1
            part = frames_of((frame, False) for frame in given[first:at])
            empty = frames_of([])
            try:
                total.cycles += run.take(
                    [Traffic(part), Traffic(part if is_arbitrating else empty, skew=5)]
                )
            except Difference as found:
                total.difference = f"{found}; capture {name}, from its frame {first} on"
        total.counts.update(run.counts())
    return total
