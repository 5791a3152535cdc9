# SPDX-License-Identifier: Apache-2.0
"""The replay ring behind the order builder: what left is kept, read, and sent again as it was."""

import os
import random

import numpy as np
import pytest
from order_builder_support import SLOTS, Bench, address, random_order

from hw.replay_ring import ReplayRing
from sim.gateware import harness
from sim.gateware.harness import Feed

SEED = int(os.environ.get("TICKWIRE_SEED", "21"))


def bench(**options):
    print(f"TICKWIRE_SEED={SEED}")
    return Bench(seed=SEED, **options).load().connect()


def fill(desk, rng, count):
    for _ in range(count):
        if rng.randrange(2):
            desk.order(random_order(rng))
        else:
            desk.payload(rng.randbytes(rng.randrange(1, 185)))


@pytest.mark.parametrize("tag", [None, 7])
def test_segments_are_read_as_they_left(tag):
    desk = bench(where=address(tag_control=tag), ready=0.6)
    rng = random.Random(SEED)
    for _ in range(12):
        fill(desk, rng, rng.randrange(1, 4))
        for back in range(min(desk.reference.segments, SLOTS)):
            number = desk.reference.segments - 1 - back
            kept = desk.reference.ring[number % SLOTS]
            assert desk.segment(number % SLOTS) == (
                number, kept.sequence_number, len(kept.payload), kept.frame)  # fmt: skip
    desk.same_state()


def test_segments_are_sent_again_as_they_were():
    desk = bench(ready=0.6)
    rng = random.Random(SEED)
    for _ in range(20):
        fill(desk, rng, 1)
        for slot in range(SLOTS):
            desk.resend(slot)
    assert desk.counts["resend_refused"] == 3 + 2 + 1
    desk.change(is_connected=0).connect()
    for slot in range(SLOTS):
        desk.resend(slot)
    assert desk.counts["resend_refused"] == 6 + SLOTS, "a new connection begins with an empty ring"
    desk.same_state()


def test_lost_segments_are_counted():
    desk = bench()
    rng = random.Random(SEED)
    fill(desk, rng, SLOTS)
    assert desk.counts["overwritten_unacknowledged"] == 0
    fill(desk, rng, 1)
    assert desk.counts["overwritten_unacknowledged"] == 1
    oldest = min(desk.reference.ring.values(), key=lambda segment: segment.sequence_number)
    end = oldest.sequence_number + len(oldest.payload)
    desk.change(unacknowledged=end - 1)
    fill(desk, rng, 1)
    assert desk.counts["overwritten_unacknowledged"] == 2
    desk.change(unacknowledged=desk.reference.next_sequence_number)
    fill(desk, rng, SLOTS)
    assert desk.counts["overwritten_unacknowledged"] == 2
    desk.same_state()


def test_the_host_reads_while_a_segment_is_sent_again():
    desk = bench(ready=0.5)
    rng = random.Random(SEED)
    fill(desk, rng, SLOTS)
    layout = desk.model.ports["ring_read__payload"].layout
    wanted = [(slot, word) for slot in range(SLOTS) for word in range(6)] * 4
    slots, words = np.array(wanted).T
    rows = harness.pack_rows(layout, {"slot": slots, "word": words}, len(wanted))
    for start in range(8):
        feed = Feed(rows, 0)
        resend = np.zeros(250, np.uint8)
        resend[start : start + 2] = 1  # looked up in the first cycle, taken in the second
        seen = desk.run(250, {"ring_read": feed}, resend_valid=resend, resend_slot=1)
        assert seen.frames == [desk.reference.resend(1)]
        found = seen.rows["ring_data"][np.flatnonzero(seen.rows["ring_valid"])]
        kept = [desk.reference.ring[slot].frame[8 * word : 8 * word + 8] for slot, word in wanted]
        assert [int(word).to_bytes(8, "little") for word in found] == kept
    desk.same_state()


@pytest.mark.parametrize("slots", [0, 1, 3, 2048])
def test_slots_are_a_power_of_two(slots):
    ring = ReplayRing.__new__(ReplayRing)
    ring._MustUse__silence = True  # it is refused before it would be used
    with pytest.raises(ValueError, match=f"slots is {slots}"):
        ring.__init__(slots)
