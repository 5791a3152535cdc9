# SPDX-License-Identifier: Apache-2.0
"""The RDMA ring on verbs devices in memory: order, overrun, slow and broken ends."""

import random

import pytest

pytest.importorskip("nic.verbs.ring", reason="libibverbs-dev was missing when this was built")

from verbs_ring_support import Ring

from nic.port import PortError
from nic.verbs.ring import SlotStore
from sim.verbs.fake_device import STATUSES, FakeDevice


@pytest.fixture
def here():
    return FakeDevice("here")


@pytest.fixture
def there():
    return FakeDevice("there")


@pytest.fixture
def ring(here, there):
    made = Ring(here, there, inline_bytes=128)
    yield made
    made.close()
    assert (here.made, there.made) == (0, 0)
    assert not here.overflowed()
    assert not there.overflowed()


def test_everything_arrives_once_and_in_order(ring):
    ring.sender.begin()
    expected = 1
    for burst in range(3000):
        ring.publish(burst % 7)
        ring.sender.flush()
        got = ring.read()
        assert got == list(range(expected, ring.store.published + 1))
        expected = ring.store.published + 1
    assert ring.reader.taken == ring.store.published
    assert (ring.reader.lost, ring.sender.overruns, ring.reader.torn) == (0, 0, 0)


def test_a_burst_is_one_doorbell_and_slots_in_a_row_one_request(ring, here):
    ring.sender.begin()
    ring.read()
    posts, writes = here.posts, ring.sender.writes
    ring.publish(40)
    ring.sender.flush()
    assert here.posts == posts + 1
    assert ring.sender.writes == writes + 1
    assert ring.read() == list(range(1, 41))
    ring.publish(40)  # round the ring's end: two pieces, still one doorbell
    ring.sender.flush()
    assert here.posts == posts + 2
    assert ring.sender.writes == writes + 3
    assert ring.read() == list(range(41, 81))


