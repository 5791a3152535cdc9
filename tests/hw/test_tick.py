# SPDX-License-Identifier: Apache-2.0
"""Fields of events by their role, in gateware and as specified, for every message of both feeds."""

import os
import random

import numpy as np
import pytest

from hw.tick import Ticks
from nic.framing.feed_format import IEX, NASDAQ, FeedFormat
from nic.framing.tick_reference import MARKETS, STATES, Tick, tick_of
from nic.offload.enumerations import PHASE_OF_EVENT
from sim.gateware import harness

SEED = int(os.environ.get("TICKWIRE_SEED", "21"))
MESSAGES = 6000
LETTERS = (b"BSYNTHQPXOMECR012", b"QBXHTO")


def some_message(r: random.Random, feed: FeedFormat) -> bytes:
    """A message of any type; letters are often known ones, numbers often small or out of range."""
    code, kind = r.choice(list(feed.messages.by_code().items()))
    if r.random() < 0.05:
        code = r.choice(sorted(set(range(256)) - set(feed.lengths_bytes)))
    built, letters = bytearray(), r.choice(LETTERS)
    for entry in kind:
        if not entry.is_integer:
            built += bytes(r.choice(letters) for _ in range(entry.width))
            continue
        bits = r.choice((0, 1, 8, 20, 31, 32, 8 * entry.width))
        number = r.getrandbits(bits) & (1 << 8 * entry.width) - 1 if bits else 0
        built += number.to_bytes(entry.width, feed.byte_order)
    built[feed.messages.type_offset] = code
    return bytes(built)


def expected_states(tick: Tick) -> dict[str, int]:
    halted = tick.halt or (0, False)
    return {
        "has_trading_state": int("trading_state" in tick.states),
        "has_short_sale_state": int("short_sale_state" in tick.states),
        "letter": next(iter(tick.states.values()), 0),
        "halts": 1 << halted[0] if tick.halt else 0,
    }


@pytest.mark.parametrize("feed", [NASDAQ, IEX], ids=lambda feed: feed.name)
def test_same_as_reference(feed: FeedFormat) -> None:
    print(f"seed {SEED}")
    r = random.Random(SEED)
    model = harness.model(Ticks(feed, 10), f"ticks_{feed.name}", seed=SEED)
    messages = [some_message(r, feed) for _ in range(MESSAGES)]
    octets = np.zeros((MESSAGES + 1, feed.longest_bytes), np.uint8)
    noise = np.random.default_rng(SEED)
    octets[:] = noise.integers(0, 256, octets.shape, np.uint8)  # behind a message is anything
    for row, message in zip(octets, messages, strict=False):
        row[: len(message)] = np.frombuffer(message, np.uint8)
    wanted = noise.integers(0, 2, MESSAGES + 1, np.uint64)
    symbol = noise.integers(0, 1024, MESSAGES + 1, np.uint64)
    valid = noise.integers(0, 4, MESSAGES + 1) > 0
    rows = model.run(
        {
            "event__valid": valid.astype(np.uint64),
            "event__payload": {
                "message": octets,
                "is_wanted": wanted,
                "symbol_index": symbol,
                "sequence_number": noise.integers(0, 1 << 62, MESSAGES + 1, np.uint64),
            },
        }
    )[1:]
    seen: set[str] = set()
    for i, (message, row) in enumerate(zip(messages, rows, strict=False)):
        tick = tick_of(feed, message)
        found = model.fields(row, "tick__payload")
        assert int(row["tick__valid"]) == (valid[i] and wanted[i])
        is_halted = found.pop("is_halted")
        if tick.halt:
            assert is_halted == tick.halt[1]
        trade = found.pop("trade_price")
        if tick.trade is not None:
            assert trade == tick.trade
        assert found == {
            "symbol_index": symbol[i],
            "message_type": tick.message_type,
            "price": tick.price,
            "shares": tick.shares,
            "side": tick.side,
            "is_trade": int(tick.trade is not None),
            **expected_states(tick),
        }, message
        is_phase = valid[i] and tick.phase is not None
        assert int(row["phase__valid"]) == is_phase
        if is_phase:
            assert int(row["phase__payload"]) == tick.phase
        seen |= {
            *tick.states,
            *(("price",) if tick.price else ()),
            *(("trade",) if tick.trade else ()),
            *(("unusable trade",) if tick.trade == 0 else ()),
            *((f"halt {tick.halt}",) if tick.halt else ()),
            *((f"phase {tick.phase}",) if is_phase else ()),
        }
    phases = {f"phase {phase}" for phase in PHASE_OF_EVENT.values()}
    wanted_states = {state for name, (state, _) in STATES.items() if name in names(feed)}
    assert seen >= phases | wanted_states | {"price", "trade", "unusable trade"}
    if feed is NASDAQ:
        assert len([s for s in seen if s.startswith("halt")]) == 2 * (len(MARKETS) + 1)


def names(feed: FeedFormat) -> set[str]:
    return {message.name for message in feed.messages.messages}


def test_shares_are_cut_to_what_is_compared() -> None:
    cross = NASDAQ.messages["cross_trade"]
    message = bytearray(cross.length)
    message[0] = cross.code or 0
    field = cross["shares"]
    message[field.offset : field.end] = (1 << 40).to_bytes(8, "big")
    assert tick_of(NASDAQ, bytes(message)).shares == (1 << 32) - 1
