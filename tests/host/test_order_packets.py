# SPDX-License-Identifier: Apache-2.0
"""The order builder's packets are the bytes that ``OuchChannel`` sends for the same request."""

import os
import random

import pytest
from gateway_support import Desk

from hw.order_builder_reference import CANCEL, NEW, REPLACE, Order, packet_of
from nic.offload.builder_enumerations import TEMPLATE
from nic.offload.order_template import (
    MESSAGES,
    PIECES,
    OrderLetters,
    filled_places,
    payload_template,
)

SEED = int(os.environ.get("TICKWIRE_SEED", "22"))
LETTERS = [
    {},
    {"firm": "ABCD"},
    {"firm": "X", "display": "N", "capacity": "A", "cross_type": "C"},
]


def random_orders(rng, count):
    for _ in range(count):
        yield Order(
            action=rng.choice([NEW, REPLACE, CANCEL]),
            side=rng.choice(b"BSTE"),
            time_in_force=rng.choice(b"03"),
            post_only=rng.randrange(2),
            strategy=rng.randrange(1 << 16),
            symbol=rng.choice([b"A", b"MSFT", b"ABCDEFGH"]).ljust(8),
            quantity=rng.randrange(1, 1_000_000),
            price=rng.randrange(1, 1 << 31),
            order_number=rng.randrange(1, 1 << 32),
            user_ref_num=rng.randrange(1, 1 << 32),
        )


@pytest.mark.parametrize("letters", LETTERS)
def test_packets_are_what_the_channel_sends(letters):
    print(f"TICKWIRE_SEED={SEED}")
    desk = Desk(channel_options=letters)
    desk.log_in()
    for number, order in enumerate(random_orders(random.Random(SEED), 500), 1):
        passed = desk.seal.passed_order(
            pass_number=number,
            action=order.action,
            side=order.side,
            time_in_force=order.time_in_force,
            post_only=bool(order.post_only),
            strategy_id=order.strategy,
            quantity=order.quantity,
            price=order.price,
            user_ref_num=0 if order.action == NEW else order.order_number,
        )
        symbol = order.symbol.decode().rstrip()
        assert desk.channel.send_passed(passed, order.user_ref_num, symbol, 0) == 0
        assert desk.exchange.end.read() == packet_of(order, OrderLetters(**letters))
        desk.records()


@pytest.mark.parametrize("letters", LETTERS)
def test_a_template_is_a_packet_without_what_is_filled_in(letters):
    rng = random.Random(SEED)
    for order in random_orders(rng, 300):
        packet = bytearray(packet_of(order, OrderLetters(**letters)))
        for piece, at in filled_places(MESSAGES[order.action]).items():
            packet[at : at + PIECES[piece]] = bytes(PIECES[piece])
        kind = ("enter", "replace", "cancel")[order.action]
        post_only = f"{kind}_post_only"
        if order.post_only and post_only in TEMPLATE.names:
            kind = post_only
        assert bytes(packet) == payload_template(kind, OrderLetters(**letters))
