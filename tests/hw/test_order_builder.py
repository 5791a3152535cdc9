# SPDX-License-Identifier: Apache-2.0
"""The order builder against its reference: frames byte for byte, refusals by name."""

import os
import random

import numpy as np
import pytest
from order_builder_support import (
    LONGEST_FRAME_CYCLES,
    SYMBOLS,
    Bench,
    address,
    payload_feed,
    random_order,
    verdict,
)
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Dot1Q, Ether

from hw.order_builder_reference import CANCEL, NEW, Order
from nic.offload.builder_enumerations import BUILDER
from nic.offload.order_template import HOST_WORDS, OrderLetters
from nic.wire.scapy_layers import SoupStream, layer

SEED = int(os.environ.get("TICKWIRE_SEED", "20"))
TAG = 0x6123
ORDERS = 120
GAP_BEATS = 3
ENTER = Order(action=NEW, symbol=SYMBOLS[3], quantity=100, price=1_000_000, user_ref_num=1)


def bench(**options):
    print(f"TICKWIRE_SEED={SEED}")
    return Bench(seed=SEED, **options).load().connect()


@pytest.mark.parametrize("ready", [1.0, 0.5, 0.15])
@pytest.mark.parametrize("tag", [None, TAG])
@pytest.mark.parametrize("firm", ["", "ABCD"])
def test_random_orders_are_built_as_the_reference_says(ready, tag, firm):
    letters = OrderLetters(firm=firm, display="N", capacity="A", cross_type="O")
    desk = bench(where=address(tag_control=tag), letters=letters, ready=ready)
    rng = random.Random(SEED)
    for _ in range(ORDERS):
        seen = desk.order(random_order(rng))
        assert seen.first_beats == [1], "the first beat is there one cycle after the verdict"
        dissect(seen.frames[0], tag)
        done = desk.reference.next_sequence_number
        desk.change(unacknowledged=done, acknowledgment_number=rng.randrange(1 << 32),
                    window=rng.randrange(1 << 16))  # fmt: skip
    assert desk.counts["orders_sent"] == ORDERS
    desk.same_state()


def dissect(frame, tag):
    """Scapy finds the layers, and makes the same checksums and lengths."""
    packet = Ether(frame)
    assert (packet[Dot1Q].vlan if tag else None) == (tag & 0xFFF if tag else None)
    again = packet.copy()
    del again[IP].chksum, again[IP].len, again[TCP].chksum
    again = Ether(bytes(again))
    for name, proto in (("chksum", IP), ("len", IP), ("chksum", TCP)):
        assert getattr(packet[proto], name) == getattr(again[proto], name)
    (soup,) = SoupStream(bytes(packet[TCP].payload)[: packet[IP].len - 40]).packets
    assert type(soup) is layer("soupbintcp", "unsequenced_data")
    assert soup.payload.message.name in (
        "enter_order", "replace_order_request", "cancel_order_request")  # fmt: skip


@pytest.mark.parametrize("tag", [None, TAG])
def test_payloads_of_every_length(tag):
    desk = bench(where=address(tag_control=tag), ready=0.7)
    rng = random.Random(SEED)
    for size in range(1, HOST_WORDS * 8 + 1):
        seen = desk.payload(rng.randbytes(size))
        assert len(seen.frames[0]) == max(60, 54 + (4 if tag else 0) + size)
        desk.change(unacknowledged=desk.reference.next_sequence_number)
    for size in (HOST_WORDS * 8 + 1, HOST_WORDS * 8 + 8, 1000):
        desk.payload(rng.randbytes(size))
    desk.payload(b"R")
    desk.order(ENTER)
    assert desk.counts["payload_too_long"] == 3
    desk.same_state()


def test_payloads_of_ones_carry_round():
    desk = bench()
    for size in (2, 8, 63, 184):
        desk.payload(b"\xff" * size)
    desk.order(random_order(random.Random(SEED), action=NEW, quantity=0xFFFFF, price=0x7FFFFFFF))
    desk.same_state()


def test_random_histories():
    rng = random.Random(SEED)
    desk = bench(ready=0.8)
    for _ in range(1500):
        kind = rng.random()
        if kind < 0.5:
            venue = rng.choice([0] * 9 + [5])
            desk.order(random_order(rng, venue=venue, action=rng.choice([0, 0, 1, 2, 2, 3])))
        elif kind < 0.65:
            desk.payload(rng.randbytes(rng.randrange(1, 200)))
        elif kind < 0.75:
            desk.resend(rng.randrange(desk.reference.slots))
        elif kind < 0.95:
            sent = desk.reference.next_sequence_number
            back = rng.choice([0, 0, 0, 50, 400, 1000, -5])
            desk.change(
                unacknowledged=(sent - back) % (1 << 32),
                peer_window=rng.choice([0, 63, 64, 113, 114, 500, 1 << 20, (1 << 32) - 1]),
                maximum_in_flight=rng.choice([100, 400, 1100, 1 << 20]),
                is_armed=rng.choice([0, 1, 1, 1, 1]),
            )
        else:
            desk.change(is_connected=0)
            desk.order(ENTER)
            desk.payload(b"lost")
            desk.resend(0)
            desk.connect(rng.choice([0, 0xFFFFFF00, rng.randrange(1 << 32)]))
    reached = {name for name, count in desk.counts.items() if count}
    assert set(BUILDER.names) - reached == {
        "template_not_loaded", "builder_busy", "template_write_refused"}  # fmt: skip
    desk.same_state()


