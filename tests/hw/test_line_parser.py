# SPDX-License-Identifier: Apache-2.0
"""The line's parser in gateware against its specification, cycle by cycle."""

import os
from pathlib import Path

import numpy as np
import pytest
from line_support import IEX_LINE, LINES, NASDAQ_LINE, SEED, Parsed, model

from hw.block_walk import check_feed
from hw.line_signature import PARSER_CYCLES
from nic.capture import capture_kind
from nic.frame import address_number, parse_udp
from nic.framing.enumerations import DATAGRAM, FRAMING
from nic.framing.feed_format import FEEDS, FeedFormat
from nic.framing.reference import LineSettings, ReferenceParser
from nic.pcap import PcapPort
from sim.feed_traffic import ETHERNET, IPV4, FeedTraffic, Frames, get, put, sum_ip_header
from sim.gateware import harness

CAPTURED_FRAMES = 4_000
"""Frames looked at of each line of each capture."""

MODELS: dict[str, harness.Model] = {}

pytestmark = pytest.mark.timeout(400)  # the first time the model is compiled


def parser_of(feed: FeedFormat) -> harness.Model:
    """The feed's model; it goes on from test to test, with what the last one left in it."""
    if feed.name not in MODELS:
        MODELS[feed.name] = model(feed)
    return MODELS[feed.name]


def check_equal(settings: LineSettings, frames: Frames, holes: float = 0.0) -> Parsed:
    """Hold the model against the reference in everything it says; what it said."""
    reference = ReferenceParser(settings)
    expected = [reference.frame(frame, error) for frame, error in frames]
    parsed = Parsed(parser_of(settings.feed), settings, frames, holes)
    assert [FRAMING.name_of(n) for n in parsed.results()] == [e.result for e in expected]
    assert parsed.messages() == [
        (m.sequence_number, m.message) for e in expected for m in e.messages
    ]
    assert parsed.datagrams() == [
        (d.sequence_number, d.count if d.kind == "data" else 0, DATAGRAM.value(d.kind))
        for e in expected
        if (d := e.datagram)
    ]
    assert parsed.counters() == reference.counters
    frame = [n for n, e in enumerate(expected) for _ in e.messages]
    place = [m.last_byte for e in expected for m in e.messages]
    ended = parsed.cycle_of_byte(np.array(frame, np.int64), np.array(place, np.int64))
    late = parsed.cycle[parsed.is_message] - ended
    assert not late.size or late.max() <= PARSER_CYCLES
    assert set(late.tolist()) <= {PARSER_CYCLES}
    assert not (parsed.is_message & parsed.is_datagram).any()
    return parsed


STYLES = [("mixed", 600), ("packed", 100), ("minimum", 1500), ("damaged", 3000)]


@pytest.mark.parametrize("holes", [0.0, 0.3])
@pytest.mark.parametrize(("style", "count"), STYLES)
@pytest.mark.parametrize("line", LINES)
def test_random_traffic(line: str, style: str, count: int, holes: float) -> None:
    settings = LINES[line]
    traffic = FeedTraffic(settings, SEED + int(10 * holes))
    parsed = check_equal(settings, traffic.frames(count, style), holes)  # type: ignore[arg-type]
    print(f"TICKWIRE_SEED={SEED}: {parsed.cycles} cycles, {parsed.counters()}")
    if style == "damaged":
        never = set() if settings.session else {"foreign_session"}
        if not settings.feed.fixed:
            never |= {"wrong_version", "wrong_protocol", "payload_length_mismatch"}
        counters = parsed.counters()
        assert {name for name in FRAMING.names if not counters[name]} == never


def test_short_frames_one_behind_the_other() -> None:
    """A result in every cycle: frames of one beat, and all lengths up to a whole packet's."""
    traffic = FeedTraffic(NASDAQ_LINE, SEED)
    whole = traffic.frame(traffic.payload(2), plain=True)
    cut = [whole[:n] for n in range(1, len(whole) + 1)]
    many = [*(whole[: 1 + n % 8] for n in range(100)), whole, *cut, *reversed(cut), whole]
    lengths = np.array([len(frame) for frame in many], np.uint32)
    check_equal(NASDAQ_LINE, Frames(b"".join(many), lengths, np.zeros(len(many), np.uint8)))


