# SPDX-License-Identifier: Apache-2.0
"""Noise, foreign sessions, jumps, restarts and silence."""

from random import Random

import pytest
from feed_support import SESSION, cut, day, end_of_session, iextp, moldudp64
from hypothesis import given
from hypothesis import strategies as st

from host.feed.collector import Collector, RequestCollector
from host.feed.enumerations import ERRORS, FEED
from host.feed.handler import FeedHandler

GOOD = moldudp64(1, [b"abc", b"de"])
OTHER = b"OTHER     "


def check_only(handler, name, before):
    """Nothing changed but the packet counter and the one named."""
    after = handler.counters()
    changed = {key: after[key] - before[key] for key in after if after[key] != before[key]}
    changed.pop("packets_a", None)
    assert changed == {name: 1}


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (b"", "too_short"),
        (GOOD[:19], "too_short"),
        (GOOD[:-1], "block_beyond_datagram"),
        (GOOD[:-4], "count_beyond_datagram"),
        (GOOD[:-3], "count_beyond_datagram"),
        (GOOD + b"\0", "trailing_bytes"),
        (moldudp64(1, [b"abc"], count=2), "count_beyond_datagram"),
        (moldudp64(1, [b"abc", b"de"], count=1), "trailing_bytes"),
        (moldudp64(3) + b"x", "trailing_bytes"),
        (end_of_session(3) + b"x", "trailing_bytes"),
        (moldudp64(0, [b"abc"]), "sequence_out_of_range"),
        (moldudp64((1 << 64) - 1, [b"abc", b"de"]), "sequence_out_of_range"),
        (moldudp64(3, [b"abc"], OTHER), "foreign_session"),
        (moldudp64(3, session=OTHER), "foreign_session"),
        (end_of_session(3, OTHER), "foreign_session"),
        (moldudp64(3, count=5), "count_beyond_datagram"),  # a request packet
    ],
)
@pytest.mark.parametrize("gap", [False, True])
def test_moldudp64_noise_is_counted_and_changes_nothing(payload, name, gap):
    collector = Collector()
    handler = FeedHandler(collector)
    handler.datagram(0, GOOD, 1)
    if gap:
        handler.datagram(0, moldudp64(9, [b"x"]), 2)
    events, before, state = list(collector.events), handler.counters(), handler.state
    assert handler.datagram(0, payload, 3) == 0
    check_only(handler, name, before)
    assert (collector.events, handler.state) == (events, state)
    assert handler.next_sequence_number == 3
    assert handler.datagram(1, moldudp64(3, [b"f"]), 4) == 1


SEGMENT = iextp(1, [b"abc", b"de"])


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (SEGMENT[:39], "too_short"),
        (SEGMENT[:-1], "payload_length_mismatch"),
        (SEGMENT + b"\0", "trailing_bytes"),
        (iextp(3, [b"abc"], version=2), "wrong_version"),
        (iextp(3, [b"abc"], message_protocol_id=0x8003), "wrong_protocol"),
        (iextp(3, [b"abc"], payload_length=4), "trailing_bytes"),
        (iextp(3, [b"abc"], payload_length=6), "payload_length_mismatch"),
        (iextp(3, [b"abc"], message_count=0), "payload_length_mismatch"),
        (iextp(3, [b"abc"], message_count=2), "count_beyond_datagram"),
        (iextp(3, [b"abc", b"d"], message_count=1), "trailing_bytes"),
        (iextp(-1, [b"abc"]), "sequence_out_of_range"),
        (iextp(0), "sequence_out_of_range"),
        (iextp(3, [b"abc"], session=8), "foreign_session"),
        (iextp(3, [b"abc"], channel=2), "foreign_channel"),
    ],
)
def test_iextp_noise_is_counted_and_changes_nothing(payload, name):
    collector = Collector()
    handler = FeedHandler(collector, transport="iextp")
    handler.datagram(0, SEGMENT, 1)
    before = handler.counters()
    assert handler.datagram(0, payload, 2) == 0
    check_only(handler, name, before)
    assert handler.datagram(0, iextp(3, [b"f"], offset=9), 3) == 1


def test_every_error_is_a_counter():
    assert set(ERRORS) <= set(FEED.names)


@pytest.mark.parametrize("line", [-1, 3, 1 << 20])
def test_unknown_line_is_counted(line):
    handler = FeedHandler(Collector())
    assert handler.datagram(line, GOOD, 1) == 0
    assert handler.counters()["unknown_line"] == 1
    assert handler.state == "waiting"


