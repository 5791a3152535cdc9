# SPDX-License-Identifier: Apache-2.0
"""The arbiter: what becomes of each message; the compiled one agrees on random lines."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from framing_support import SEED

from nic.framing.arbiter import LineArbiter, SymbolFilter
from nic.framing.arbiter_reference import ReferenceArbiter, ReferenceFilter
from nic.framing.enumerations import ARBITER, ARRIVAL

A, B = 0, 1
Step = tuple[int, int]


class Both:
    """The reference and the compiled arbiter, given the same; they must say the same."""

    def __init__(self, expected: int = 0, is_arbitrating: bool = True) -> None:
        self.reference = ReferenceArbiter(expected, is_arbitrating)
        self.compiled = LineArbiter(expected, is_arbitrating)

    def check(self) -> None:
        for name in ("expected", "gap_next", "gap_end", "counters"):
            assert getattr(self.compiled, name) == getattr(self.reference, name), name
        counters = self.reference.counters
        waiting = self.reference.gap_end - self.reference.gap_next
        settled = counters["recovered"] + counters["gap_abandoned"]
        assert counters["missing"] == settled + waiting, "each missing number has one fate"

    def message(self, line: int, sequence_number: int) -> str:
        arrival = self.reference.message(line, sequence_number)
        assert self.compiled.message(line, sequence_number) == arrival
        self.check()
        return arrival.kind

    def messages(self, steps: Sequence[Step]) -> list[str]:
        return [self.message(line, number) for line, number in steps]

    def idle(self, sequence_number: int) -> bool:
        opens = self.reference.idle(sequence_number)
        assert self.compiled.idle(sequence_number) == opens
        self.check()
        return opens

    def start(self, expected: int) -> None:
        self.reference.start(expected)
        self.compiled.start(expected)
        self.check()

    def counted(self) -> dict[str, int]:
        return {name: value for name, value in self.reference.counters.items() if value}


def test_the_first_copy_goes_on() -> None:
    both = Both()
    steps = [(A, 100), (B, 100), (B, 101), (A, 101), (A, 102), (B, 99)]
    assert both.messages(steps) == ["new", "duplicate", "new", "duplicate", "new", "duplicate"]
    assert both.counted() == {"events": 3, "duplicates_a": 1, "duplicates_b": 2}


def test_a_gap_is_passed_over_at_once_and_filled_in_ascending_order() -> None:
    both = Both(expected=10)
    assert both.messages([(A, 14), (A, 15)]) == ["after_gap", "new"]
    assert both.messages([(B, 10), (B, 10), (B, 12), (B, 11), (B, 13), (B, 13), (B, 14)]) == [
        *("late", "duplicate", "late", "duplicate", "late", "duplicate", "duplicate")
    ]
    assert both.counted() == {
        **{"events": 5, "duplicates_b": 4, "gaps": 1},
        **{"missing": 4, "recovered": 3, "gap_abandoned": 1},
    }


def test_a_newer_gap_takes_the_place_of_the_open_one() -> None:
    both = Both(expected=1)
    assert both.messages([(A, 3), (B, 1), (A, 6), (B, 2), (B, 4)]) == [
        *("after_gap", "late", "after_gap", "duplicate", "late")
    ]
    assert both.counted()["gap_abandoned"] == 1


def test_datagrams_without_messages_open_gaps() -> None:
    both = Both()
    assert not both.idle(50), "the first number of all starts the count"
    assert not both.idle(50)
    assert not both.idle(49)
    assert both.idle(53)
    assert both.messages([(A, 53), (B, 51)]) == ["new", "late"]
    assert both.counted()["missing"] == 3


def test_without_arbitration_every_message_is_new() -> None:
    both = Both(is_arbitrating=False)
    assert both.messages([(A, 5), (B, 5), (A, 9), (B, 1)]) == ["new"] * 4
    assert not both.idle(99)
    assert both.counted() == {"events": 4}
    assert both.reference.expected == 0


def test_the_host_says_what_is_expected() -> None:
    both = Both(expected=1)
    both.message(A, 5)
    both.start(3)
    assert both.messages([(A, 1), (A, 3), (B, 2)]) == ["duplicate", "new", "duplicate"]
    assert both.counted()["gap_abandoned"] == 4
    both.start(0)
    assert both.message(B, 1000) == "new"


def lossy_lines(rng: Random, count: int) -> list[tuple[int, int, int]]:
    """Line, sequence number and idle of two lines that lose, repeat and delay on their own."""
    arrivals = []
    for line in (A, B):
        for number in range(1, count):
            moment = number + rng.random() * (8 if rng.random() < 0.1 else 1)
            copies = 0 if rng.random() < 0.1 else 2 if rng.random() < 0.02 else 1
            arrivals += [(moment + i, line, number, 0) for i in range(copies)]
            if rng.random() < 0.02:
                arrivals.append((moment, line, number + 1, 1))
    arrivals.sort()
    return [arrival[1:] for arrival in arrivals]


def test_random_lines() -> None:
    rng = Random(SEED)
    print(f"TICKWIRE_SEED={SEED}")
    total = dict.fromkeys(ARBITER.names, 0)
    for _ in range(20):
        steps = lossy_lines(rng, 1500)
        expected, is_arbitrating = rng.choice((0, 1, 40)), rng.random() < 0.9
        both = Both(expected, is_arbitrating)
        kinds = []
        events = []
        for line, number, idle in steps:
            if idle:
                kinds.append("after_gap" if both.idle(number) else "new")
                continue
            kinds.append(both.message(line, number))
            if kinds[-1] != "duplicate":
                events.append(number)
        if is_arbitrating:
            assert len(set(events)) == len(events), "no message goes on twice"
        at_once = LineArbiter(expected, is_arbitrating)
        columns = [np.array(column) for column in zip(*steps, strict=True)]
        found = at_once.arrivals(
            columns[0].astype(np.uint8), columns[1].astype(np.uint64), columns[2].astype(np.uint8)
        )
        assert [ARRIVAL.name_of(kind) for kind in found] == kinds
        assert at_once.counters == both.reference.counters
        total = {name: total[name] + value for name, value in at_once.counters.items()}
    reached = {name for name in ARBITER.names if total[name]}
    assert reached == set(ARBITER.names) - {"overrun", "unwanted", "unwanted_dropped"}


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="no line 2"):
        LineArbiter().message(2, 1)
    with pytest.raises(ValueError, match="length"):
        LineArbiter().arrivals(np.zeros(1, np.uint8), np.zeros(2, np.uint64), np.zeros(1, np.uint8))
    with pytest.raises(ValueError, match="more than 4 bits"):
        SymbolFilter({16: 0}, 4)
    with pytest.raises(ValueError, match="locate_bits"):
        SymbolFilter({}, 17)


def test_the_filter() -> None:
    symbols = {0: 3, 13: 0, 15: 1023}
    reference, compiled = ReferenceFilter(symbols, 4), SymbolFilter(symbols, 4)
    for locate in (None, *range(70), 0xFFFF):
        assert compiled.find(locate) == reference.find(locate), locate
    assert reference.find(13) == (True, 0)
    assert reference.find(16) == (False, 0)
    found = compiled.find_all(np.array([0, 1, 13, 31, 15], np.uint16))
    assert found.tolist() == [3, -1, 0, -1, 1023]