def insert_options(frame: bytearray, options: bytes) -> None:
    """Put IP options into a frame without a tag."""
    at = ETHERNET.length
    frame[at + IPV4.length : at + IPV4.length] = options
    first = get(IPV4, frame, at, "version_and_header_length")
    put(IPV4, frame, at, "version_and_header_length", first + len(options) // 4)
    put(IPV4, frame, at, "total_length", get(IPV4, frame, at, "total_length") + len(options))
    sum_ip_header(frame, at)


@pytest.mark.parametrize("settings", [NASDAQ_LINE, IEX_LINE], ids=["nasdaq", "iex"])
def test_every_alignment(settings: LineSettings) -> None:
    """Each pair of message types that follow each other, behind headers of both alignments."""
    traffic = FeedTraffic(settings, SEED)
    kinds = list(settings.feed.messages.by_code().values())
    frames = []
    for words in range(0, 11):
        for first in kinds[words % 2 :: 2]:
            messages = []
            for second in kinds:
                for kind in (first, second):
                    data = bytearray(traffic.rng.randbytes(kind.length))
                    assert kind.code is not None
                    data[settings.feed.messages.type_offset] = kind.code
                    messages.append(bytes(data))
            blocks = b"".join(map(traffic.block, messages))
            frame = bytearray(traffic.frame(traffic.transport(blocks, len(messages)), plain=True))
            if words:
                insert_options(frame, traffic.rng.randbytes(4 * words))
            traffic.sequence_number += len(messages)
            frames.append(bytes(frame))
    lengths = np.array([len(frame) for frame in frames], np.uint32)
    parsed = check_equal(
        settings, Frames(b"".join(frames), lengths, np.zeros(len(frames), np.uint8))
    )
    assert parsed.counters()["ok"] == len(frames)


def test_longest_datagrams() -> None:
    """As long as an IP packet can be; and a frame longer than any, whose rest is padding."""
    traffic = FeedTraffic(NASDAQ_LINE, SEED)
    blocks = b""
    count = 0
    while len(blocks) + 52 < 65_535 - 20 - 8 - 20:
        blocks += traffic.block(traffic.message())
        count += 1
    whole = traffic.frame(traffic.transport(blocks, count), plain=True)
    short = traffic.frame(traffic.payload(3), plain=True)
    frames = [whole, whole[:-1], short + bytes(140_000), whole[:60_000], short]
    lengths = np.array([len(frame) for frame in frames], np.uint32)
    parsed = check_equal(
        NASDAQ_LINE, Frames(b"".join(frames), lengths, np.zeros(len(frames), np.uint8))
    )
    assert [FRAMING.name_of(n) for n in parsed.results()] == [
        "ok", "truncated", "ok", "truncated", "ok",
    ]  # fmt: skip


def test_the_instrument_comes_early() -> None:
    """Two cycles after ``locate`` and until the next, it is the message's that is valid."""
    for holes in (0.0, 0.4):
        frames = FeedTraffic(NASDAQ_LINE, SEED).frames(400, "mixed", 0.2)
        parsed = Parsed(parser_of(NASDAQ_LINE.feed), NASDAQ_LINE, frames, holes)
        locates = parsed.rows["parsed__locate__payload"][parsed.is_locate]
        known_from = parsed.cycle[parsed.is_locate] + 2
        newest = np.searchsorted(known_from, parsed.cycle[parsed.is_message], side="right") - 1
        field = NASDAQ_LINE.feed.messages["add_order"]["stock_locate"]
        wanted = [
            int.from_bytes(message[field.offset : field.end], "big")
            for _, message in parsed.messages()
        ]
        assert len(wanted) > 1000
        assert locates[newest].tolist() == wanted


@pytest.mark.parametrize("settings", [NASDAQ_LINE, IEX_LINE], ids=["nasdaq", "iex"])
def test_the_number_is_known_a_cycle_ahead(settings: LineSettings) -> None:
    for holes in (0.0, 0.4):
        frames = FeedTraffic(settings, SEED).frames(150, "mixed", 0.2)
        parsed = Parsed(parser_of(settings.feed), settings, frames, holes, every_cycle=True)
        upcoming = parsed.rows["parsed__upcoming"]
        at = np.flatnonzero(parsed.is_message)
        numbers = [number for number, _ in parsed.messages()]
        assert len(numbers) > 500
        assert upcoming[at - 1].tolist() == numbers
        assert upcoming[at].tolist() == [number + 1 for number in numbers]


def test_a_datagram_comes_before_its_messages() -> None:
    frames = FeedTraffic(NASDAQ_LINE, SEED).frames(300, "mixed")
    parsed = Parsed(parser_of(NASDAQ_LINE.feed), NASDAQ_LINE, frames)
    due = 0
    next_number = None
    rows = zip(parsed.is_datagram, parsed.is_message, parsed.rows, strict=True)
    datagrams, messages = iter(parsed.datagrams()), iter(parsed.messages())
    for is_datagram, is_message, _ in rows:
        if is_message:
            number, _ = next(messages)
            assert next_number is not None
            assert next_number <= number < due
            next_number = number + 1
        if is_datagram:
            next_number, count, _ = next(datagrams)
            due = next_number + count


def test_a_feed_that_does_not_fit_is_refused() -> None:
    class Tiny(FeedFormat):
        @property
        def shortest_bytes(self) -> int:
            return 6

    nasdaq = NASDAQ_LINE.feed
    tiny = Tiny(nasdaq.transport, nasdaq.messages, nasdaq.session, nasdaq.sequence_number,
                nasdaq.count, 0)  # fmt: skip
    with pytest.raises(ValueError, match="two blocks"):
        check_feed(tiny)


def captures() -> list[Path]:
    folder = os.environ.get("TICKWIRE_DATA")
    found = sorted(Path(folder).rglob("*.pcap*")) if folder else []
    return [path for path in found if capture_kind(path) in ("pcap", "pcapng")]


def test_captures() -> None:
    """Every line of every capture, as either feed."""
    paths = captures()
    if not paths:
        pytest.skip("TICKWIRE_DATA names no folder with captures")
    decoded = dict.fromkeys(FEEDS, 0)
    for path in paths:
        frames = [frame for frame, _ in PcapPort(path)][:CAPTURED_FRAMES]
        lengths = np.array([len(frame) for frame in frames], np.uint32)
        packed = Frames(b"".join(frames), lengths, np.zeros(len(frames), np.uint8))
        parsed = (parse_udp(frame)[1] for frame in frames)
        places = {(p["destination_address"], p["destination_port"]) for p in parsed if p}
        for group, port in sorted(places):
            for feed in FEEDS.values():
                settings = LineSettings(feed, address_number(group), port)
                decoded[feed.name] += check_equal(settings, packed).counters()["messages"]
    assert decoded["itch50"] > 10
    assert decoded["deep10"] > 1000