@given(st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=80)), max_size=20))
@pytest.mark.parametrize("transport", ["moldudp64", "iextp"])
def test_random_bytes_are_survived(transport, datagrams):
    good = GOOD if transport == "moldudp64" else SEGMENT
    handler = FeedHandler(Collector(), RequestCollector(), transport=transport, stash_packets=2)
    handler.datagram(0, good, 0)
    for t_ns, (line, payload) in enumerate(datagrams):
        for data in (payload, good[: len(good) - len(payload)] + payload):
            handler.datagram(line, data, t_ns)
            handler.timer(t_ns)
    handler.finish(1 << 40)
    assert handler.gaps()["open"] == 0


@pytest.mark.parametrize("seed", range(5))
def test_foreign_session_between_every_packet_changes_nothing(seed):
    random = Random(seed)
    messages = day(random, 300)
    collector = Collector()
    handler = FeedHandler(collector)
    for t_ns, packet in enumerate(cut(random, messages)):
        handler.datagram(t_ns & 1, packet, t_ns)
        number = random.randrange(1, 1 << 40)
        handler.datagram(random.randrange(3), moldudp64(number, [b"z"], OTHER), t_ns)
    assert collector.messages == list(enumerate(messages, 1))
    assert handler.gaps()["opened"] == 0


def test_pinned_session_is_not_taken_from_another():
    collector = Collector()
    handler = FeedHandler(collector, session=SESSION, restart="detect")
    handler.datagram(0, moldudp64(1, [b"z"], OTHER), 1)
    handler.datagram(0, GOOD, 2)
    handler.datagram(0, moldudp64(1, [b"z"], OTHER), 3)
    assert len(collector.messages) == 2
    assert handler.counters()["foreign_session"] == 2


def test_answer_to_a_re_request_does_not_choose_the_session():
    handler = FeedHandler(Collector())
    handler.datagram(2, GOOD, 1)
    assert handler.state == "waiting"
    assert handler.session == b""


def test_detect_takes_a_new_session_and_never_returns():
    collector = Collector()
    handler = FeedHandler(collector, restart="detect")
    handler.datagram(0, GOOD, 1)
    handler.datagram(0, moldudp64(5, [b"e"]), 2)
    handler.datagram(0, moldudp64(1, [b"z"], OTHER)[:-1], 3)
    assert handler.restarts == 0
    handler.datagram(0, moldudp64(1, [b"z"], OTHER), 4)
    handler.datagram(1, moldudp64(6, [b"f"]), 5)
    handler.datagram(1, moldudp64(1, [b"z"], OTHER), 6)
    assert collector.events == [
        ("message", 1, b"abc"),
        ("message", 2, b"de"),
        ("lost", 3, 4),
        ("message", 5, b"e"),
        ("restart", "session"),
        ("message", 1, b"z"),
    ]
    counters = handler.counters()
    assert (counters["restarts_session"], counters["foreign_session"]) == (1, 1)
    assert counters["duplicates_b"] == 1
    assert handler.session == OTHER


def test_strict_takes_a_new_session_only_after_the_end():
    collector = Collector()
    handler = FeedHandler(collector)
    handler.datagram(0, GOOD, 1)
    handler.datagram(0, moldudp64(1, [b"z"], OTHER), 2)
    assert handler.restarts == 0
    handler.datagram(0, end_of_session(3), 3)
    handler.datagram(0, moldudp64(1, [b"z"], OTHER), 4)
    assert collector.events[-2:] == [("restart", "session"), ("message", 1, b"z")]
    assert handler.state == "live"


def test_far_jump_is_ignored_until_the_feed_confirms_it():
    collector = Collector()
    handler = FeedHandler(collector, maximum_gap_messages=100, far_packets=3, gap_limit_ns=10)
    handler.datagram(0, GOOD, 1)
    handler.datagram(0, moldudp64(104, [b"x"]), 2)
    handler.datagram(0, moldudp64(1_000_000), 3)
    assert handler.counters()["sequence_out_of_range"] == 2
    assert handler.gaps()["opened"] == 0
    handler.datagram(0, moldudp64(103, [b"x"]), 4)
    assert handler.gaps()["opened"] == 1
    for at in (5000, 5001, 5002):
        handler.datagram(0, moldudp64(at, [b"x"]), at)
    assert handler.counters()["sequence_out_of_range"] == 4
    assert collector.events[-1] == ("message", 103, b"x")
    handler.timer(6_000)
    assert collector.events[-2:] == [("lost", 104, 5001), ("message", 5002, b"x")]


def run_of(count, start_ns, heartbeat=False):
    segments = [iextp(1, send_time=start_ns)] if heartbeat else []
    offset = 0
    for number in range(1, count + 1):
        segments.append(
            iextp(number, [b"m%d" % number], offset=offset, send_time=start_ns + number)
        )
        offset += 2 + len(b"m%d" % number)
    return segments


