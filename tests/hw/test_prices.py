# SPDX-License-Identifier: Apache-2.0
"""The table of prices: what the feed says and what the host writes, in any order and overlap."""

import copy
import os
import random

import numpy as np
import pytest

from hw.prices import BOOK_GAPPED, GROUPS, Prices
from hw.tick import MARKET_COUNT
from sim.gateware import harness

SEED = int(os.environ.get("TICKWIRE_SEED", "31"))
SYMBOL_BITS = 6
SYMBOLS = (0, 1, 2, 63)
CYCLES = 20_000
HOST = (
    "bid_price",
    "ask_price",
    "updated_ns",
    "book_state",
    "band_lower_price",
    "band_upper_price",
)


@pytest.fixture(scope="module")
def model():
    """The tables; they start with garbage, and are swept."""
    return harness.model(Prices(SYMBOL_BITS), "prices", seed=SEED)


def some_top(r: random.Random) -> dict[str, int]:
    return {
        "bid_price": r.getrandbits(31),
        "ask_price": r.getrandbits(31),
        "last_price": r.getrandbits(31),
        "updated_ns": r.getrandbits(63),
        "trading_state": r.getrandbits(8),
        "operational_halt": r.getrandbits(1),
        "book_state": r.randrange(3),
        "short_sale_state": r.getrandbits(8),
        "band_lower_price": r.getrandbits(31),
        "band_upper_price": r.getrandbits(31),
    }


class Tops:
    """What the tables hold, in plain Python."""

    def __init__(self) -> None:
        self.rows = {s: dict.fromkeys(some_top(random.Random(0)), 0) for s in SYMBOLS}
        self.halts = {s: [0] * MARKET_COUNT for s in SYMBOLS}

    def tick(self, tick: dict[str, int]) -> None:
        row, halts = self.rows[tick["symbol_index"]], self.halts[tick["symbol_index"]]
        if tick["is_trade"]:
            row["last_price"] = tick["trade_price"]
        for name in ("trading_state", "short_sale_state"):
            if tick[f"has_{name}"]:
                row[name] = tick["letter"]
        for market in range(MARKET_COUNT):
            if tick["halts"] >> market & 1:
                halts[market] = tick["is_halted"]

    def write(self, symbol: int, groups: set[str], top: dict[str, int]) -> None:
        row = self.rows[symbol]
        for name in ("last_price", "trading_state", "short_sale_state"):
            if name in groups:
                row[name] = top[name]
        if "operational_halt" in groups:
            self.halts[symbol] = [top["operational_halt"]] + [0] * (MARKET_COUNT - 1)
        if "host" in groups:
            row.update({name: top[name] for name in HOST})

    def top(self, symbol: int) -> dict[str, int]:
        return self.rows[symbol] | {"operational_halt": int(any(self.halts[symbol]))}


def some_tick(r: random.Random) -> dict[str, int]:
    kind = r.randrange(6)
    return {
        "symbol_index": r.choice(SYMBOLS),
        "is_trade": int(kind < 2),
        "trade_price": r.getrandbits(31),
        "has_trading_state": int(kind == 2),
        "has_short_sale_state": int(kind == 3),
        "letter": r.getrandbits(8),
        "halts": 1 << r.randrange(MARKET_COUNT) if kind == 4 else 0,
        "is_halted": r.getrandbits(1),
        "message_type": r.getrandbits(8),
        "price": r.getrandbits(31),
    }


def columns(rows: list[dict[str, int]]) -> dict[str, np.ndarray]:
    return {name: np.array([row[name] for row in rows], np.uint64) for name in rows[0]}


