# SPDX-License-Identifier: Apache-2.0
"""The whole card when much comes at once: both lines speak, the transmit side stalls."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from card_support import SEED, all_records, fired_order, new_card
from line_support import NASDAQ_LINE

from nic.offload.builder_enumerations import BUILDER
from nic.offload.enumerations import RISK
from sim.feed_traffic import FeedTraffic
from sim.gateware.card_setup import ROW, THRESHOLD, prepare, trade

pytestmark = pytest.mark.timeout(1800)  # the first time the model is compiled


def test_orders_leave_whole_whatever_stalls_and_both_lines_speak_at_once():
    device, card = new_card()
    r = random.Random(SEED)
    print(f"seed {SEED}")
    locate, symbol_index = 77, 40
    builder = prepare(card, NASDAQ_LINE, locate, symbol_index)
    assert not all_records(card)
    traffic = FeedTraffic(NASDAQ_LINE, SEED, locates=(2,), unknown_share=0)
    results: Counter[str] = Counter()
    numbers: list[int] = []
    trades = fired = 0
    for _ in range(150):
        # never, or in half of the cycles or more; at least one beat leaves in 64
        stalls = r.choice((0, r.getrandbits(64), r.getrandbits(64) | r.getrandbits(64)))
        device.stall_transmit((1 << 64) - 1 & ~stalls | 1)
        for _ in range(r.randrange(1, 5)):
            blocks = []
            for _ in range(r.randrange(1, 5)):
                is_trade = r.random() < 0.6
                trades += is_trade
                message = trade(NASDAQ_LINE, locate, THRESHOLD) if is_trade else traffic.message()
                blocks.append(traffic.block(message))
            payload = traffic.transport(b"".join(blocks), len(blocks))
            traffic.sequence_number += len(blocks)
            both = traffic.frame(payload), traffic.frame(payload)
            first = r.randrange(2)
            device.put(first, both[first])
            device.run_cycles(r.choice((0, 0, 0, 1, 5)))
            device.put(1 - first, both[1 - first])
            device.run_cycles(r.choice((0, 3, 40)))
        device.run_still()
        found = all_records(card)
        numbers += [e["sequence_number"] for name, e in found if name == "event"]
        verdicts = [v for name, v in found if name == "verdict"]
        outcomes = [o for name, o in found if name == "outcome"]
        fired += len(verdicts)
        passed = [v for v in verdicts if v["passed"]]
        assert len(passed) == len(outcomes)
        results.update(RISK.name_of(v["reason"]) for v in verdicts)
        for verdict, outcome in zip(passed, outcomes, strict=True):
            number = verdict["pass_number"]
            assert outcome["pass_number"] == number
            result, expected = builder.order(fired_order(number, THRESHOLD))
            assert outcome["result"] == BUILDER.value(result) == BUILDER.value("orders_sent")
            sent = device.sent_frame()
            assert sent is not None and sent[1] == expected
        assert device.sent_frame() is None
        for _ in verdicts:
            assert card.command(
                "acknowledge_trigger",
                symbol_index=symbol_index, way=0, generation=ROW.generation,
            )  # fmt: skip
    print(results)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(numbers) == traffic.sequence_number - numbers[0]
    device.run_still()
    triggered = card.counters("trigger.counters")
    print(triggered)
    assert triggered["fired"] == triggered["acknowledged"] == fired
    assert triggered["fired"] + triggered["dropped"] == trades
    # while the builder is busy its session counts as down
    assert set(results) == {"passed", "order_entry_down"} and min(results.values()) > 10
    assert card.counters("arbiter.counters")["gaps"] == 0
    assert card.records_lost == 0
