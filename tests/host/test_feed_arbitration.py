# SPDX-License-Identifier: Apache-2.0
"""Arbitration of two lines against the readable reference, and case by case."""

from random import Random

import pytest
from feed_support import SESSION, cut, day, end_of_session, iextp, moldudp64

from host.feed.collector import Collector
from host.feed.handler import FeedHandler
from host.feed.reference import Arbiter
from sim.network import LossyNetwork

REFERENCE_ERRORS = (
    "too_short",
    "wrong_version",
    "wrong_protocol",
    "payload_length_mismatch",
    "count_beyond_datagram",
    "block_beyond_datagram",
    "trailing_bytes",
    "sequence_out_of_range",
    "foreign_session",
    "foreign_channel",
    "previous_run",
    "data_after_end",
    "end_below_expected",
)
FOREVER = 1 << 60


def compare(datagrams, **options):
    """Events and errors of the handler and of the reference must be the same."""
    collector = Collector()
    handler = FeedHandler(collector, gap_limit_ns=FOREVER, stale_ns=FOREVER, **options)
    for t_ns, (line, payload) in enumerate(datagrams):
        handler.datagram(line, payload, t_ns)
    handler.finish(len(datagrams))
    arbiter = Arbiter(**options)
    assert collector.events == arbiter.run(datagrams)
    counters = handler.counters()
    assert {name: counters[name] for name in REFERENCE_ERRORS} == {
        name: arbiter.errors[name] for name in REFERENCE_ERRORS
    }
    return collector, handler


def lines(random, packets_a, packets_b, **faults):
    """Both lines through lossy networks, merged at random with each line's order kept."""
    queues = []
    for packets in (packets_a, packets_b):
        network = LossyNetwork(random.getrandbits(32), **faults)
        arrived = [d for i, p in enumerate(packets) for _, d in network.send(p, i)]
        queues.append(arrived + [d for _, d in network.flush(len(packets))])
    merged = []
    while any(queues):
        line = random.choice([i for i in (0, 1) if queues[i]])
        for _ in range(min(random.randint(1, 3), len(queues[line]))):
            merged.append((line, queues[line].pop(0)))
    return merged


@pytest.mark.parametrize("seed", range(40))
def test_moldudp64_equals_reference(seed):
    random = Random(seed)
    messages = day(random, 400)
    faults = {
        "drop": 0.1,
        "duplicate": 0.1,
        "reorder": 0.1,
        "reorder_depth": 6,
        "corrupt": 0.03,
        "truncate": 0.03,
    }
    packets = [cut(random, messages), cut(random, messages)]
    for each in packets:
        for at in sorted(random.sample(range(len(each)), 5), reverse=True):
            each.insert(at, moldudp64(random.randrange(1, 400), session=b"FOREIGN   "))
        each.append(end_of_session(401))
    options = {
        "start": random.choice(["first", 1, 50]),
        "restart": random.choice(["strict"] * 3 + ["detect"]),
    }
    compare(lines(random, *packets, **faults), **options)


@pytest.mark.parametrize("seed", range(40))
def test_iextp_with_restarts_equals_reference(seed):
    random = Random(seed)
    packets = [[], []]
    send_time = 0
    for _ in range(4):
        messages = day(random, random.randrange(1, 120))
        start_of_run = send_time
        for line in (0, 1):
            at, offset, send_time = 0, 0, start_of_run
            while at < len(messages):
                if random.random() < 0.1:
                    send_time += 10
                    packets[line].append(iextp(at + 1, offset=offset, send_time=send_time))
                part = messages[at : at + random.randint(1, 5)]
                send_time += 10
                packets[line].append(iextp(at + 1, part, offset=offset, send_time=send_time))
                at += len(part)
                offset += sum(2 + len(m) for m in part)
        send_time = start_of_run + 10_000
    restart = random.choice(["strict", "detect", "detect"])
    faults = {"drop": 0.05, "duplicate": 0.05, "reorder": 0.05, "truncate": 0.02, "corrupt": 0.02}
    compare(lines(random, *packets, **faults), transport="iextp", restart=restart)


def feed(*datagrams, **options):
    collector = Collector()
    handler = FeedHandler(collector, **options)
    for t_ns, (line, payload) in enumerate(datagrams, 1000):
        handler.datagram(line, payload, t_ns)
    return collector, handler


def nonzero(handler):
    return {name: number for name, number in handler.counters().items() if number}


