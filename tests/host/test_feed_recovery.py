# SPDX-License-Identifier: Apache-2.0
"""Gaps closed by re-request: completeness on a bad network, bounds, retries, and giving up."""

import struct
from itertools import pairwise
from random import Random

import pytest
from feed_support import answer, cut, day, end_of_session, iextp, moldudp64

from host.feed.collector import Collector, RequestCollector
from host.feed.handler import FeedHandler
from nic.wire.iextp import IEXTP, MESSAGE_PROTOCOL_DEEP10, REQUEST_SEQUENCED_MESSAGES
from nic.wire.moldudp64 import MOLDUDP64
from nic.wire.reference import decode_as
from sim.network import LossyNetwork

MILLISECOND = 1_000_000


def run_lossy(seed, lines=2):
    """A day over bad lines, a bad request path and a bad answer path; all of it must arrive."""
    random = Random(seed)
    messages = day(random, 600)
    faults = {"drop": 0.12, "duplicate": 0.1, "reorder": 0.1, "reorder_depth": 5, "truncate": 0.03}
    networks = [
        LossyNetwork(
            random.getrandbits(32),
            **faults,
            delay_ns=random.randrange(5_000),
            jitter_ns=2_000,
            cut_every=40,
            cut_length=6,
        )
        for _ in range(lines)
    ]
    to_server = LossyNetwork(random.getrandbits(32), drop=0.2, duplicate=0.1, delay_ns=20_000)
    from_server = LossyNetwork(random.getrandbits(32), **faults, delay_ns=20_000)
    collector, requests = Collector(), RequestCollector()
    handler = FeedHandler(
        collector,
        requests,
        start=1,
        gap_wait_ns=20_000,
        request_retry_ns=200_000,
        request_limit=100,
        gap_limit_ns=1_000 * MILLISECOND,
        request_rate_per_second=50_000,
        maximum_request_messages=random.choice([3, 50]),
        stash_packets=random.choice([4, 32, 1024]),
        maximum_open_gaps=random.choice([3, 256]),
    )
    arrivals = []
    t_ns = 0
    for line, network in enumerate(networks):
        t_ns = 0
        for packet in [*cut(random, messages), *[end_of_session(601)] * 20]:
            t_ns += 2_000
            arrivals += [(when, line, data) for when, data in network.send(packet, t_ns)]
        arrivals += [(when, line, data) for when, data in network.flush(t_ns)]
    arrivals.sort(key=lambda arrival: arrival[0])
    t_ns = 0
    while ("end_of_session",) not in collector.events and t_ns < 2_000 * MILLISECOND:
        t_ns += 1_000
        while arrivals and arrivals[0][0] <= t_ns:
            when, line, data = arrivals.pop(0)
            handler.datagram(line, data, when)
        handler.timer(t_ns)
        for request in requests.take():
            for when, arrived in to_server.send(request, t_ns):
                reply = answer(arrived, messages, random.choice([1, 4, 30]))
                if reply is not None:
                    arrivals += [(at, 2, data) for at, data in from_server.send(reply, when)]
        arrivals.sort(key=lambda arrival: arrival[0])
    return messages, collector, handler


@pytest.mark.parametrize("seed", range(30))
def test_two_bad_lines_and_re_request_lose_nothing(seed):
    messages, collector, handler = run_lossy(seed)
    assert collector.messages == list(enumerate(messages, 1)), f"seed {seed}"
    counters, gaps = handler.counters(), handler.gaps()
    assert collector.events[-1] == ("end_of_session",)
    assert gaps["open"] == gaps["never"] == gaps["lost"] == 0
    assert gaps["opened"] == gaps["other_line"] + gaps["re_request"] + gaps["late"] > 0
    assert counters["messages"] == len(messages)
    assert counters["messages"] == sum(
        counters[f"messages_{line}"] for line in ("a", "b", "re_request")
    )


@pytest.mark.parametrize("seed", range(100, 110))
def test_one_bad_line_and_re_request_lose_nothing(seed):
    messages, collector, handler = run_lossy(seed, lines=1)
    assert collector.messages == list(enumerate(messages, 1)), f"seed {seed}"
    assert handler.gaps()["re_request"] > 0
    assert handler.counters()["requests_retried"] > 0


