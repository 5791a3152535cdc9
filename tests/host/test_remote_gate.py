# SPDX-License-Identifier: Apache-2.0
"""A strategy host's side of an order line: what it makes of a feed host that does not behave."""

import random
import time

import pytest
from order_line_support import Host, Notes

from host.ipc.broadcast import BroadcastWriter
from host.ipc.enumerations import LINE_ACTION, LINE_REFUSAL, LINE_REPORT
from host.ipc.event_layout import CONTENT, EVENT_BYTES, FEED
from host.ipc.order_layout import ORDER_LINE, SLOT_BYTES
from host.ipc.order_socket import SUFFIX, OrderServer
from host.oms.enumerations import EVENT, ORDER_STATE
from host.remote.remote_gate import REFUSED_BEFORE_THE_GATE
from nic.wire.reference import decode_as, encode

SLOTS = 32


def put(slot, name, value):
    """Write one field of a report."""
    field = ORDER_LINE["report"][name]
    slot[field.offset : field.end] = value.to_bytes(field.width, "little")


class FeedHost:
    """A publisher of one symbol, and a feed host whose answers a test makes by hand."""

    def __init__(self, folder):
        self.ring = str(folder / "feed")
        self.writer = BroadcastWriter(self.ring, slots=64, slot_bytes=EVENT_BYTES, content=CONTENT)
        self.server = OrderServer(self.ring + SUFFIX, slots=SLOTS)
        event = {f.name: 0 for f in FEED["event"]} | {"reserved": b"\0"}
        top = {"kind": 10, "symbol": b"TICK", "symbol_index": 3, "bid_price": 1_000_000}
        self.writer.publish_event(encode(FEED, "event", event | top))
        self.notes = Notes()
        self.host = Host(self.ring, self.notes, "tested")
        end = time.monotonic() + 5
        while not self.server.arrived:
            assert time.monotonic() < end
            time.sleep(0.001)
        self.line = self.server.arrived.popleft()

    def say(self, kind, **values):
        whole = {f.name: 0 for f in ORDER_LINE["report"]}
        whole |= {"reserved_1": b"\0", "reserved_2": b"\0\0", "length": SLOT_BYTES}
        whole |= {"kind": LINE_REPORT.value(kind), **values}
        assert self.line.sender.send(encode(ORDER_LINE, "report", whole))
        self.host.turn()

    def open(self):
        self.say("opened", user_ref_num=5)
        self.host.engine.start()
        return self

    def buy(self):
        return self.notes.orders.buy("TICK", 100, 990_000)

    def heard(self):
        found = []
        while (slot := self.line.receiver.receive()) is not None:
            found.append(decode_as(ORDER_LINE, "request", slot))
        # that the host lives it says when it likes
        return [request for request in found if request["action"] != LINE_ACTION.value("alive")]

    def close(self):
        self.line.close()
        self.host.close()
        self.server.close()
        self.writer.close()


@pytest.fixture
def feed_host(tmp_path):
    found = FeedHost(tmp_path)
    yield found
    found.close()


def test_nothing_is_sent_before_the_line_is_open(feed_host):
    feed_host.host.turn()
    feed_host.host.engine.start()
    assert feed_host.buy() == 0
    feed_host.open()
    assert feed_host.host.gate.strategy_number == 5
    handle = feed_host.buy()
    assert handle
    (request,) = feed_host.heard()
    assert (request["symbol"].strip(), request["symbol_index"]) == (b"TICK", 3)
    assert (request["handle"], request["request_number"]) == (handle, 1)
    assert (chr(request["side"]), request["quantity"], request["price"]) == ("B", 100, 990_000)