def test_first_wins_and_lead_time_is_recorded():
    collector, handler = feed(
        (0, moldudp64(1, [b"a", b"b"])),
        (1, moldudp64(1, [b"a"])),
        (1, moldudp64(2, [b"b", b"c"])),
        (1, moldudp64(2, [b"b", b"c"])),
        (0, moldudp64(3, [b"c"])),
    )
    assert collector.messages == [(1, b"a"), (2, b"b"), (3, b"c")]
    leads = handler.lead_times()
    assert (leads["a"]["count"], leads["a"]["min"], leads["a"]["max"]) == (3, 1, 3)
    assert (leads["b"]["count"], leads["b"]["min"]) == (1, 2)
    assert nonzero(handler) == {
        "packets_a": 2,
        "packets_b": 3,
        "messages": 3,
        "messages_a": 2,
        "messages_b": 1,
        "duplicates_a": 1,
        "duplicates_b": 4,
        "duplicates_same_line": 1,
    }


def test_lines_cut_differently_deliver_each_message_once():
    messages = [bytes([i]) for i in range(1, 21)]
    datagrams = []
    for at in range(0, 20, 5):
        datagrams.append((0, moldudp64(at + 1, messages[at : at + 5])))
    for at in range(0, 20, 4):
        datagrams.insert(at // 2, (1, moldudp64(at + 1, messages[at : at + 4])))
    collector, handler = feed(*datagrams)
    assert collector.messages == list(enumerate(messages, 1))
    counters = handler.counters()
    assert counters["duplicates_a"] + counters["duplicates_b"] == 20


def test_gap_is_detected_within_one_packet_and_closed_by_the_other_line():
    collector, handler = feed((0, moldudp64(1, [b"a"])), (0, moldudp64(4, [b"d"])))
    assert handler.gaps()["open"] == 1
    assert handler.state == "recovering"
    handler.datagram(1, moldudp64(1, [b"a", b"b", b"c"]), 1010)
    assert [m for _, m in collector.messages] == [b"a", b"b", b"c", b"d"]
    gaps = handler.gaps()
    assert (gaps["opened"], gaps["other_line"], gaps["open"]) == (1, 1, 0)
    assert gaps["list"] == [
        {
            "first": 2,
            "last": 3,
            "line": "a",
            "opened_ns": 1001,
            "closed_ns": 1010,
            "how": "other_line",
            "filled": {"a": 0, "b": 2, "re_request": 0},
        }
    ]
    assert handler.state == "live"


def test_reordering_on_one_line_closes_late():
    collector, handler = feed(
        (0, moldudp64(1, [b"a"])), (0, moldudp64(3, [b"c"])), (0, moldudp64(2, [b"b"]))
    )
    assert [n for n, _ in collector.messages] == [1, 2, 3]
    assert handler.gaps()["late"] == 1


def test_gap_whose_middle_arrives_becomes_two():
    collector, handler = feed(
        (0, moldudp64(1, [b"1"])),
        (0, moldudp64(7, [b"7"])),
        (1, moldudp64(4, [b"4"])),
        (1, moldudp64(2, [b"2", b"3"])),
        (0, moldudp64(5, [b"5", b"6"])),
    )
    assert [n for n, _ in collector.messages] == [1, 2, 3, 4, 5, 6, 7]
    gaps = handler.gaps()
    assert (gaps["opened"], gaps["other_line"], gaps["late"]) == (2, 1, 1)


def test_heartbeat_reveals_a_gap_and_an_equal_one_does_not():
    _, handler = feed((0, moldudp64(1, [b"a"])), (0, moldudp64(2)), (1, moldudp64(2)))
    assert handler.gaps()["opened"] == 0
    handler.datagram(0, moldudp64(4), 2000)
    assert handler.gaps()["open"] == 1
    assert handler.datagram(1, moldudp64(2, [b"b", b"c"]), 2001) == 2
    assert handler.counters()["heartbeats"] == 3
    assert handler.next_sequence_number == 4


def test_jump_of_one_line_is_counted_though_the_other_covers_it():
    _, handler = feed(
        (0, moldudp64(1, [b"a"])),
        (0, moldudp64(2, [b"b"])),
        (0, moldudp64(3, [b"c"])),
        (1, moldudp64(1, [b"a"])),
        (1, moldudp64(3, [b"c"])),
    )
    counters = handler.counters()
    assert (counters["jumps_b"], counters["missing_b"], counters["gaps"]) == (1, 1, 0)


def test_end_of_session_waits_for_what_is_missing():
    collector, handler = feed((0, moldudp64(1, [b"a"])), (0, end_of_session(3)))
    assert ("end_of_session",) not in collector.events
    handler.datagram(1, moldudp64(2, [b"b"]), 2000)
    assert collector.events[-2:] == [("message", 2, b"b"), ("end_of_session",)]
    handler.datagram(1, end_of_session(3), 2001)
    assert collector.events.count(("end_of_session",)) == 1
    assert handler.state == "ended"
    handler.timer(FOREVER)
    assert handler.counters()["stale"] == 0


def test_data_after_the_end_is_delivered_and_counted():
    collector, handler = feed(
        (0, moldudp64(1, [b"a"])), (0, end_of_session(2)), (0, moldudp64(2, [b"b"]))
    )
    assert collector.events[-1] == ("message", 2, b"b")
    assert handler.counters()["data_after_end"] == 1
    assert handler.state == "live"
    handler.datagram(0, end_of_session(1), 2000)
    assert handler.counters()["end_below_expected"] == 1
    handler.datagram(0, end_of_session(3), 2001)
    assert collector.events.count(("end_of_session",)) == 2


def test_empty_messages_take_a_sequence_number():
    collector, _ = feed((0, moldudp64(1, [b"", b"x", b""])))
    assert collector.messages == [(1, b""), (2, b"x"), (3, b"")]


def test_only_new_messages_are_announced():
    # the session's first datagram is taken before it is known to be wanted
    collector, handler = feed(
        (0, moldudp64(1, [b"a"])),
        (0, moldudp64(2, [b"b", b"c"])),
        (1, moldudp64(2, [b"b", b"c"])),
        (1, moldudp64(4, [b"d"], b"FOREIGN   ")),
        (0, moldudp64(5, [b"e"])),
    )
    assert collector.prefetches == 2
    handler.datagram(1, moldudp64(4, [b"d"]), 2000)
    assert collector.prefetches == 4


def test_start_says_where_to_begin():
    _, handler = feed((0, moldudp64(10, [b"j"])))
    assert handler.next_sequence_number == 11
    handler.datagram(1, moldudp64(8, [b"h", b"i"]), 2000)
    assert handler.counters()["before_start"] == 2
    collector, handler = feed((0, moldudp64(3, [b"c"])), start=1)
    assert collector.messages == []
    assert handler.gaps()["list"][0]["first"] == 1


def test_waiting_datagrams_are_kept_once():
    collector, handler = feed(
        (0, moldudp64(1, [b"a"])),
        (0, moldudp64(3, [b"c", b"d"])),
        (1, moldudp64(3, [b"c", b"d"])),
        (1, moldudp64(4, [b"d"])),
        (1, moldudp64(2, [b"b"])),
    )
    assert [n for n, _ in collector.messages] == [1, 2, 3, 4]
    counters = handler.counters()
    assert (counters["stashed"], counters["duplicates_b"]) == (1, 3)


def test_trace_tells_where_each_message_came_from():
    collector = Collector()
    handler = FeedHandler(collector)
    collector.follow(handler)
    handler.datagram(0, moldudp64(1, [b"a", b"b"]), 1)
    handler.datagram(0, moldudp64(5, [b"e"]), 2)
    handler.datagram(1, moldudp64(2, [b"b", b"c"]), 3)
    handler.datagram(2, moldudp64(4, [b"d"]), 4)
    assert collector.origins == [(0, 1, 0), (0, 2, 1), (1, 3, 1), (2, 4, 0), (0, 5, 0)]
    with pytest.raises(ValueError):
        Collector().follow(handler)


def test_session_as_given_is_padded():
    _, handler = feed((0, moldudp64(1, [b"a"], b"AB        ")), session="AB")
    assert handler.session == b"AB        "
    assert handler.counters()["messages"] == 1
    assert feed((0, moldudp64(1, [b"a"])))[1].session == SESSION
    for number in (7, "7", b"\7\0\0\0"):
        assert feed(transport="iextp", session=number)[1].session == b"\7\0\0\0"
    assert feed(transport="iextp", session="")[1].session == b""


@pytest.mark.parametrize(
    "options",
    [
        {"transport": "tcp"},
        {"restart": "maybe"},
        {"start": 0},
        {"start": "last"},
        {"session": b"elevenbytes"},
        {"transport": "iextp", "session": b"abc"},
        {"transport": "iextp", "session": "abc"},
        {"gap_limit_ns": 0},
        {"maximum_outstanding": 0},
        {"stash_packets": 0},
        {"request_rate_per_second": 10**9},
    ],
)
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ValueError):
        FeedHandler(Collector(), **options)


def test_unknown_setting_is_refused():
    with pytest.raises(TypeError):
        FeedHandler(Collector(), no_such_setting=1)
