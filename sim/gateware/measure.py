# SPDX-License-Identifier: Apache-2.0
"""Latencies and rates of the gateware, measured on its models."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hw.line_parser import LineParser
from hw.line_signature import PARSER_CYCLES
from nic.framing.feed_format import IEX, NASDAQ, FeedFormat
from nic.framing.reference import LineSettings, ReferenceParser
from sim.feed_traffic import FeedTraffic, Style
from sim.gateware import equality_feed, harness
from sim.gateware.beats import Beats
from sim.gateware.equality_feed import FeedRun, Traffic, inputs_of, same
from sim.gateware.measure_card import whole_card
from sim.gateware.measurement import LINE_TO_EVENT_CYCLES, Measurement

__all__ = ["MEASUREMENTS", "Measurement", "all_of_them", "both_lines", "line_parser", "whole_card"]

SEED = 1
ADDRESS, PORT = 0xE9360C65, 26477
FRAMES: dict[Style, int] = {"packed": 500, "minimum": 4000, "mixed": 1500}
DRAIN_CYCLES = 16
BEHIND_CYCLES = 8
"""How far the second line is behind the first."""


class LineRun:
    """A line's parser given ``frames`` of one style without a pause, against its reference."""

    def __init__(self, feed: FeedFormat, style: Style, frames: int) -> None:
        settings = LineSettings(feed, ADDRESS, PORT)
        given = FeedTraffic(settings, SEED, unknown_share=0).frames(frames, style)
        beats = Beats(given)
        reference = ReferenceParser(settings)
        self.beats = beats.count
        due, numbers = [], []
        for index, (frame, error) in enumerate(given):
            for message in reference.frame(frame, error).messages:
                due.append(beats.beat_of(index, message.last_byte))
                numbers.append(message.sequence_number)
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
        lines = [Traffic(given), Traffic(given, skew=BEHIND_CYCLES)]
        with equality_feed.model(feed) as model:
            run = FeedRun(model, (settings, settings), {})
            due = run.lines[0].software(given)
            begin = model.cycle
            inputs = inputs_of(lines, lines[-1].end + DRAIN_CYCLES)
            rows = model.run(inputs, when="event__valid")
            shown = model.field(rows, "event__payload", "sequence_number")
        same(f"{feed.name}: number of event", shown, due["sequence_number"])
        late = rows["cycle"] - begin - lines[0].cycle_of(due["frame"], due["last_byte"])
        found.append(
            Measurement(
                f"{feed.name}: last byte of a message on the line to the event out of the arbiter",
                int(late.max(initial=0)),
                LINE_TO_EVENT_CYCLES,
                "cycles",
                f"longest of {len(rows):,} events, with both lines full",
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
