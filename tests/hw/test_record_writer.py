# SPDX-License-Identifier: Apache-2.0
"""Records for the host: what comes out is what went in, in order, with holes where it was lost."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from hw.record_queue import RecordQueue
from hw.record_writer import DEPTHS, RecordWriter
from nic.framing.enumerations import ARRIVAL
from nic.framing.feed_format import NASDAQ
from nic.offload.records import NOT_WANTED, OFFLOAD
from nic.wire.reference import decode, encode
from sim.gateware import harness

SEED = int(os.environ.get("TICKWIRE_SEED", "33"))
WIDTHS = (10, 4, 4, 6)


def some_event(r: random.Random) -> dict[str, Any]:
    return {
        "message": r.randbytes(NASDAQ.longest_bytes),
        "length_bytes": r.randint(NASDAQ.shortest_bytes, NASDAQ.longest_bytes),
        "sequence_number": r.getrandbits(63),
        "line": r.getrandbits(1),
        "after_gap": r.getrandbits(1),
        "is_late": r.getrandbits(1),
        "is_wanted": r.getrandbits(1),
        "symbol_index": r.getrandbits(10),
        "received_cycle": r.getrandbits(48),
    }


def event_record(number: int, event: dict[str, Any]) -> bytes:
    length = event["length_bytes"]
    size = OFFLOAD["event"].length + length
    arrival = "late" if event["is_late"] else "after_gap" if event["after_gap"] else "new"
    values = {
        "words": -(-size // 8),
        "message_length": length,
        "line": event["line"],
        "arrival": ARRIVAL.value(arrival),
        "symbol_index": event["symbol_index"] if event["is_wanted"] else NOT_WANTED,
        "record_number": number,
        "sequence_number": event["sequence_number"],
        "received_cycle": event["received_cycle"],
        "payload": event["message"][:length],
    }
    return encode(OFFLOAD, "event", values).ljust(8 * (-(-size // 8)), b"\0")


SIMPLE = {
    "verdict": ("passed", "reason", "decided_cycle", "t_ns", "pass_number", "user_ref_num"),
    "outcome": ("result", "is_order", "slot", "pass_number", "user_ref_num", "sequence_number"),
}
BITS = {"passed": 1, "reason": 5, "decided_cycle": 48, "t_ns": 63, "pass_number": 48, "is_order": 1,
        "result": 2, "slot": 6, "user_ref_num": 32, "sequence_number": 32}  # fmt: skip


def some(kind: str, r: random.Random) -> dict[str, Any]:
    if kind == "event":
        return some_event(r)
    return {name: r.getrandbits(BITS[name]) for name in SIMPLE[kind]}


class Bench:
    """The writer, and what must come out of it; a record is lost where its queue is full."""

    def __init__(self) -> None:
        self.model = harness.model(RecordWriter(NASDAQ, *WIDTHS), "record_writer", seed=SEED)
        self.number = 0
        self.found: list[bytes] = []
        self.expected: list[tuple[int, str, dict[str, Any]]] = []
        self._open = b""

    def step(self, given: dict[str, dict[str, Any]], ready: int) -> None:
        inputs: dict[str, Any] = {"records__ready": ready}
        for kind in DEPTHS:
            inputs[f"{kind}_valid"] = int(kind in given)
            if kind in given:
                values = dict(given[kind])
                if kind == "verdict":
                    values = {"verdict": values, "reason": values.pop("reason")}
                if kind == "event":
                    values["message"] = int.from_bytes(values["message"], "little")
                inputs[kind] = values
        for kind in DEPTHS:
            if kind in given:
                self.number += 1
                self.expected.append((self.number, kind, given[kind]))
        now = self.model.step(**inputs)
        if now["records__valid"] and ready:
            word = self.model.fields(now, "records__payload")
            self._open += int(word["data"]).to_bytes(8, "little")
            if word["last"]:
                self.found.append(self._open)
                self._open = b""

    def drain(self) -> dict[str, Any]:
        idle = 0
        while idle < 40:
            before = len(self.found)
            self.step({}, 1)
            idle = 0 if len(self.found) != before or self._open else idle + 1
        return dict(self.model.step(records__ready=1))


def check(bench: Bench) -> list[int]:
    """Every record that came out is one that went in, in order; the numbers of those missing."""
    due = {number: (kind, given) for number, kind, given in bench.expected}
    numbers = []
    for octets in bench.found:
        name, fields = decode(OFFLOAD, octets, "from_card")
        number = fields["record_number"]
        assert isinstance(number, int)
        numbers.append(number)
        kind, given = due.pop(number)
        assert name == kind
        assert octets[1] * 8 == len(octets)
        if kind == "event":
            assert octets == event_record(number, given)
        else:
            if not given.get("passed", 1):
                given = given | {"user_ref_num": 0, "pass_number": 0}  # there are none
            assert {entry: fields[entry] for entry in SIMPLE[kind]} == given
    assert numbers == sorted(numbers)
    return sorted(due)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_everything_comes_out_in_order(share: float) -> None:
    print(f"seed {SEED}")
    r = random.Random(SEED)
    bench = Bench()
    for _ in range(4000):
        given = {
            kind: some(kind, r)
            for kind, weight in (("event", 1.0), ("verdict", 0.2), ("outcome", 0.2))
            if r.random() < share * weight
        }
        bench.step(given, int(r.random() < 0.9))
    after = bench.drain()
    missing = check(bench)
    assert after["made"] == bench.number
    assert after["dropped"] == len(missing)
    assert bool(missing) == (share == 0.5)
    assert len(bench.found) > 50


def test_records_leave_one_behind_the_other() -> None:
    """A full queue is emptied without a pause between records."""
    r = random.Random(SEED)
    bench = Bench()
    for _ in range(100):
        bench.step({"event": some_event(r)}, 0)
    words = sum(-(-(OFFLOAD["event"].length + given["length_bytes"]) // 8)
                for _, _, given in bench.expected)  # fmt: skip
    for _ in range(words):
        bench.step({}, 1)
    assert check(bench) == []


def test_a_queue_that_is_no_power_of_two_is_refused() -> None:
    with pytest.raises(ValueError, match="depth 4"):
        RecordQueue(8, 4)
