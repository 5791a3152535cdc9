# SPDX-License-Identifier: Apache-2.0
"""How requests reach the risk gate, and how its verdicts leave it."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.event import CYCLE_BITS
from hw.recent_orders import SET_BITS
from hw.request import (
    STRATEGY_BITS,
    SYMBOL_BITS,
    USER_REF_NUM_BITS,
    VENUE_BITS,
    request_layout,
)
from hw.risk_rows import TIME_BITS
from nic.offload.enumerations import RISK

REASON_BITS = (RISK.count - 1).bit_length()
PASS_NUMBER_BITS = 48


def verdict_layout(
    symbol_bits: int = SYMBOL_BITS,
    strategy_bits: int = STRATEGY_BITS,
    venue_bits: int = VENUE_BITS,
) -> data.StructLayout:
    """What the gate decided about one request."""
    return data.StructLayout(
        {
            # as asked for; symbol, side, strategy and venue of a replace or cancel are its order's
            "request": request_layout(symbol_bits, strategy_bits, venue_bits),
            "passed": 1,
            # when passed: given to a new order or replace; a cancel's order
            "user_ref_num": USER_REF_NUM_BITS,
            "pass_number": PASS_NUMBER_BITS,  # when passed: counts passes, from 1
            "t_ns": TIME_BITS,  # the time that every check took for now
            "decided_cycle": CYCLE_BITS,  # in which the verdict is valid
        }
    )


def explained_layout(
    symbol_bits: int = SYMBOL_BITS,
    strategy_bits: int = STRATEGY_BITS,
    venue_bits: int = VENUE_BITS,
) -> data.StructLayout:
    """A verdict with its reason, which takes a cycle more."""
    return data.StructLayout(
        {
            "verdict": verdict_layout(symbol_bits, strategy_bits, venue_bits),
            "reason": REASON_BITS,  # of the table RISK; 0 when passed
        }
    )


class VerdictPort(wiring.Signature):
    """A verdict, ``valid`` for one cycle. There is no ``ready``: nothing undoes a verdict."""

    def __init__(
        self,
        symbol_bits: int = SYMBOL_BITS,
        strategy_bits: int = STRATEGY_BITS,
        venue_bits: int = VENUE_BITS,
        layout: Callable[..., data.StructLayout] = verdict_layout,
    ) -> None:
        """``layout``: of the verdict, by these numbers of bits."""
        super().__init__(
            {"valid": Out(1), "payload": Out(layout(symbol_bits, strategy_bits, venue_bits))}
        )


EARLY = data.StructLayout({"set": SET_BITS, "is_buy": 1})
"""What is known of a request before it is there: where orders like it are in the table of recent
orders (:func:`hw.recent_orders.set_of`), and whether it buys."""


class TriggerPort(wiring.Signature):
    """Requests of the trigger; out of the trigger, into the gate.

    ``prefetch`` in cycle 0 is the symbol of a request that may come; ``candidate`` in cycle 2 is
    that request, and does not bind; ``fire`` in cycle 3 means it: the candidate of the cycle before
    is a request. It is taken when ``ready`` is 1 in that cycle; ``ready`` does not wait for
    ``fire``, which comes late in its cycle: ``offers``, of that cycle too, says early that it may
    be 1, and is 1 when it is. A request that was not taken is shown again as candidate in one cycle
    and fired in the next. The verdict is valid in cycle 5, or as soon as the gate has read its rows
    again: when they changed meanwhile, or when the prefetch two cycles before the candidate was not
    its symbol.
    """

    def __init__(
        self,
        symbol_bits: int = SYMBOL_BITS,
        strategy_bits: int = STRATEGY_BITS,
        venue_bits: int = VENUE_BITS,
    ) -> None:
        super().__init__(
            {
                "prefetch": Out(symbol_bits),
                "candidate": Out(request_layout(symbol_bits, strategy_bits, venue_bits)),
                "offers": Out(1),
                "fire": Out(1),
                "ready": In(1),
            }
        )