def test_a_full_ring_refuses_and_nothing_is_forgotten(feed_host):
    feed_host.open()
    feed_host.heard()
    handles = [feed_host.buy() for _ in range(SLOTS + 5)]
    assert handles[:SLOTS] == list(range(1, SLOTS + 1)) and not any(handles[SLOTS:])
    assert [r["request_number"] for r in feed_host.heard()] == list(range(1, SLOTS + 1))
    assert feed_host.buy() > SLOTS
    assert feed_host.heard()[0]["request_number"] == SLOTS + 1
    counters = feed_host.host.gate.counters()
    assert (counters["not_sent"], counters["open_orders"]) == (5, SLOTS + 1)


def test_requests_that_were_never_answered_are_told(feed_host):
    feed_host.open()
    handles = [feed_host.buy() for _ in range(3)]
    feed_host.say("taken", action=1, handle=handles[2], request_number=3, user_ref_num=77)
    reason = REFUSED_BEFORE_THE_GATE + LINE_REFUSAL.value("sequence_gap")
    told = [(e["event"], e["user_ref_num"], e["reason"]) for e in feed_host.notes.events]
    assert told == [("refused", handles[0], reason), ("refused", handles[1], reason)]
    counters = feed_host.host.gate.counters()
    assert (counters["lost_answers"], counters["taken"], counters["open_orders"]) == (2, 1, 1)


@pytest.mark.parametrize("number", [0, 2, 1 << 40])
def test_an_answer_to_nothing_is_counted(feed_host, number):
    feed_host.open()
    handle = feed_host.buy()
    feed_host.say("refused", handle=handle, request_number=number, refusal=1, reason=9)
    assert feed_host.notes.events == []
    assert feed_host.host.gate.counters()["unknown"] == 1
    assert feed_host.host.gate.open_orders == 1


def test_an_events_position_is_what_later_refusals_show(feed_host):
    feed_host.open()
    first = feed_host.buy()
    executed = {"event": EVENT.value("executed"), "state": ORDER_STATE.value("filled")}
    feed_host.say("event", handle=first, symbol_index=3, quantity=100, position=700, **executed)
    second = feed_host.buy()
    feed_host.say("refused", request_number=2, refusal=2, symbol_index=3, position=700)
    events = feed_host.notes.events
    assert [(e["event"], e["user_ref_num"], e["position"]) for e in events] == [
        ("executed", first, 700),
        ("refused", second, 700),
    ]
    assert feed_host.host.gate.open_orders == 0


def test_noise_is_survived(feed_host):
    feed_host.open()
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(3_000):
        if chance.random() < 0.2:
            feed_host.buy()
            feed_host.heard()
        slot = bytearray(chance.randbytes(SLOT_BYTES))
        put(slot, "kind", chance.choice([0, 2, 3, 4, 4, 6, 255]))  # any report but the end
        if chance.random() < 0.5:
            put(slot, "handle", chance.randrange(1, 40))
            put(slot, "event", chance.randrange(14))
            put(slot, "state", chance.randrange(ORDER_STATE.count + 1))
            put(slot, "request_number", chance.randrange(60))
        assert feed_host.line.sender.send(bytes(slot))
        feed_host.host.turn()
    counters = feed_host.host.gate.counters()
    assert counters["unknown"] > 500 and counters["events"] > 50
    assert feed_host.notes.events and "error" not in feed_host.host.engine.strategies()[0].report()
    assert 0 <= counters["open_orders"] <= counters["requests"]
    feed_host.say("closed", refusal=LINE_REFUSAL.value("stopped"))
    assert feed_host.host.gate.ended_by() == "stopped"
    assert feed_host.buy() == 0


def test_an_end_that_this_version_does_not_know_is_one(feed_host):
    feed_host.open()
    feed_host.say("closed", refusal=200)
    assert feed_host.host.gate.ended_by() == "reason_200"


def test_lost_reports_are_the_end(feed_host):
    feed_host.open()
    half = feed_host.line.memory.size_bytes // 2
    feed_host.line.memory.write(half + 3 * SLOT_BYTES - 8, (9).to_bytes(8, "little"))
    feed_host.host.turn()
    assert feed_host.host.gate.ended_by() == "lost_slots"
