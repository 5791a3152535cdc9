# SPDX-License-Identifier: Apache-2.0
"""The trigger table against its specification: every request, in order, and every counter."""

import os
import random

import numpy as np
import pytest

from host.risk.reference_recent import ReferenceRecent
from host.risk.reference_request import Request
from hw.trigger import Trigger
from hw.trigger_queue import FULL_AT
from hw.trigger_reference import ReferenceTrigger, TriggerRequest
from hw.trigger_rows import TriggerCommand
from nic.framing.feed_format import NASDAQ
from nic.framing.tick_reference import Tick
from nic.offload.trigger import TRIGGER, TriggerRow, tag_of
from sim.gateware import harness

SEED = int(os.environ.get("TICKWIRE_SEED", "41"))
SYMBOL_BITS = 6
SYMBOLS = (0, 5, 6, 63)
CYCLES = 25_000
TYPES = b"PA"
SIDES = (0, ord("B"), ord("S"))
FIRE_CYCLES = 3


@pytest.fixture(scope="module")
def model():
    return harness.model(Trigger(NASDAQ, SYMBOL_BITS, 4, 4), "trigger", seed=SEED)


def swept(model) -> int:
    """Reset, and wait for the sweep; the cycle from which to count."""
    model.reset()
    model.hold(gate__ready=1)
    model.run(cycles=(1 << SYMBOL_BITS) + 2, when=None)
    return model.cycle


def some_row(r: random.Random) -> TriggerRow:
    """A row that often watches what comes; prices lie close together."""
    return TriggerRow(
        is_armed=int(r.random() < 0.95),
        generation=r.randrange(2),
        message_type=r.choice(TYPES),
        side=r.choice((0, *SIDES)),
        price_condition=r.choice((0, 1, 1, 2, 2, 3)),
        compared_price=r.choice((0, 0, 1, 2, 3)),
        threshold_price=r.choice((0, 95, 100, 105, (1 << 31) - 1)),
        minimum_shares=r.choice((0, 0, 0, 100, 1 << 31)),
        is_edge=r.getrandbits(1),
        starts_true=r.getrandbits(1),
        is_one_shot=int(r.random() < 0.1),
        in_flight_cap=r.choice((0, 1, 3, 15, 15, 15)),
        order_side=r.choice(b"BSTE"),
        quantity=r.getrandbits(20),
        uses_message_price=r.getrandbits(1),
        price=r.getrandbits(31),
        time_in_force=r.choice(b"03"),
        post_only=r.getrandbits(1),
        strategy_id=r.getrandbits(4),
        venue=r.getrandbits(4),
    )


def some_tick(r: random.Random) -> Tick:
    return Tick(
        message_type=r.choice(TYPES),
        price=r.choice((0, 90, 95, 100, 105, 110, (1 << 31) - 1)),
        shares=r.choice((0, 99, 100, 1 << 31)),
        side=r.choice((*SIDES, ord("X"))),
    )


def commands(model, rows: list[dict[str, object]]) -> np.ndarray:
    port, place = model.ports["command__payload"], model.inputs(1, {})["command__payload"]
    return np.array(
        [
            list(harness.pack(port.layout, row).to_bytes(place.shape[1], "little"))
            for row in rows
        ],
        np.uint8,
    )  # fmt: skip


def arm(symbol: int, way: int, row: TriggerRow) -> dict[str, object]:
    fields = {name: getattr(row, name) for name in TriggerRow.__slots__}
    return {"kind": TriggerCommand.ARM.value, "symbol_index": symbol, "way": way, "row": fields}


def acknowledge(symbol: int, way: int, generation: int) -> dict[str, object]:
    return {
        "kind": TriggerCommand.ACKNOWLEDGE.value,
        "symbol_index": symbol,
        "way": way,
        "generation": generation,
    }


def late(values: np.ndarray, cycles: int) -> np.ndarray:
    return np.concatenate([np.zeros(cycles, values.dtype), values[: len(values) - cycles]])