@pytest.mark.parametrize("heartbeat", [False, True])
def test_publisher_restart_is_detected_once_on_two_lines(heartbeat):
    collector = Collector()
    handler = FeedHandler(collector, transport="iextp", restart="detect")
    first, second = run_of(3, 0), run_of(2, 100, heartbeat)
    order = [(0, s) for s in first] + [(1, s) for s in first[:2]] + [(0, s) for s in second]
    order += [(1, first[2])] + [(1, s) for s in second] + [(0, s) for s in second]
    for t_ns, (line, segment) in enumerate(order):
        handler.datagram(line, segment, t_ns)
    assert collector.events == [
        *[("message", n, b"m%d" % n) for n in (1, 2, 3)],
        ("restart", "publisher"),
        *[("message", n, b"m%d" % n) for n in (1, 2)],
    ]
    counters = handler.counters()
    assert handler.restarts == 1
    assert counters["previous_run"] == 1
    assert counters["duplicates_a"] == 2
    assert counters["duplicates_b"] == 4
    assert counters["stream_offset_mismatch"] == 0


def test_strict_takes_a_publisher_restart_for_duplicates():
    collector = Collector()
    handler = FeedHandler(collector, transport="iextp")
    for t_ns, segment in enumerate(run_of(3, 0) + run_of(2, 100)):
        handler.datagram(0, segment, t_ns)
    assert len(collector.messages) == 3
    assert handler.restarts == 0
    assert handler.counters()["duplicates_a"] == 2


def test_restart_with_an_open_gap_gives_it_up_first():
    collector = Collector()
    handler = FeedHandler(collector, transport="iextp", restart="detect")
    first = run_of(4, 0)
    for t_ns, segment in enumerate([first[0], first[2], *run_of(1, 100)]):
        handler.datagram(0, segment, t_ns)
    assert collector.events[1:] == [
        ("lost", 2, 2),
        ("message", 3, b"m3"),
        ("restart", "publisher"),
        ("message", 1, b"m1"),
    ]
    assert handler.gaps()["open"] == 0


def test_stream_offset_that_does_not_fit_is_counted():
    handler = FeedHandler(Collector(), transport="iextp")
    handler.datagram(0, iextp(1, [b"ab"]), 1)
    handler.datagram(0, iextp(2, [b"ab"], offset=5), 2)
    handler.datagram(0, iextp(3, [b"ab"], offset=9), 3)
    assert handler.counters()["stream_offset_mismatch"] == 1
    assert handler.counters()["messages"] == 3


def test_silence_makes_the_feed_stale_and_a_packet_brings_it_back():
    collector = Collector()
    handler = FeedHandler(collector, stale_ns=1_000)
    handler.datagram(0, GOOD, 1)
    handler.datagram(1, GOOD, 1)
    handler.datagram(0, moldudp64(3), 900)
    handler.timer(1_000)
    assert handler.counters()["stale_b"] == 0
    handler.timer(1_001)
    counters = handler.counters()
    assert (counters["stale_a"], counters["stale_b"], counters["stale"]) == (0, 1, 0)
    handler.datagram(1, moldudp64(3, [b"z"], OTHER), 1_500)
    handler.datagram(2, moldudp64(1, [b"abc"]), 1_600)
    for t_ns in (1_899, 1_900, 5_000):
        handler.timer(t_ns)
    assert handler.state == "stale"
    handler.datagram(1, moldudp64(3), 6_000)
    assert collector.events[2:] == [("stale", True), ("stale", False)]
    counters = handler.counters()
    assert (counters["stale_a"], counters["stale_b"], counters["stale"]) == (1, 1, 1)
    assert handler.state == "live"


def test_feed_that_never_comes_is_stale():
    collector = Collector()
    handler = FeedHandler(collector, stale_ns=1_000)
    handler.timer(10_000)
    handler.timer(10_999)
    assert collector.events == []
    handler.timer(11_000)
    assert collector.events == [("stale", True)]
    handler.datagram(0, GOOD, 11_001)
    assert collector.events[1] == ("stale", False)


def test_clock_that_runs_backwards_is_survived():
    handler = FeedHandler(Collector(), RequestCollector(), gap_wait_ns=0)
    handler.datagram(0, GOOD, 1 << 50)
    handler.datagram(0, moldudp64(5, [b"x"]), 1 << 40)
    for t_ns in (1 << 50, 0, 1, 1 << 30):
        handler.timer(t_ns)
    handler.datagram(1, moldudp64(1, [b"abc", b"de", b"f", b"g"]), 7)
    assert handler.next_sequence_number == 6
    assert handler.state == "live"