def gapped(first=2, end=12, **options):
    """A handler that has message 1 and waits for ``first`` to ``end - 1``."""
    collector, requests = Collector(), RequestCollector()
    handler = FeedHandler(collector, requests, **options)
    handler.datagram(0, moldudp64(first - 1, [b"x"]), 1_000)
    handler.datagram(0, moldudp64(end, [b"y"]), 1_000)
    return collector, requests, handler


def wanted(request):
    header = decode_as(MOLDUDP64, "header", request)
    return header["sequence_number"], header["message_count"]


def test_request_waits_for_the_other_line_first():
    _, requests, handler = gapped(gap_wait_ns=500)
    handler.timer(1_499)
    assert requests.requests == []
    handler.timer(1_500)
    assert [wanted(r) for r in requests.requests] == [(2, 10)]
    handler.timer(1_501)
    assert len(requests.requests) == 1


def test_no_wait_asks_within_the_packet_that_revealed_the_gap():
    _, requests, _ = gapped(gap_wait_ns=0)
    assert [wanted(r) for r in requests.requests] == [(2, 10)]


def test_partial_answer_asks_for_the_rest_at_once():
    _, requests, handler = gapped(gap_wait_ns=0)
    handler.datagram(2, moldudp64(2, [b"m"] * 4), 2_000)
    assert [wanted(r) for r in requests.requests] == [(2, 10), (6, 6)]
    handler.datagram(2, moldudp64(6, [b"m"] * 6), 3_000)
    assert handler.next_sequence_number == 13
    counters = handler.counters()
    assert (counters["requests"], counters["requests_partial"]) == (2, 1)
    assert counters["requests_retried"] == 0
    assert handler.gaps()["list"][0]["filled"]["re_request"] == 10


def test_request_covers_only_what_is_still_missing():
    _, requests, handler = gapped(gap_wait_ns=500)
    handler.datagram(1, moldudp64(2, [b"m"] * 3), 1_100)
    handler.timer(1_600)
    assert [wanted(r) for r in requests.requests] == [(5, 7)]


def test_large_gap_is_asked_for_in_pieces():
    _, requests, handler = gapped(end=102, gap_wait_ns=0, maximum_request_messages=40)
    for t_ns in (2_000, 3_000, 4_000):
        first, count = wanted(requests.requests[-1])
        handler.datagram(2, moldudp64(first, [b"m"] * count), t_ns)
    assert [wanted(r) for r in requests.requests] == [(2, 40), (42, 40), (82, 20)]
    assert handler.next_sequence_number == 103
    assert handler.counters()["requests_partial"] == 0


def test_outstanding_requests_are_bounded():
    requests = RequestCollector()
    handler = FeedHandler(
        Collector(),
        requests,
        gap_wait_ns=0,
        maximum_outstanding=3,
        request_retry_ns=10_000,
        request_rate_per_second=1_000_000,
        request_limit=3,
    )
    for number in range(1, 41, 2):
        handler.datagram(0, moldudp64(number, [b"x"]), number)
    assert handler.gaps()["open"] == 19
    assert [wanted(r)[0] for r in requests.requests] == [2, 4, 6]
    handler.datagram(2, moldudp64(4, [b"m"]), 5_000)
    assert [wanted(r)[0] for r in requests.requests] == [2, 4, 6, 8]
    requests.take()
    sent = []
    for t_ns in range(10_000, 300_000, 100):
        handler.timer(t_ns)
        sent += [t_ns] * len(requests.take())
        assert sum(t_ns - when < 10_000 for when in sent) <= 3
    assert handler.counters()["gaps_never"] == 18
    assert len(sent) == 18 * 3 - 3


def test_request_rate_is_limited():
    requests = RequestCollector()
    handler = FeedHandler(
        Collector(),
        requests,
        gap_wait_ns=0,
        maximum_outstanding=5,
        request_rate_per_second=1_000,
        request_retry_ns=1,
        request_limit=1_000_000,
    )
    for number in range(1, 41, 2):
        handler.datagram(0, moldudp64(number, [b"x"]), number)
    assert len(requests.take()) == 5
    sent = []
    for t_ns in range(1_000, 20 * MILLISECOND, 10_000):
        handler.timer(t_ns)
        sent += [t_ns] * len(requests.take())
    # five at once, then one each millisecond
    assert 19 <= len(sent) <= 20
    assert all(b - a >= 990_000 for a, b in pairwise(sent))
    assert handler.counters()["requests_deferred"] > 0


