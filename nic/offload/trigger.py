# SPDX-License-Identifier: Apache-2.0
"""Rows of the trigger table: one definition of each field, its width and meaning; and outcomes.

``hw.trigger`` lays its RAM out by this table, the host fills it in by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from nic.enumeration import enumeration
from nic.offload.limits import PRICE_BITS, QUANTITY_BITS

WAYS = 2
"""Rows per symbol. Row 0 is the fast one: its request is looked at while its condition still is."""

GENERATION_BITS = 16
IN_FLIGHT_BITS = 4

PRICE_CONDITION = enumeration(
    "price_condition",
    any="whatever the price",
    at_most="the message has a price, not above the one compared with",
    at_least="the message has a price, not below the one compared with",
)

COMPARED_PRICE = enumeration(
    "compared_price",
    threshold="the row's threshold_price",
    best_bid="the best bid as the host wrote it",
    best_ask="the best offer as the host wrote it",
)

TRIGGER = enumeration(
    "trigger",
    fired="requests given to the gate",
    condition_false="price, or shares, or the price compared with, are not there or not right",
    still_true="edge-triggered, and the condition was true at the message before",
    spent="one-shot, and it has fired",
    capped="as many requests are in flight as the row allows",
    dropped="too many requests wait for the gate",
    acknowledged="requests that the host said are no longer in flight",
    stale_acknowledgement="acknowledgements of another generation, or with nothing in flight",
)
"""What became of messages of an armed row's type and side; the first that holds, but for fired."""


def bits(count: int, meaning: str) -> Any:
    """A field of ``count`` bits, 0 if not given."""
    return field(default=0, metadata={"bits": count, "meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRow:
    """One row: when to fire, and the order to fire. Raises ``ValueError`` for what does not fit."""

    is_armed: int = bits(1, "0: the row is empty")
    generation: int = bits(GENERATION_BITS, "of this arming; acknowledgements name it")
    message_type: int = bits(8, "code of the feed's message")
    side: int = bits(8, "letter of the message's side; 0: any")
    price_condition: int = bits(2, "number of PRICE_CONDITION")
    compared_price: int = bits(2, "number of COMPARED_PRICE")
    threshold_price: int = bits(PRICE_BITS, "price units")
    minimum_shares: int = bits(32, "fewest shares of the message")
    is_edge: int = bits(1, "fires only when the condition becomes true")
    starts_true: int = bits(1, "the condition counts as true before the first message")
    is_one_shot: int = bits(1, "fires once; else again and again")
    in_flight_cap: int = bits(IN_FLIGHT_BITS, "most requests that are not acknowledged")
    order_side: int = bits(8, "letter of OUCH 5.0: B, S, T or E")
    quantity: int = bits(QUANTITY_BITS, "shares of the order")
    uses_message_price: int = bits(1, "the order has the message's price; without one no firing")
    price: int = bits(PRICE_BITS, "price units of the order otherwise")
    time_in_force: int = bits(8, "letter of OUCH 5.0")
    post_only: int = bits(1, "1: the order must not take")
    strategy_id: int = bits(16, "strategy that the order belongs to; gateware has fewer bits")
    venue: int = bits(4, "order-entry session; gateware may have fewer bits")

    def __post_init__(self) -> None:
        """Hold every value against its width."""
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not 0 <= value < 1 << entry.metadata["bits"]:
                raise ValueError(f"{entry.name}: {value} has not {entry.metadata['bits']} bits")


def tag_of(symbol_index: int, way: int, generation: int) -> int:
    """The tag of a row's requests; comes back with the verdict."""
    return way | generation << 1 | symbol_index << 1 + GENERATION_BITS
