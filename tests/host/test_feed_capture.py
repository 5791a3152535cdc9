# SPDX-License-Identifier: Apache-2.0
"""Real captures through the feed handler; needs ``TICKWIRE_DATA``."""

import os
from pathlib import Path

import pytest
from feed_support import udp_payloads

from host.feed.collector import Collector
from host.feed.enumerations import ERRORS
from host.feed.handler import FeedHandler

DATA = os.environ.get("TICKWIRE_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="TICKWIRE_DATA is not set")


def replay(restart):
    collector = Collector()
    handler = FeedHandler(collector, transport="iextp", restart=restart)
    t_ns = 0
    for t_ns, payload in udp_payloads(Path(DATA or "") / "iex" / "DEEP10.pcap.gz"):
        handler.datagram(0, payload, t_ns)
    handler.finish(t_ns)
    return collector, handler


def test_iex_day_with_publisher_restarts():
    collector, handler = replay("detect")
    counters = handler.counters()
    assert counters["packets_a"] == 121_314
    assert counters["heartbeats"] == 7_937
    assert counters["messages"] == len(collector.messages) == 391_999
    assert handler.restarts == collector.events.count(("restart", "publisher")) == 11
    assert counters["gaps"] == counters["jumps_a"] == counters["duplicates_a"] == 0
    assert {name: counters[name] for name in ERRORS if counters[name]} == {}
    expected = 1
    for event in collector.events:
        if event[0] == "restart":
            expected = 1
        else:
            assert event[:2] == ("message", expected)
            expected += 1


def test_iex_day_taken_strictly_is_one_run_and_duplicates():
    _, handler = replay("strict")
    counters = handler.counters()
    assert handler.restarts == 0
    assert counters["messages"] + counters["duplicates_a"] == 391_999
    assert counters["duplicates_a"] > 200_000
