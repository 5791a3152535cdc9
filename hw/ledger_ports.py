# SPDX-License-Identifier: Apache-2.0
"""What the ledger is told: requests that passed, and what happened to orders."""

from __future__ import annotations

from enum import IntEnum

from amaranth.lib import data

from hw.request import request_layout
from nic.offload.commands import COMMANDS, TELLS
from nic.offload.limits import NOTIONAL_BITS, PRICE_BITS, QUANTITY_BITS

TELL_NAMES = (*(tell.name for tell in TELLS), "release_strategy", "start_day")
"""What can be told: all of ``TELLS``, and two of ``COMMANDS``; a kind is a place in this."""

KINDS = {name: number for number, name in enumerate(TELL_NAMES)}
assert {"release_strategy", "start_day"} <= {command.name for command in COMMANDS}


class Operation(IntEnum):
    """What the ledger is at work on: a tell, or one of its own."""

    FILL = KINDS["fill"]
    TERMS = KINDS["terms"]
    CANCELED = KINDS["canceled"]
    CANCEL_ENDED = KINDS["cancel_ended"]
    CLOSED = KINDS["closed"]
    REPLACED = KINDS["replaced"]
    REPLACE_ENDED = KINDS["replace_ended"]
    BROKEN = KINDS["broken"]
    MARK = KINDS["mark"]
    RELEASE_STRATEGY = KINDS["release_strategy"]
    START_DAY = KINDS["start_day"]
    NEW = len(KINDS)
    REPLACE = len(KINDS) + 1
    CANCEL = len(KINDS) + 2
    LOOK_UP = len(KINDS) + 3
    OWN = len(KINDS) + 4  # a found best price, or the ratio of the executions


def tell_layout(symbol_bits: int, strategy_bits: int) -> data.StructLayout:
    """A tell with its arguments; those that it does not have are ignored."""
    return data.StructLayout(
        {
            "kind": 4,  # place in TELL_NAMES
            "user_ref_num": 32,
            "symbol_index": symbol_bits,
            "side": 8,
            "quantity": QUANTITY_BITS,  # or leaves
            "price": PRICE_BITS,
            "strategy_id": strategy_bits,
        }
    )


def opened_layout(symbol_bits: int, strategy_bits: int, venue_bits: int) -> data.StructLayout:
    """A request that passed, with what the gate worked out of it."""
    return data.StructLayout(
        {
            # symbol, side, strategy and venue of a replace or cancel are its order's
            "request": request_layout(symbol_bits, strategy_bits, venue_bits),
            "notional": NOTIONAL_BITS,  # what the order leaves open, times its price
            "shares_added": QUANTITY_BITS,
            "notional_added": NOTIONAL_BITS,
        }
    )
