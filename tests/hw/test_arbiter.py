# SPDX-License-Identifier: Apache-2.0
"""The arbiter against its specification: every event, flag, gap and counter, cycle by cycle."""

import os
import random

import numpy as np
import pytest

from hw.arbiter import Arbiter
from hw.line_signature import PARSER_CYCLES, DatagramKind
from nic.framing.arbiter_reference import ReferenceArbiter
from nic.framing.enumerations import ARBITER
from nic.framing.feed_format import NASDAQ
from sim.gateware import harness
from sim.gateware.cycle_arbiter import CycleArbiter
from tests.hw.arbiter_support import Line, delayed, feed_items, schedule

SEED = int(os.environ.get("TICKWIRE_SEED", "5"))
SYMBOL_BITS = 10
CYCLES = 60_000


@pytest.fixture(scope="module")
def model():
    return harness.model(Arbiter(NASDAQ, SYMBOL_BITS), "arbiter", seed=SEED)


def symbols(numbers: np.ndarray) -> dict[str, np.ndarray]:
    """What the filter would say: made from the sequence number, so that a mix-up shows."""
    mixed = numbers * np.uint64(2654435761) >> np.uint64(7)
    return {
        "is_wanted": mixed & np.uint64(1),
        "symbol_index": mixed >> np.uint64(1) & np.uint64(1023),
    }


def octets(numbers: np.ndarray, count: int) -> np.ndarray:
    """Messages that are told apart by their first bytes."""
    made = np.zeros((len(numbers), count), np.uint8)
    made[:, :8] = numbers.view(np.uint8).reshape(-1, 8)
    return made


def inputs(a: Line, b: Line, cycle: int) -> dict[str, object]:
    """The lines as the arbiter's ports."""
    made: dict[str, object] = {
        "cycle": np.arange(len(a.message), dtype=np.uint64) + np.uint64(cycle)
    }
    for name, line in (("a", a), ("b", b)):
        made[f"{name}__message__valid"] = (line.message != 0).astype(np.uint64)
        made[f"{name}__message__payload"] = {
            "message": octets(line.message, NASDAQ.longest_bytes),
            "length_bytes": (line.message % np.uint64(50)).astype(np.uint64),
            "sequence_number": line.message,
        }
        made[f"{name}__upcoming"] = line.upcoming
        made[f"symbol_{name}"] = symbols(line.message)
        made[f"{name}__datagram__valid"] = (line.idle != 0).astype(np.uint64)
        made[f"{name}__datagram__payload"] = {
            "sequence_number": line.idle,
            "kind": np.where(
                line.idle % 2, DatagramKind.HEARTBEAT.value, DatagramKind.END_OF_SESSION.value
            ),
        }
    return made


def compare(model, a: Line, b: Line, is_arbitrating: bool = True, starts=()) -> ReferenceArbiter:
    """Run both on the same lines; returns the reference for a look at its counters."""
    model.reset()
    before = model.cycle
    model.hold(is_arbitrating=int(is_arbitrating), drops_unwanted=1)
    cycles = len(a.message)
    spec = CycleArbiter(ReferenceArbiter(is_arbitrating=is_arbitrating))
    pending, taken = list(starts), []
    streams = zip(
        *(part.tolist() for line in (a, b) for part in (line.message, line.idle)), strict=True
    )
    for cycle, (number_a, idle_a, number_b, idle_b) in enumerate(streams):
        start = pending[0][1] if pending and pending[0][0] <= cycle else None
        if spec.step(cycle, number_a, number_b, idle_a, idle_b, start):
            pending.pop(0)
            taken.append(cycle)
    feed = harness.Feed(
        np.array([value for _, value in starts], np.uint64),
        np.array([at + before for at, _ in starts], np.int64),
    )
    rows = model.run(
        inputs(a, b, PARSER_CYCLES), when=("event__valid", "gap_opened"), feeds={"start": feed}
    )
    assert (feed.taken_at - before).tolist() == taken
    events = rows[rows["event__valid"] != 0]
    get = lambda *path: model.field(events, "event__payload", *path)  # noqa: E731
    found = list(
        zip(
            (events["cycle"].astype(np.int64) - before).tolist(),
            *(
                get(name).tolist()
                for name in ("line", "sequence_number", "after_gap", "is_late", "received_cycle")
            ),
            strict=True,
        )
    )
    for mine, theirs in zip(found, spec.events, strict=False):
        assert mine == theirs
    assert len(found) == len(spec.events)
    numbers = get("sequence_number")
    wanted = symbols(numbers)
    assert (get("is_wanted") == wanted["is_wanted"]).all()
    assert (get("symbol_index") == wanted["symbol_index"]).all()
    assert (get("message")[:, :8] == numbers.view(np.uint8).reshape(-1, 8)).all()
    assert (get("length_bytes") == numbers % np.uint64(50)).all()
    assert (events["is_for_host"] == wanted["is_wanted"]).all()
    last = model.run(cycles=4)[-1:]
    for name in ("expected", "gap_next", "gap_end"):
        assert int(last[name][0]) == getattr(spec.reference, name), name
    unwanted = int((wanted["is_wanted"] == 0).sum())
    expected = spec.reference.counters | {
        "overrun": spec.overrun,
        "unwanted": unwanted,
        "unwanted_dropped": unwanted,
    }
    assert model.fields(last[0], "counters") == expected
    assert int((rows["gap_opened"] != 0).sum()) == expected["gaps"]
    assert cycles == len(b.message)
    return spec.reference


