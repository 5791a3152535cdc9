# SPDX-License-Identifier: Apache-2.0
"""A card set up to fire orders: connection, limits, market and trigger, beside its references."""

from __future__ import annotations

from dataclasses import replace

from hw.order_builder_reference import Connection, ReferenceOrderBuilder
from nic.framing.reference import LineSettings
from nic.offload.card import Card
from nic.offload.enumerations import MARKET_PHASE
from nic.offload.limits import widest_limits
from nic.offload.order_template import ConnectionAddress, OrderLetters
from nic.offload.trigger import TriggerRow
from nic.wire.reference import Value, encode

ADDRESS = ConnectionAddress(
    source_mac=bytes.fromhex("02aabbccdd01"),
    destination_mac=bytes.fromhex("02aabbccdd02"),
    source_address=0x0A010203,
    destination_address=0xC0A8FE07,
    source_port=40_123,
    destination_port=9_821,
)
FIRST_BYTE = 0xFFFF_FF00
"""Of TCP: near its wrap."""
ROOM_BYTES = 1 << 20
VENUE = 2
T_NS = 34_200 * 10**9
SYMBOL = b"TICKWIRE"
THRESHOLD = 10_000
ROW = TriggerRow(
    is_armed=1,
    generation=3,
    message_type=ord("P"),
    price_condition=2,
    threshold_price=THRESHOLD,
    in_flight_cap=15,
    order_side=ord("B"),
    quantity=300,
    uses_message_price=1,
    time_in_force=ord("3"),
    strategy_id=5,
    venue=VENUE,
)
"""Buys at the price of every trade from ``THRESHOLD`` on."""


class NotTaken(RuntimeError):
    """The card has no room for a command; the text says which."""


def give(card: Card, name: str, **arguments: int) -> None:
    """A command. Raises :class:`NotTaken`."""
    if not card.command(name, **arguments):
        raise NotTaken(name)


def connect(card: Card, letters: OrderLetters) -> ReferenceOrderBuilder:
    """Hand a connection over; what the order builder is then."""
    card.load_templates(ADDRESS, letters)
    card.write("builder.sequence_number", FIRST_BYTE)
    settings = {
        "venue": VENUE,
        "acknowledgment_number": 77,
        "window": 501,
        "unacknowledged": FIRST_BYTE,
        "peer_window": ROOM_BYTES,
        "maximum_in_flight": ROOM_BYTES,
        "is_connected": 1,
        "is_armed": 1,
    }
    for name, value in settings.items():
        card.write(f"builder.{name}", value)
    builder = ReferenceOrderBuilder(address=ADDRESS, letters=letters, templates_loaded=True)
    builder.set_sequence_number(FIRST_BYTE)
    builder.connection = replace(Connection(), **settings)
    builder.slots = card.identity["replay_slots"]
    return builder


def prepare(
    card: Card, settings: LineSettings, locate: int, symbol_index: int
) -> ReferenceOrderBuilder:
    """Lines, symbol, connection, the widest limits and a calm market; :data:`ROW` is armed.

    Returns what the order builder is then.
    """
    card.write("control.gives_events", 1)
    card.write("control.set_time_ns", T_NS)
    for letter in "ab":
        card.set_line(letter, settings)
    card.set_symbol(symbol_index, SYMBOL, locate)
    builder = connect(card, OrderLetters())
    if not card.set_limits(widest_limits(0), 1):
        raise NotTaken("set_limits")
    give(card, "set_session_up", venue=VENUE, is_up=1)
    give(card, "set_market_phase", phase=MARKET_PHASE.value("market"))
    give(
        card,
        "set_top",
        symbol_index=symbol_index,
        bid_price=9_900,
        ask_price=10_100,
        last_price=10_000,
        updated_ns=T_NS,
        trading_state=ord("T"),
        operational_halt=0,
        book_state=0,
        short_sale_state=ord("0"),
        band_lower_price=1,
        band_upper_price=10**6,
    )
    if not card.arm_trigger(symbol_index, 0, ROW):
        raise NotTaken("arm_trigger")
    return builder


def trade(settings: LineSettings, locate: int, price: int) -> bytes:
    """A Trade message of ITCH 5.0."""
    fields: dict[str, Value] = {
        "stock_locate": locate,
        "buy_sell_indicator": b"B",
        "shares": 100,
        "stock": SYMBOL,
        "price": price,
    }
    return encode(settings.feed.messages, "trade", fields)