def inputs(events: list[tuple[int, Tick, int, int] | None]) -> dict[str, object]:
    """Events by cycle (symbol, tick, best bid, best ask), each part in its own cycle."""
    noise = np.random.default_rng(SEED)
    count = len(events)
    has = np.array([e is not None for e in events])
    unwanted = noise.integers(0, 2, count, np.uint64) & ~has

    def column(values: list[int], bits: int) -> np.ndarray:
        """What is not an event's is anything."""
        return np.where(
            has, np.array(values, np.uint64), noise.integers(0, 1 << bits, count, np.uint64)
        )

    symbol = column([e[0] if e else 0 for e in events], SYMBOL_BITS)
    tick = {
        name: late(column([getattr(e[1], name) if e else 0 for e in events], bits), 1)
        for name, bits in (("message_type", 8), ("price", 31), ("shares", 32), ("side", 8))
    }
    return {
        "event__valid": (has | (unwanted == 1)).astype(np.uint64),
        "event__payload": {"is_wanted": has.astype(np.uint64), "symbol_index": symbol},
        "tick__valid": late(has.astype(np.uint64), 1),
        "tick__payload": {"symbol_index": late(symbol, 1), **tick},
        "best": {
            "bid_price": late(column([e[2] if e else 0 for e in events], 31), 2),
            "ask_price": late(column([e[3] if e else 0 for e in events], 31), 2),
        },
    }


def set_of(fields: dict[str, int]) -> int:
    """Where the reference keeps recent orders like a candidate."""
    request = Request(
        0,
        side=fields["side"],
        quantity=fields["quantity"],
        price=fields["price"],
        symbol_index=fields["symbol_index"],
        strategy_id=fields["strategy"],
    )
    return ReferenceRecent.index(ReferenceRecent.key(request))


def requests_of(model, rows: np.ndarray) -> list[tuple[int, TriggerRequest]]:
    """What the gate took: the cycle of its fire, and the candidate of the cycle before."""
    found = []
    taken = np.flatnonzero((rows["gate__fire"] != 0) & (rows["gate__ready_in"] != 0))
    for at in taken.tolist():
        fields = model.fields(rows["row"][at - 1], "gate__candidate")
        assert fields["action"] == fields["user_ref_num"] == fields["origin"] == 0
        early = model.fields(rows["row"][at - 1], "candidate_early")
        assert early == {"set": set_of(fields), "is_buy": int(fields["side"] == ord("B"))}
        found.append((at, TriggerRequest(**{n: fields[n] for n in TriggerRequest.__slots__})))
    return found