@pytest.mark.parametrize("variant", range(6))
def test_two_lossy_lines(model, variant: int) -> None:
    seed = SEED + 100 * variant
    print(f"seed {seed}")
    r = random.Random(seed)
    skew = (0, 1, 2, 7, 40, 400)[variant]
    loss = (0.0, 0.1, 0.02, 0.3, 0.1, 0.5)[variant]
    start = (1, (1 << 20) - 5000, (1 << 32) - 3000, (1 << 18) - 99, (1 << 63) - (1 << 40), 1)[
        variant
    ]
    publisher = r.getrandbits(32)
    a, b = (
        schedule(random.Random(pace), CYCLES, [
            item for item in feed_items(random.Random(publisher), 6000, 0, start)
            if losses.random() >= loss
        ])
        for pace, losses in ((publisher, random.Random(seed + 1)),
                             (publisher + (variant > 2), random.Random(seed + 2)))
    )  # fmt: skip
    b = delayed(b, skew)
    if variant % 2:
        a, b = b, a
    starts = [(r.randrange(CYCLES), r.choice((0, 0, 5, 1 << 40))) for _ in range(3)]
    reference = compare(model, a, b, starts=sorted(starts))
    print(reference.counters)
    assert reference.counters["events"] > 1000
    if loss:
        assert reference.counters["gaps"] and reference.counters["missing"]


def test_unrelated_lines_reach_every_counter(model) -> None:
    """Numbers close together in no order: gaps open, are filled, and are abandoned all the time."""
    print(f"seed {SEED}")
    totals = dict.fromkeys(ARBITER.names, 0)
    for round_ in range(4):
        r = random.Random(SEED + 7 * round_)
        lines = []
        for _ in range(2):
            items, number = [], 50
            for _ in range(4000):
                number = max(1, number + r.randrange(-6, 9))
                size = r.choice((1, 1, 1, 2, 4))
                items.append((r.choice(("idle", "data", "data", "data")), number, size))
                number += size
            lines.append(schedule(r, CYCLES // 2, items))
        counters = compare(model, *lines).counters
        totals = {name: totals[name] + counters[name] for name in totals}
    print(totals)
    unseen = [name for name, count in totals.items() if not count]
    assert unseen == ["overrun", "unwanted", "unwanted_dropped"]  # these are not the reference's


def test_without_arbitration_everything_is_an_event(model) -> None:
    print(f"seed {SEED}")
    r = random.Random(SEED)
    a, b = (schedule(r, 20_000, feed_items(r, 1000, 0.1, 1)) for _ in range(2))
    reference = compare(model, a, b, is_arbitrating=False, starts=[(5000, 77)])
    assert reference.counters["duplicates_a"] == reference.counters["duplicates_b"] == 0


def test_a_queue_that_is_full_counts_what_it_loses(model) -> None:
    """Both lines full of messages, none a copy: more than one event a cycle can not leave."""
    cycles = 400
    both = Line(
        np.zeros(cycles, np.uint64), np.zeros(cycles, np.uint64), np.zeros(cycles, np.uint64)
    )
    for cycle in range(8, cycles - 100):
        both.message[cycle] = cycle
        both.upcoming[cycle - 1], both.upcoming[cycle] = cycle, cycle + 1
    compare(model, both, both, is_arbitrating=False)
    counters = model.fields(model.run(cycles=1)[0], "counters")
    assert counters["overrun"] == cycles - 108 - 16 - 1


def test_a_message_leaves_one_cycle_after_it_came_on_either_line(model) -> None:
    """Also when the other line brings a copy in the same cycle."""
    for late in (1, 2):
        r = random.Random(SEED)
        items = [("data", 1 + 10 * i, 10) for i in range(300)]
        early = schedule(r, 12_000, items)
        for a, b in ((early, delayed(early, late)), (delayed(early, late), early)):
            model.reset()
            model.hold(is_arbitrating=1, drops_unwanted=0)
            before = model.cycle
            rows = model.run(inputs(a, b, PARSER_CYCLES), when="event__valid")
            came = np.flatnonzero(early.message)
            assert (rows["cycle"].astype(np.int64) - before - came == 1).all()