def test_unanswered_requests_are_repeated_then_given_up():
    collector, requests, handler = gapped(
        gap_wait_ns=0, request_retry_ns=1_000, request_limit=3, gap_limit_ns=10**12
    )
    for t_ns in range(1_000, 3_999, 100):
        handler.timer(t_ns)
    assert [wanted(r) for r in requests.requests] == [(2, 10)] * 3
    assert handler.gaps()["open"] == 1
    handler.timer(4_000)
    assert collector.events[1:] == [("lost", 2, 11), ("message", 12, b"y")]
    counters = handler.counters()
    assert (counters["requests"], counters["requests_retried"]) == (3, 2)
    assert (counters["gaps_never"], counters["messages_lost"]) == (1, 10)
    handler.datagram(2, moldudp64(2, [b"late"] * 10), 5_000)
    assert len(collector.messages) == 2
    assert handler.counters()["duplicates_unknown"] == 10


def test_refused_requests_are_counted_and_repeated():
    _, requests, handler = gapped(gap_wait_ns=100, request_retry_ns=1_000)
    requests.accepting = False
    handler.timer(1_100)
    assert handler.counters()["requests_refused"] == 1
    requests.accepting = True
    handler.timer(2_099)
    assert requests.requests == []
    handler.timer(2_100)
    assert [wanted(r) for r in requests.requests] == [(2, 10)]


def test_gap_limit_counts_from_the_last_progress():
    collector, _, handler = gapped(gap_wait_ns=0, gap_limit_ns=1_000, request_retry_ns=10**9)
    handler.datagram(1, moldudp64(2, [b"m"] * 3), 1_900)
    handler.timer(2_899)
    assert handler.gaps()["open"] == 1
    handler.timer(2_900)
    assert ("lost", 5, 11) in collector.events
    gap = handler.gaps()["list"][0]
    assert (gap["first"], gap["last"], gap["how"]) == (2, 11, "never")
    assert gap["filled"] == {"a": 0, "b": 3, "re_request": 0}


def test_gaps_behind_a_lost_one_are_still_recovered():
    collector, _, handler = gapped(gap_wait_ns=0, gap_limit_ns=1_000, request_retry_ns=10**9)
    handler.datagram(0, moldudp64(15, [b"z"]), 1_900)
    handler.timer(2_000)
    assert collector.events[-2:] == [("lost", 2, 11), ("message", 12, b"y")]
    handler.datagram(2, moldudp64(13, [b"13", b"14"]), 2_100)
    assert [n for n, _ in collector.messages] == [1, 12, 13, 14, 15]
    assert handler.state == "live"


def test_a_gap_has_its_whole_time_once_those_in_front_of_it_are_recovered():
    collector, requests, handler = gapped(
        first=2,
        end=4,
        gap_wait_ns=0,
        gap_limit_ns=1_000,
        maximum_outstanding=1,
        request_rate_per_second=1_000_000,
    )
    handler.datagram(0, moldudp64(7, [b"z"]), 1_000)
    handler.datagram(2, moldudp64(2, [b"2"]), 1_900)
    handler.datagram(2, moldudp64(3, [b"3"]), 2_800)
    handler.timer(3_799)
    assert wanted(requests.requests[-1]) == (5, 2)
    assert handler.gaps()["never"] == 0
    handler.datagram(2, moldudp64(5, [b"5"]), 3_799)
    handler.timer(4_798)
    assert [n for n, _ in collector.messages] == [1, 2, 3, 4, 5]
    handler.timer(4_799)
    assert collector.events[-2:] == [("lost", 6, 6), ("message", 7, b"z")]


def test_without_requests_a_full_stash_gives_up_the_front_gap():
    collector = Collector()
    handler = FeedHandler(collector, stash_packets=4, gap_limit_ns=10**12)
    handler.datagram(0, moldudp64(1, [b"x"]), 0)
    for number in range(3, 9):
        handler.datagram(0, moldudp64(number, [b"x"]), number)
    assert [n for n, _ in collector.messages] == [1, 3, 4, 5, 6, 7, 8]
    counters = handler.counters()
    assert (counters["stash_full"], counters["messages_lost"], counters["gaps_never"]) == (1, 1, 1)


