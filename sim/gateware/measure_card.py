# SPDX-License-Identifier: Apache-2.0
"""Latencies of the whole card, measured on its model from line to transmit."""

from __future__ import annotations

from nic.framing.feed_format import NASDAQ
from nic.framing.reference import LineSettings, ReferenceParser
from nic.offload.card import Card
from sim.feed_traffic import FeedTraffic
from sim.gateware.card import open_card
from sim.gateware.card_setup import ROW, THRESHOLD, give, prepare, trade
from sim.gateware.measurement import LINE_TO_EVENT_CYCLES, Measurement

SEED = 1
FRAMES = 400
EVENT_TO_VERDICT_CYCLES = 5
LINE_TO_VERDICT_CYCLES = LINE_TO_EVENT_CYCLES + EVENT_TO_VERDICT_CYCLES
LINE_TO_ORDER_CYCLES = 10
SETTINGS = LineSettings(NASDAQ, 0xE9360C65, 26477)
LOCATE, SYMBOL_INDEX = 77, 40
LANES = 8


def whole_card() -> list[Measurement]:
    """From the last byte of a message on the line to verdict and order, wherever it lies."""
    device = open_card(NASDAQ, seed=SEED)
    card = Card(device)
    prepare(card, SETTINGS, LOCATE, SYMBOL_INDEX)
    traffic = FeedTraffic(SETTINGS, SEED, locates=(2,), unknown_share=0)
    parser = ReferenceParser(SETTINGS)
    to_verdict, to_order, lanes = [], [], set()
    for number in range(FRAMES):
        before = [traffic.block(traffic.message()) for _ in range(number % 7)]
        after = [traffic.block(traffic.message()) for _ in range(number % 3)]
        blocks = [*before, traffic.block(trade(SETTINGS, LOCATE, THRESHOLD)), *after]
        payload = traffic.transport(b"".join(blocks), len(blocks))
        traffic.sequence_number += len(blocks)
        frame = traffic.frame(payload)
        message = parser.frame(frame).messages[len(before)]
        device.run_still()
        last_beat = device.cycles_run + message.last_byte // LANES
        device.receive(number % 2, frame)
        found = list(card.records())
        sent = device.sent_frame()
        if sent is None:
            raise RuntimeError(f"frame {number} fired no order: {found}")
        to_order.append(sent[0] - last_beat)
        received = {
            fields["sequence_number"]: fields["received_cycle"]
            for name, fields in found
            if name == "event"
        }
        decided = [fields["decided_cycle"] for name, fields in found if name == "verdict"]
        to_verdict.append(int(decided[0]) - int(received[message.sequence_number]))
        lanes.add(message.last_byte % LANES)
        give(
            card,
            "acknowledge_trigger",
            symbol_index=SYMBOL_INDEX,
            way=0,
            generation=ROW.generation,
        )
        card.write("builder.unacknowledged", card.read("builder.next_sequence_number"))
    device.close()
    how = f"longest of {len(to_order):,} orders; the message ended in {len(lanes)} of {LANES} lanes"
    return [
        Measurement(
            "whole card: last byte of a message on the line to the verdict about its order",
            max(to_verdict),
            LINE_TO_VERDICT_CYCLES,
            "cycles",
            how,
        ),
        Measurement(
            "whole card: last byte of a message on the line to the order's first byte out",
            max(to_order),
            LINE_TO_ORDER_CYCLES,
            "cycles",
            how,
        ),
    ]
