# SPDX-License-Identifier: Apache-2.0
"""An order request on its way to the risk gate: ``OrderRequest`` of the host, bit by bit."""

from __future__ import annotations

from amaranth.lib import data, enum

from nic.offload.limits import PRICE_BITS, QUANTITY_BITS

SYMBOL_BITS = 10
STRATEGY_BITS = 4
VENUE_BITS = 4
LETTER_BITS = 8
USER_REF_NUM_BITS = 32
TAG_BITS = 32
BUY, SELL, SELL_SHORT, SELL_SHORT_EXEMPT = map(ord, "BSTE")
"""Letters of the side."""


class Action(enum.Enum, shape=2):  # type: ignore[call-arg]
    """What a request asks for; the numbers are those of the host's ``ACTION_*``."""

    NEW = 0
    REPLACE = 1
    CANCEL = 2
    INVALID = 3  # the gate refuses it


class Origin(enum.Enum, shape=1):  # type: ignore[call-arg]
    """Who asks."""

    TRIGGER = 0
    HOST = 1


def request_layout(
    symbol_bits: int = SYMBOL_BITS,
    strategy_bits: int = STRATEGY_BITS,
    venue_bits: int = VENUE_BITS,
) -> data.StructLayout:
    """An order request. Side and time in force are OUCH letters, the price has four decimals."""
    return data.StructLayout(
        {
            "action": Action,
            "side": LETTER_BITS,
            "time_in_force": LETTER_BITS,
            "post_only": 1,
            "strategy": strategy_bits,
            "venue": venue_bits,
            "symbol_index": symbol_bits,
            "quantity": QUANTITY_BITS,  # of a replace the chain's total; of a cancel 0 for all
            "price": PRICE_BITS,
            "user_ref_num": USER_REF_NUM_BITS,  # the order to replace or cancel; 0 for a new one
            "origin": Origin,
            "tag": TAG_BITS,  # comes back with the verdict: the host's number, or the trigger's row
        }
    )
