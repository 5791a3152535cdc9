# SPDX-License-Identifier: Apache-2.0
"""Latencies and rates of the gateware, measured on its models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hw.line_parser import LineParser
from hw.line_signature import PARSER_CYCLES
from nic.framing.feed_format import IEX, NASDAQ, FeedFormat
from nic.framing.reference import LineSettings, ReferenceParser
from sim.feed_traffic import FeedTraffic, Frames, Style
from sim.gateware import equality_feed, harness
from sim.gateware.beats import Beats
from sim.gateware.feed_lines import LINES, settings_value
from sim.gateware.measure_card import whole_card
from sim.gateware.measurement import Measurement

__all__ = ["MEASUREMENTS", "Measurement", "all_of_them", "both_lines", "line_parser", "whole_card"]

SEED = 1
ADDRESS, PORT = 0xE9360C65, 26477
FRAMES: dict[Style, int] = {"packed": 500, "minimum": 4000, "mixed": 1500}
DRAIN_CYCLES = 16
BEHIND_CYCLES = 8
"""How far the second line is behind the first."""
LINE_TO_EVENT_CYCLES = 4


def due_of(settings: LineSettings, given: Frames, beats: Beats) -> tuple[list[int], list[int]]:
    """The beat with each message's last byte, and its number, as the reference finds them."""
    reference = ReferenceParser(settings)
    due, numbers = [], []
    for index, (frame, error) in enumerate(given):
        for message in reference.frame(frame, error).messages:
            due.append(beats.beat_of(index, message.last_byte))
            numbers.append(message.sequence_number)
    return due, numbers


class LineRun:
    """A line's parser given ``frames`` of one style without a pause, against its reference."""

    def __init__(self, feed: FeedFormat, style: Style, frames: int) -> None:
        settings = LineSettings(feed, ADDRESS, PORT)
        given = FeedTraffic(settings, SEED, unknown_share=0).frames(frames, style)
        beats = Beats(given)
        self.beats = beats.count
        due, numbers = due_of(settings, given, beats)
        with harness.model(LineParser(feed), f"line_parser_{feed.name}") as model:
            model.hold(settings={"destination_address": ADDRESS, "destination_port": PORT})
            valid = np.zeros(beats.count + DRAIN_CYCLES, np.uint8)
            valid[: beats.count] = 1
            idle = np.zeros(DRAIN_CYCLES, np.uint64)
            fields = {name: np.concatenate([part, idle]) for name, part in beats.fields.items()}
            rows = model.run(
                {"line__valid": valid, "line__beat": fields}, when="parsed__message__valid"
            )
            found = model.field(rows, "parsed__message__payload", "sequence_number")
        self.expected = len(due)
        self.messages = len(rows)
        self.is_complete = found.tolist() == numbers
        late = rows["cycle"] - due if self.is_complete else np.array([0])
        self.longest_cycles = int(late.max(initial=0))


def line_parser() -> list[Measurement]:
    """Rate and latency of the line's parser, both feeds."""
    found = []
    for feed in (NASDAQ, IEX):
        runs = {style: LineRun(feed, style, count) for style, count in FRAMES.items()}
        beats = sum(run.beats for run in runs.values())
        messages = sum(run.messages for run in runs.values())
        expected = sum(run.expected for run in runs.values())
        whole = all(run.is_complete for run in runs.values())
        how = f"{beats:,} beats without a pause: packed, minimum-size and mixed frames"
        found += [
            Measurement(
                f"{feed.name}: messages of a full line that come out",
                messages if whole else -1,
                expected,
                "messages",
                how,
                is_floor=True,
            ),
            Measurement(
                f"{feed.name}: last byte of a message on the line to the message out of the parser",
                max(run.longest_cycles for run in runs.values()),
                PARSER_CYCLES,
                "cycles",
                f"longest of {messages:,} messages",
            ),
        ]
    return found


def both_lines() -> list[Measurement]:
    """Latency from a full line to the event, while the other line brings the copies behind it."""
    found = []
    for feed in (NASDAQ, IEX):
        settings = LineSettings(feed, ADDRESS, PORT)
        given = FeedTraffic(settings, SEED, unknown_share=0).frames(FRAMES["packed"], "packed")
        lines = [equality_feed.Traffic(given), equality_feed.Traffic(given, skew=BEHIND_CYCLES)]
        cycles = lines[-1].end + DRAIN_CYCLES
        due, numbers = due_of(settings, given, lines[0].beats)
        inputs: dict[str, Any] = {"cycle": np.arange(cycles, dtype=np.uint64)}
        for name, line in zip(LINES, lines, strict=True):
            inputs |= {f"line_{name}__{p}": value for p, value in line.port(cycles).items()}
        with equality_feed.model(feed) as model:
            model.hold(
                is_arbitrating=1, **{f"settings_{n}": settings_value(settings) for n in LINES}
            )
            model.run(cycles=(1 << equality_feed.TABLE_BITS) + 4, when=None)
            begin = model.cycle
            rows = model.run(inputs, when="event__valid")
            shown = model.field(rows, "event__payload", "sequence_number")
        is_complete = shown.tolist() == numbers
        late = rows["cycle"] - begin - due if is_complete else np.array([1 << 16])
        found.append(
            Measurement(
                f"{feed.name}: last byte of a message on the line to the event out of the arbiter",
                int(late.max(initial=0)),
                LINE_TO_EVENT_CYCLES,
                "cycles",
                f"longest of {len(due):,} events, with both lines full",
            )
        )
    return found


MEASUREMENTS: dict[str, Callable[[], list[Measurement]]] = {
    "the line's parser": line_parser,
    "both lines": both_lines,
    "the whole card": whole_card,
}
"""Functions that measure, by what they are about."""


def all_of_them(say: Callable[[str], None] = lambda text: None) -> list[Measurement]:
    """Run every measurement; ``say`` is told which."""
    found = []
    for name, measure in MEASUREMENTS.items():
        say(f"measuring {name}")
        found += measure()
    return found
