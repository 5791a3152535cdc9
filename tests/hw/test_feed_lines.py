# SPDX-License-Identifier: Apache-2.0
"""Frames of two lines through parsers, filter and arbiter, against the specifications behind each
other: what one block promises the next is kept."""

import os
import random

import numpy as np
import pytest
from line_support import NASDAQ_LINE, beats_of

from hw.line_signature import JUMP_CYCLES, PARSER_CYCLES, DatagramKind
from nic.framing.arbiter_reference import ReferenceArbiter, ReferenceFilter
from nic.framing.reference import ReferenceParser
from sim.feed_traffic import FeedTraffic, Frames
from sim.gateware import equality_feed, harness
from sim.gateware.cycle_arbiter import CycleArbiter
from sim.gateware.equality_feed import TABLE_BITS
from sim.gateware.feed_lines import settings_value

SEED = int(os.environ.get("TICKWIRE_SEED", "61"))
LOCATES = (1, 2, 3, 77, 200, 255, 256, 40_000)
FEED = NASDAQ_LINE.feed

pytestmark = pytest.mark.timeout(400)  # the first time the model is compiled


def published(seed: int, count: int) -> list[bytes]:
    """Frames of a feed: packed, small, and idle ones."""
    traffic = FeedTraffic(NASDAQ_LINE, seed, locates=LOCATES, unknown_share=0.002)
    frames = []
    for _ in range(count):
        draw = traffic.rng.random()
        if draw < 0.1:
            payload = traffic.payload(0)
        elif draw < 0.3:
            payload = traffic.full_payload()
        else:
            payload = traffic.payload(traffic.rng.randint(1, 6))
        frames.append(traffic.frame(payload, plain=draw < 0.5))
    return frames


def line_of(frames: list[bytes], loss: float, seed: int) -> tuple[Frames, list[bytes]]:
    """What is left of the frames on a line that loses some."""
    r = random.Random(seed)
    kept = [frame for frame in frames if r.random() >= loss]
    lengths = np.array([len(frame) for frame in kept], np.uint32)
    return Frames(b"".join(kept), lengths, np.zeros(len(kept), np.uint8)), kept


def words_of(frames: Frames, total: int, skew: int) -> dict[str, object]:
    """A line's port, frames back to back from cycle ``skew`` on."""
    beats = beats_of(frames)
    count = len(beats["frame"])
    valid = np.zeros(total, np.uint8)
    valid[skew : skew + count] = 1
    words = {}
    for name in ("data", "last", "empty", "error"):
        words[name] = np.zeros(total, np.uint64)
        words[name][skew : skew + count] = beats[name]
    return {"valid": valid, "beat": words}


@pytest.mark.parametrize(("skew", "loss"), [(0, 0.0), (1, 0.1), (30, 0.3), (2000, 0.05)])
def test_events_are_those_of_the_specifications(skew: int, loss: float) -> None:
    seed = SEED + skew
    print(f"seed {seed}")
    model = equality_feed.model(FEED, seed=SEED)
    model.hold(
        is_arbitrating=1,
        settings_a=settings_value(NASDAQ_LINE),
        settings_b=settings_value(NASDAQ_LINE),
    )
    model.run(cycles=(1 << TABLE_BITS) + 4, when=None)
    assert model.step()["init_done"]
    known = {1: 5, 2: 1023, 77: 0, 255: 9}
    layout = model.ports["write__payload"].layout
    rows = [
        harness.pack(layout, {"locate": locate, "row": {"is_wanted": 1, "symbol_index": index}})
        for locate, index in known.items()
    ]
    feed = harness.Feed(np.array(rows, model.inputs(1, {})["write__payload"].dtype), model.cycle)
    model.run(cycles=16, when=None, feeds={"write": feed})
    instruments = ReferenceFilter(known, TABLE_BITS)

    frames = published(seed, 500)
    lines = {name: line_of(frames, loss, seed + n) for n, name in enumerate("ab")}
    total = max(sum(-(-len(f) // 8) for f in kept) for _, kept in lines.values()) + skew + 60
    inputs: dict[str, object] = {"cycle": np.arange(total, dtype=np.uint64)}
    for name, offset in (("a", 0), ("b", skew)):
        for part, value in words_of(lines[name][0], total, offset).items():
            inputs[f"line_{name}__{part}"] = value
    before = model.cycle
    captured = model.run(inputs)
    assert model.cycle - before == total

    arrived: dict[str, dict[int, tuple[int, bytes]]] = {}
    first: dict[str, dict[int, int]] = {"a": {}, "b": {}}
    idle: dict[str, dict[int, int]] = {}
    for name, offset in (("a", 0), ("b", skew)):
        parser, start, arrived[name] = ReferenceParser(NASDAQ_LINE), offset, {}
        for frame in lines[name][1]:
            for i, message in enumerate(parser.frame(frame).messages):
                at = start + message.last_byte // 8 + PARSER_CYCLES
                if not i:
                    first[name][at] = message.sequence_number
                arrived[name][at] = (message.sequence_number, message.message)
            start += -(-len(frame) // 8)
        pulses = captured[f"parsed_{name}__datagram__valid"] != 0
        port = f"parsed_{name}__datagram__payload"
        kinds, numbers = (model.field(captured, port, f) for f in ("kind", "sequence_number"))
        found = np.flatnonzero(pulses & (kinds != DatagramKind.DATA.value))
        idle[name] = {int(at): int(numbers[at]) for at in found}
        upcoming = captured[f"parsed_{name}__upcoming"]
        for at, (number, _) in arrived[name].items():
            assert upcoming[at - 1] == number and upcoming[at] == number + 1, (name, at)
        for at, number in first[name].items():
            assert (upcoming[at - JUMP_CYCLES : at] == number).all(), (name, at)

    spec = CycleArbiter(ReferenceArbiter())
    text = {number: message for line in arrived.values() for number, message in line.values()}
    for cycle in range(total):
        a, b = (arrived[name].get(cycle, (0, b""))[0] for name in "ab")
        spec.step(cycle, a, b, idle["a"].get(cycle, 0), idle["b"].get(cycle, 0), None)
    events = captured[captured["event__valid"] != 0]
    assert len(events) == len(spec.events) > 1000
    fields = {
        name: model.field(events, "event__payload", name)
        for name in (
            "line", "sequence_number", "after_gap", "is_late", "received_cycle", "is_wanted",
            "symbol_index", "length_bytes", "message",
        )
    }  # fmt: skip
    wanted = 0
    for i, (cycle, line, number, opens, late, received) in enumerate(spec.events):
        message = text[number]
        assert events["cycle"][i] - before == cycle
        assert (fields["line"][i], fields["sequence_number"][i]) == (line, number)
        assert (fields["after_gap"][i], fields["is_late"][i]) == (opens, late)
        assert fields["received_cycle"][i] == received - PARSER_CYCLES
        assert fields["length_bytes"][i] == len(message)
        assert bytes(fields["message"][i][: len(message)]) == message
        found = instruments.find(int.from_bytes(message[1:3], "big"))
        assert fields["is_wanted"][i] == found[0]
        assert not found[0] or fields["symbol_index"][i] == found[1]
        wanted += found[0]
    assert wanted > 100
    counters = model.fields(model.run(cycles=4)[-1], "counters")
    print(counters)
    assert counters["gaps"] == spec.reference.counters["gaps"]
    latency = [cycle - received for cycle, _, _, _, _, received in spec.events]
    assert min(latency) == 1  # with the parser's three: four cycles from the last byte