def test_with_requests_a_full_stash_loses_nothing():
    collector, requests = Collector(), RequestCollector()
    handler = FeedHandler(collector, requests, stash_packets=2, gap_wait_ns=0)
    for number in (1, 3, 4, 5, 6):
        handler.datagram(0, moldudp64(number, [b"x"]), number)
    assert handler.counters()["stash_full"] == 2
    handler.datagram(2, moldudp64(2, [b"x"]), 10)
    assert handler.next_sequence_number == 5
    assert wanted(requests.requests[-1])[0] == 5
    handler.datagram(2, moldudp64(5, [b"x", b"x"]), 20)
    assert handler.next_sequence_number == 7
    assert handler.gaps()["open"] == 0


def test_datagram_too_long_to_wait_is_asked_for_later():
    collector, requests = Collector(), RequestCollector()
    handler = FeedHandler(collector, requests, stash_datagram_bytes=64, gap_wait_ns=0)
    handler.datagram(0, moldudp64(1, [b"x"]), 1)
    handler.datagram(0, moldudp64(3, [b"x" * 100]), 2)
    assert handler.counters()["stash_too_long"] == 1
    handler.datagram(1, moldudp64(2, [b"x"]), 3)
    handler.datagram(0, moldudp64(4), 4)
    assert wanted(requests.requests[-1]) == (3, 1)
    handler.datagram(2, moldudp64(3, [b"x" * 100]), 5)
    assert handler.next_sequence_number == 4


def test_full_gap_table_loses_nothing():
    collector, requests = Collector(), RequestCollector()
    handler = FeedHandler(collector, requests, maximum_open_gaps=2, gap_wait_ns=0)
    for number in range(1, 13, 2):
        handler.datagram(0, moldudp64(number, [b"x"]), number)
    assert handler.gaps()["open"] == 2
    assert handler.counters()["gap_table_full"] == 3
    for t_ns in range(100, 200):
        for request in requests.take():
            first, count = wanted(request)
            handler.datagram(2, moldudp64(first, [b"x"] * count), t_ns)
    assert [n for n, _ in collector.messages] == list(range(1, 12))
    assert handler.gaps()["open"] == 0


def test_late_join_recovers_the_session_from_its_start():
    random = Random(1)
    messages = day(random, 3_000)
    collector, requests = Collector(), RequestCollector()
    handler = FeedHandler(
        collector, requests, start=1, maximum_gap_messages=100, request_rate_per_second=10**6
    )
    t_ns = 0
    for packet in cut(random, messages)[-100:]:
        t_ns += 1_000_000
        handler.datagram(0, packet, t_ns)
        for request in requests.take():
            reply = answer(request, messages, 40)
            handler.datagram(2, reply, t_ns)
    assert collector.messages == list(enumerate(messages, 1))


def test_iextp_gap_fill_request():
    requests = RequestCollector()
    handler = FeedHandler(
        Collector(), requests, transport="iextp", gap_wait_ns=0, request_retry_ns=1_000
    )
    handler.datagram(0, iextp(1, [b"a"], channel=3, session=0xABCDEF01), 1)
    handler.datagram(0, iextp(5, [b"e"], offset=12, channel=3, session=0xABCDEF01), 2)
    (request,) = requests.take()
    header = decode_as(IEXTP, "gap_fill_request", request)
    assert header.pop("payload") == struct.pack("<qq", 2, 4)
    assert header == {
        "version": 1,
        "request_type": REQUEST_SEQUENCED_MESSAGES,
        "message_protocol_id": MESSAGE_PROTOCOL_DEEP10,
        "channel_id": 3,
        "session_id": 0xABCDEF01,
        "request_range_count": 1,
    }
    # the answer may be several segments: the rest is asked for when they stop
    handler.datagram(2, iextp(2, [b"b"], channel=3, session=0xABCDEF01), 500)
    handler.timer(1_499)
    assert requests.take() == []
    handler.timer(1_500)
    assert requests.take()[0][16:] == struct.pack("<qq", 3, 4)
    assert handler.datagram(2, iextp(3, [b"c", b"d"], channel=3, session=0xABCDEF01), 1_600) == 3