def packed(model, rows: list[dict[str, object]]) -> np.ndarray:
    layout = model.ports["write__payload"].layout
    size = -(-model.ports["write__payload"].width_bits // 8)
    made = np.array(
        [list(harness.pack(layout, row).to_bytes(size, "little")) for row in rows], np.uint8
    )
    place = model.inputs(1, {})["write__payload"].shape[1]
    return np.pad(made, ((0, 0), (0, place - size)))


def test_same_as_plain_tables(model) -> None:
    """A top holds every event and every write up to the cycle of its prefetch."""
    print(f"seed {SEED}")
    r = random.Random(SEED)
    model.reset()
    model.run(cycles=(1 << SYMBOL_BITS) + 2, when=None)
    before = model.cycle
    ticks = [some_tick(r) for _ in range(CYCLES)]
    valid = [r.random() < (0.9 if cycle % 1000 < 500 else 0.3) for cycle in range(CYCLES)]
    prefetch = [r.choice(SYMBOLS) for _ in range(CYCLES)]
    watched = [r.choice(SYMBOLS) for _ in range(CYCLES)]
    writes = [
        {
            "symbol_index": r.choice(SYMBOLS),
            "groups": {name: r.getrandbits(1) for name in GROUPS},
            "top": some_top(r),
        }
        for _ in range(CYCLES // 4)
    ]
    feed = harness.Feed(packed(model, writes), before)
    rows = model.run(
        {
            "tick__valid": np.array(valid, np.uint64),
            "tick__payload": columns(ticks),
            "prefetch": np.array(prefetch, np.uint64),
            "watched": np.array(watched, np.uint64),
        },
        feeds={"write": feed},
    )
    taken = dict(zip((feed.taken_at - before).tolist(), writes, strict=False))
    assert len(taken) == feed.taken > CYCLES // 8
    assert not any(valid[cycle] for cycle in taken)  # the feed goes first
    tops, changing = Tops(), 0
    for cycle in range(1, CYCLES - 2):
        # In the RAM is what came up to a cycle before the prefetch. The tick of the next cycle is
        # that of the prefetch's own event.
        if valid[cycle - 1]:
            tops.tick(ticks[cycle - 1])
        groups = set()
        if write := taken.get(cycle):
            groups = {name for name in GROUPS if write["groups"][name]}
            tops.write(write["symbol_index"], groups, write["top"])
        seen = copy.deepcopy(tops)
        for at in (cycle, cycle + 1):
            if valid[at]:
                seen.tick(ticks[at])
        row = tops.rows[watched[cycle]]
        best = {name: row[name] for name in ("bid_price", "ask_price")}
        assert model.fields(rows[cycle + 2], "best") == best, cycle
        found, expected = model.fields(rows[cycle + 2], "top"), seen.top(prefetch[cycle])
        is_changing = "host" in groups and write["symbol_index"] == prefetch[cycle]
        assert bool(rows["is_changing"][cycle + 2]) == is_changing, cycle
        if is_changing:
            changing += 1
            found |= {name: expected[name] for name in HOST}
        assert found == expected, cycle
    assert changing > 100


def test_a_gap_gaps_every_book_until_cleared(model) -> None:
    model.reset()
    model.run(cycles=(1 << SYMBOL_BITS) + 2, when=None)

    def state() -> int:
        model.run(cycles=2, when=None)
        return model.fields(model.step(), "top")["book_state"]

    assert state() == 0
    model.step(gap_opened=1)
    assert state() == BOOK_GAPPED
    model.step(gap_opened=1, clear_gap=1)  # one that opens now is not cleared
    assert state() == BOOK_GAPPED and model.step()["is_gapped"]
    model.step(clear_gap=1)
    assert state() == 0
    row = packed(model, [{"groups": {"host": 1}, "top": {"book_state": 2}}])
    model.run(cycles=2, feeds={"write": harness.Feed(row)})
    model.step(gap_opened=1)
    assert state() == 2  # rebuilding stays what it is


def test_market_phase(model) -> None:
    model.reset()
    assert model.step()["market_phase"] == 0
    model.step(phase__valid=1, phase__payload=3)
    assert model.step()["market_phase"] == 3
    found = model.step(phase__valid=1, phase__payload=2, set_phase__valid=1, set_phase__payload=1)
    assert not found["set_phase__ready"]
    assert model.step(set_phase__valid=1, set_phase__payload=1)["market_phase"] == 2
    assert model.step()["market_phase"] == 1


def test_nothing_is_taken_before_the_sweep_is_done(model) -> None:
    model.reset()
    row = packed(model, [{"groups": dict.fromkeys(GROUPS, 1), "top": {"last_price": 9}}])
    feed = harness.Feed(row, model.cycle)
    before = model.cycle
    rows = model.run(cycles=(1 << SYMBOL_BITS) + 4, feeds={"write": feed})
    done = int(np.flatnonzero(rows["init_done"])[0])
    assert done >= 1 << SYMBOL_BITS
    assert (feed.taken_at - before).tolist() == [done + 1]