def test_sequence_numbers_wrap():
    desk = bench().change(is_connected=0).connect((1 << 32) - 60)
    for _ in range(4):
        desk.order(ENTER)
    assert desk.reference.next_sequence_number == 4 * 50 - 60
    assert desk.counts["orders_sent"] == 4
    desk.same_state()


def test_what_is_missing_is_named():
    desk = Bench(seed=SEED)
    desk.order(ENTER)
    desk.payload(b"login")
    desk.connect()
    desk.order(ENTER)
    desk.payload(b"login")
    desk.change(is_connected=0).load().connect(is_armed=0)
    desk.order(ENTER)
    assert len(desk.payload(b"login").frames) == 1
    desk.run(2, template_valid=1, template_write={"address": 0, "data": 0})
    desk.reference.counts["template_write_refused"] += 1
    desk.change(is_armed=1)
    assert len(desk.order(ENTER).frames) == 1
    wanted = dict.fromkeys(BUILDER.names, 0) | {
        "not_connected": 2,
        "not_armed": 1,
        "template_not_loaded": 2,
        "template_write_refused": 1,
        "orders_sent": 1,
        "payloads_sent": 1,
    }
    assert desk.counts == wanted
    desk.same_state()


def test_templates_are_whole_or_not_loaded():
    desk = bench()
    desk.order(ENTER)
    desk.change(is_connected=0)
    desk.run(1, template_valid=1, template_write={"address": 3, "data": 99})
    desk.reference.templates_loaded = False
    desk.connect()
    desk.order(ENTER)
    desk.change(is_connected=0).load().connect()
    desk.order(ENTER)
    desk.same_state()


def test_a_refused_verdict_sends_nothing():
    desk = bench()
    payload = verdict(ENTER, passed=0)
    desk.run(20, verdict__valid=np.ones(20, np.uint8), verdict__payload=payload)
    desk.idle(60).same_state()


def pulses(cycles, *at):
    valid = np.zeros(cycles, np.uint8)
    valid[list(at)] = 1
    return valid


@pytest.mark.parametrize("second", range(1, 25))
def test_an_order_waits_for_the_frame_before(second):
    desk = bench(ready=0.6 if second % 2 else 1.0)
    payload = verdict(ENTER)
    seen = desk.run(140, verdict__valid=pulses(140, 0, second), verdict__payload=payload)
    assert seen.frames == [desk.reference.order(ENTER)[1] for _ in range(2)]
    if desk.ready == 1.0:
        beats = -(-len(seen.frames[0]) // 8)
        soonest = 1 + beats + GAP_BEATS  # room for check sequence, gap and preamble
        assert seen.first_beats == [1, max(soonest, second + 1)]
    assert [outcome["result"] for outcome in seen.outcomes] == ["orders_sent"] * 2
    desk.same_state()


def test_a_third_order_is_refused_by_name_and_number():
    desk = bench()
    numbers = np.zeros((140, 1), np.uint64)
    numbers[:6, 0] = range(1, 7)
    payload = {**verdict(ENTER), "user_ref_num": numbers[:, 0], "pass_number": numbers[:, 0]}
    seen = desk.run(140, verdict__valid=pulses(140, 0, 1, 2, 5), verdict__payload=payload)
    results = {o["user_ref_num"]: o["result"] for o in seen.outcomes}
    assert results == {1: "orders_sent", 2: "orders_sent", 3: "builder_busy", 6: "builder_busy"}
    assert desk.counts["builder_busy"] == 2
    wanted = [Order(**{**fields(ENTER), "user_ref_num": number}) for number in (1, 2)]
    assert seen.frames == [desk.reference.order(order)[1] for order in wanted]


def fields(order):
    return {name: getattr(order, name) for name in order.__dataclass_fields__}


def test_orders_given_when_free_and_up_all_leave():
    """Whatever the host sends meanwhile, and however little room there is."""
    rng = random.Random(SEED)
    desk = bench(ready=0.7).change(maximum_in_flight=300)
    given = 0
    refused_before = 0
    for _ in range(400):
        cycles = rng.randrange(1, 60)
        feeds = {}
        if rng.random() < 0.5:
            feeds["payload"] = payload_feed(rng.randbytes(rng.randrange(1, 80)))
        row = desk.run(1).rows[0]
        free = row["is_free"] and row["is_up"]
        seen = desk.run(cycles, feeds, verdict__valid=int(free), verdict__payload=verdict(ENTER))
        given += bool(free)
        results = [outcome["result"] for outcome in seen.outcomes if outcome["is_order"]]
        assert set(results) <= {"orders_sent"}
        refused_before += not row["is_up"]
        if rng.random() < 0.3:
            desk.run(150)
            number = int(desk.run(1).rows[0]["next_sequence_number"])
            desk.reference.connection.unacknowledged = number
            desk.run(12)
    desk.run(200)
    assert desk.counts["orders_sent"] == given > 80
    assert refused_before > 20
    assert desk.counts["in_flight_limit"] > 0, "payloads keep the room of an order free"


def test_a_transmit_side_that_never_takes_holds_everything_and_goes_on():
    desk = bench()
    frame = desk.reference.order(ENTER)[1]
    desk.ready = 0.0
    assert not desk.run(300, verdict__valid=1, verdict__payload=verdict(ENTER)).frames
    desk.ready = 1.0
    assert desk.run(LONGEST_FRAME_CYCLES).frames == [frame]
    desk.order(Order(action=CANCEL, order_number=7))
    desk.same_state()