@pytest.mark.parametrize("variant", range(4))
def test_same_as_reference(model, variant: int) -> None:
    seed = SEED + 100 * variant
    print(f"seed {seed}")
    r = random.Random(seed)
    density = (0.5, 0.9, 0.3, 0.6)[variant]
    readiness = (1.0, 0.5, 0.15, 0.05)[variant]
    events = [
        (r.choice(SYMBOLS), some_tick(r), *(r.choice((0, 95, 100, 105)) for _ in range(2)))
        if r.random() < density
        else None
        for _ in range(CYCLES)
    ]
    events[-20:] = [None] * 20
    told = []
    for _ in range(CYCLES // 4):
        symbol, way = r.choice(SYMBOLS), r.randrange(2)
        told.append(
            arm(symbol, way, some_row(r))
            if r.random() < 0.05
            else acknowledge(symbol, way, r.randrange(2))
        )
    before = swept(model)
    ready = np.array([r.random() < readiness for _ in range(CYCLES)], np.uint64)
    feed = harness.Feed(commands(model, told), before)
    captured = model.run(inputs(events) | {"gate__ready": ready}, feeds={"command": feed})
    taken = dict(zip((feed.taken_at - before).tolist(), told, strict=False))

    spec = ReferenceTrigger()
    expected = []
    room = captured["has_room"]
    for cycle, event in enumerate(events):
        if event is not None:
            assert cycle not in taken
            symbol, tick, bid, ask = event
            for request in spec.on_tick(symbol, tick, bid, ask, bool(room[cycle + FIRE_CYCLES])):
                expected.append((cycle, request))
        elif cycle in taken:
            fields = taken[cycle]
            where = fields["symbol_index"], fields["way"]
            if fields["kind"] == TriggerCommand.ARM.value:
                spec.arm(*where, TriggerRow(**fields["row"]))
            else:
                spec.acknowledge(*where, fields["generation"])
    model.hold(gate__ready=1)
    drained = model.run(cycles=100)
    found = requests_of(
        model,
        {
            "gate__fire": np.concatenate([captured["gate__fire"], drained["gate__fire"]]),
            "gate__ready_in": np.concatenate([ready, np.ones(100, np.uint64)]),
            "row": np.concatenate([captured, drained]),
        },
    )
    for (_, mine), (_, theirs) in zip(found, expected, strict=False):
        assert mine == theirs
    assert len(found) == len(expected)
    counters = model.fields(model.step(), "counters")
    print(counters)
    assert counters == spec.counters
    unseen = {name for name in TRIGGER.names if not counters[name]}
    assert unseen <= ({"dropped"} if readiness > 0.1 else set())
    delays = [at - cycle for (at, _), (cycle, _) in zip(found, expected, strict=True)]
    assert min(delays) == FIRE_CYCLES if readiness == 1 else min(delays) >= FIRE_CYCLES


def fires(model, before: int, events: list, rows: list) -> np.ndarray:
    """Cycles of fires with a gate that takes all, with nothing else under way."""
    feed = harness.Feed(commands(model, rows), before)
    model.run(cycles=len(rows) + 8, when=None, feeds={"command": feed})
    start = model.cycle
    captured = model.run(inputs(events), when="gate__fire")
    return captured["cycle"].astype(np.int64) - start


def test_row_0_fires_in_cycle_3_and_row_1_three_cycles_later(model) -> None:
    """Also when both fire, and with the right prefetch two cycles before each candidate."""
    row = TriggerRow(
        is_armed=1, message_type=ord("P"), in_flight_cap=15, quantity=1, order_side=ord("B")
    )
    tick = Tick(message_type=ord("P"), price=100, shares=1)
    for ways, expected in (((0,), [3]), ((1,), [6]), ((0, 1), [3, 6])):
        before = swept(model)
        events = [None] * 4 + [(5, tick, 0, 0)] + [None] * 12
        found = fires(model, before, events, [arm(5, way, row) for way in ways])
        assert (found - 4).tolist() == expected
        before = swept(model)
        feed = harness.Feed(commands(model, [arm(5, way, row) for way in ways]), before)
        model.run(cycles=8, when=None, feeds={"command": feed})
        captured = model.run(inputs(events))
        for at in expected:
            assert captured["gate__prefetch"][at + 4 - 3] == 5
        tags = [
            model.fields(captured[at + 4 - 1], "gate__candidate")["tag"] for at in expected
        ]  # fmt: skip
        assert tags == [tag_of(5, way, 0) for way in ways]


def test_what_waits_keeps_its_order_and_is_dropped_beyond_the_queue(model) -> None:
    """A gate that takes nothing: some requests wait, the others are counted and do not fly."""
    row = TriggerRow(is_armed=1, message_type=ord("P"), in_flight_cap=15, uses_message_price=1)
    before = swept(model)
    feed = harness.Feed(commands(model, [arm(6, 0, row)]), before)
    model.run(cycles=8, when=None, feeds={"command": feed})
    events = [
        (6, Tick(message_type=ord("P"), price=100 + i // 4), 0, 0) if i % 4 == 0 else None
        for i in range(48)
    ]
    model.hold(gate__ready=0)
    model.run(inputs(events), when=None)
    counters = model.fields(model.run(cycles=8)[-1], "counters")
    waiting = counters["fired"]
    assert FULL_AT <= waiting <= FULL_AT + 4
    assert counters["fired"] + counters["dropped"] == 12
    model.hold(gate__ready=1)
    rows = model.run(cycles=64)
    at = np.flatnonzero(rows["gate__fire"])
    prices = [model.fields(rows[i - 1], "gate__candidate")["price"] for i in at if i]
    first = [] if at[0] else [100]
    assert first + prices == list(range(100, 100 + waiting))


def test_commands_wait_for_the_sweep(model) -> None:
    model.reset()
    before = model.cycle
    feed = harness.Feed(commands(model, [arm(0, 0, TriggerRow())]), before)
    model.run(cycles=(1 << SYMBOL_BITS) + 4, when=None, feeds={"command": feed})
    assert feed.taken == 1 and feed.taken_at[0] - before >= 1 << SYMBOL_BITS