def test_one_completion_in_many_requests(here, there):
    ring = Ring(here, there, inline_bytes=128, signal_every=32)
    ring.sender.begin()
    for _ in range(3200):
        ring.publish(1)
        ring.sender.flush()
        ring.read()
    assert ring.left.completions <= 3200 // 32 + 1
    assert ring.reader.credits == pytest.approx(3200 / (64 // 8), abs=2)
    ring.close()


def test_a_reader_within_the_store_loses_nothing(ring):
    ring.sender.begin()
    ring.read()
    for _ in range(100):
        ring.publish(64)
        ring.sender.flush()
        first = ring.store.published - 63
        assert ring.read() == list(range(first, first + 64))
    assert ring.reader.lost == 0


def test_nothing_is_written_over_what_was_not_taken(ring):
    ring.sender.begin()
    ring.read()
    ring.publish(64)
    assert ring.sender.flush() == 0
    ring.publish(30)
    assert ring.sender.flush() == 30  # they wait for credit
    assert ring.sender.waits > 0
    assert ring.read()[:64] == list(range(1, 65))
    ring.sender.flush()
    assert ring.read() == list(range(65, 95))
    assert ring.reader.lost == 0


def test_an_overrun_is_told_exactly(ring):
    ring.sender.begin()
    ring.read()
    ring.publish(64)
    ring.sender.flush()
    for _ in range(500):
        ring.publish(1)
        ring.sender.flush()
    got = ring.read()
    assert got[:64] == list(range(1, 65))
    assert got[64][0] == "lost"
    everything = got
    for _ in range(5):
        ring.sender.flush()
        everything = everything + ring.read()
    lost = sum(item[1] for item in everything if isinstance(item, tuple))
    numbers = [item for item in everything if isinstance(item, int)]
    assert numbers[-1] == ring.store.published == 564
    assert numbers == sorted(set(numbers))
    assert lost + len(numbers) == 564
    assert (ring.reader.lost, ring.reader.taken) == (lost, len(numbers))
    assert ring.sender.overruns == ring.reader.overruns
    assert ring.sender.skipped == lost


def test_random_speeds_of_both_ends(ring, here, there):
    """Numbers only grow, and taken plus lost is what was published, whatever the schedule."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    ring.sender.begin()
    ring.read()
    last, lost, taken = 0, 0, 0

    def look():
        nonlocal last, lost, taken
        for item in ring.read():
            if isinstance(item, tuple):
                lost += item[1]
                last += item[1]
            else:
                assert item == last + 1
                last = item
                taken += 1

    for _ in range(20_000):
        choice = rng.random()
        if choice < 0.5:
            ring.publish(rng.choice((1, 1, 2, 5, 40)))
        elif choice < 0.8:
            ring.sender.flush()
        elif choice < 0.9:
            look()
        elif choice < 0.92:
            here.is_stalled = not here.is_stalled
        elif choice < 0.94:
            there.is_stalled = not there.is_stalled
        elif choice < 0.97:
            here.run(rng.randrange(4))
            there.run(rng.randrange(4))
        else:
            ring.sender.beat(rng.randrange(1 << 40))
    here.is_stalled = there.is_stalled = False
    for _ in range(200):
        here.run()
        there.run()
        ring.sender.flush()
        look()
    assert last == ring.store.published
    assert lost + taken == last
    assert ring.reader.lost == lost > 0
    assert ring.reader.overruns > 10
    assert ring.sender.failure() == ""


def test_what_lies_in_a_queue_while_the_store_goes_round(here, there):
    """Requests without inline data read the store when they are executed, not when posted."""
    ring = Ring(here, there, inline_bytes=0)
    ring.sender.begin()
    ring.read()
    here.is_stalled = True
    ring.publish(20)
    ring.sender.flush()
    ring.publish(64)  # the store's slots of the first twenty are new ones by now
    here.is_stalled = False
    here.run()
    everything = ring.read()
    for _ in range(10):
        ring.sender.flush()
        everything += ring.read()
    numbers = [item for item in everything if isinstance(item, int)]
    lost = sum(item[1] for item in everything if isinstance(item, tuple))
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 84
    assert lost + len(numbers) == 84
    ring.close()


def test_a_slot_that_is_not_all_there_is_not_taken(here, there):
    ring = Ring(here, there, inline_bytes=0)
    ring.sender.begin()
    ring.read()
    ring.publish(1)
    ring.store.corrupt(1, 3)
    ring.sender.flush()
    assert ring.read() == []
    assert ring.reader.torn == 1
    ring.store.corrupt(1, 3)  # the word as it was
    ring.publish(1)
    ring.sender.flush()
    assert ring.read() == []  # the second came, the first is still not whole
    ring.close()


def test_several_readers_of_one_store(here, there):
    store = SlotStore(here, 64, 64, huge_pages=False)
    rings = [Ring(here, there, store=store, inline_bytes=128) for _ in range(3)]
    for ring in rings:
        ring.sender.begin()
        ring.read()
    for _ in range(200):
        rings[0].publish(3)
        for ring in rings:
            ring.sender.flush()
        for ring in rings[:2]:
            ring.read()
    assert [ring.reader.next_number for ring in rings[:2]] == [601, 601]
    assert rings[2].read()[0] == 1  # a slow one holds nobody up
    for ring in rings:
        ring.close()
    assert (here.made, there.made) == (0, 0)


def test_a_late_reader_begins_with_the_next_slot(ring):
    ring.publish(500)
    assert ring.sender.begin() == 501
    assert ring.read() == []
    ring.publish(2)
    ring.sender.flush()
    assert ring.read() == [501, 502]
    assert ring.reader.lost == 0


def test_what_is_skipped_before_a_reader_first_looks_is_not_its_loss(ring):
    ring.sender.begin()
    ring.publish(300)
    ring.sender.flush()
    assert ring.sender.skipped == 300 - 32
    assert ring.read() == []  # it begins, and gives credit
    ring.sender.flush()
    assert ring.read() == list(range(269, 301))
    assert (ring.reader.lost, ring.reader.overruns) == (0, 0)


@pytest.mark.parametrize(
    ("wanted", "first", "lost"), [(490, 490, 0), (501, 501, 0), (300, 469, 169)]
)
def test_a_reader_that_comes_back(here, there, wanted, first, lost):
    """Within the store it goes on where it was; else it is told what it missed."""
    ring = Ring(here, there, inline_bytes=128, wanted=wanted)
    ring.publish(500)
    assert ring.sender.begin(wanted) == first
    got = ring.read()
    ring.sender.flush()
    got += ring.read()
    expected = [("lost", lost)] if lost else []
    assert got == expected + list(range(first, 501))
    ring.close()


def test_the_end_comes_after_the_last_slot(ring):
    ring.sender.begin()
    ring.publish(10)
    ring.sender.flush()
    ring.read()
    ring.publish(5)
    ring.sender.flush()
    assert ring.sender.is_delivered()
    ring.sender.finish()
    assert ring.read()[-6:] == [11, 12, 13, 14, 15, "ended"]
    assert ring.reader.is_closed()
    assert ring.reader.lost == 0


def test_an_end_with_slots_that_were_never_sent(ring):
    ring.sender.begin()
    ring.read()
    ring.publish(64)
    ring.sender.flush()
    ring.publish(20)
    assert not ring.sender.is_delivered()
    ring.sender.finish()
    assert ring.read() == [*range(1, 65), ("lost", 20), "ended"]


def test_heartbeats_arrive(ring):
    ring.sender.begin()
    ring.sender.beat(123_456_789)
    assert ring.reader.heartbeat_ns() == 123_456_789
    ring.publish(7)
    ring.sender.beat(123_456_790)
    assert ring.reader.newest() == 7


def test_a_broken_connection_is_said_and_stops(ring, here, there):
    ring.sender.begin()
    ring.publish(1)
    here.send_fault = STATUSES["retry exceeded"]
    ring.sender.flush()
    ring.sender.is_delivered()
    ring.publish(100)
    assert ring.sender.flush() == -1
    assert "retry" in ring.sender.failure()
    assert ring.read() == []
    there.send_fault = STATUSES["remote access"]


def test_a_removed_device_is_said(ring, here):
    ring.sender.begin()
    here.remove()
    ring.publish(1)
    assert ring.sender.flush() == -1
    assert ring.sender.failure() != ""


def test_a_key_that_is_not_ours_is_refused_by_the_device(here, there):
    ring = Ring(here, there, inline_bytes=128)
    address, key = ring.reader.memory_at()
    ring.sender.aim((address, key + 7))
    ring.sender.begin()
    assert ring.sender.is_delivered() is False or ring.sender.flush() == -1
    assert "access" in ring.sender.failure()
    ring.close()


def test_credit_for_what_was_never_sent_ends_it(ring):
    ring.sender.begin()
    ring.publish(3)
    ring.sender.flush()
    ring.sender.pretend_credit(1000)
    assert ring.sender.flush() == -1
    assert "never sent" in ring.sender.failure()


def test_room_is_refused_and_not_skipped_where_asked_for(ring):
    """A ring of requests: who fills it looks for room first."""
    ring.sender.begin()
    ring.read()
    pushed = 0
    while ring.sender.room():
        ring.publish(1)
        ring.sender.flush()
        pushed += 1
    assert pushed == 64
    assert ring.read() == list(range(1, 65))
    assert ring.sender.room()


@pytest.mark.parametrize(
    ("slots", "size", "text"),
    [(100, 64, "power of two"), (4, 64, "8 or more"), (64, 12, "multiple"), (64, 8192, "4096")],
)
def test_impossible_shapes(here, slots, size, text):
    with pytest.raises(PortError, match=text):
        SlotStore(here, slots, size)
