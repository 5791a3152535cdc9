# SPDX-License-Identifier: Apache-2.0
"""What the risk gate looks at when it decides about one request."""

from __future__ import annotations

from amaranth.hdl import signed
from amaranth.lib import data

from hw.request import STRATEGY_BITS, SYMBOL_BITS, VENUE_BITS, request_layout
from hw.risk_rows import TIME_BITS, limits_layout, symbol_layout
from nic.offload.commands import COMMANDS
from nic.offload.enumerations import MARKET_PHASE
from nic.offload.limits import NOTIONAL_BITS, QUANTITY_BITS, SCOPE_SYMBOL

PHASE_BITS = (MARKET_PHASE.count - 1).bit_length()
NOTIONAL_ROOM_BITS = NOTIONAL_BITS + 2
SHARES_ROOM_BITS = QUANTITY_BITS + 2


def top_layout() -> data.StructLayout:
    """A symbol's market: the arguments of the command ``set_top``. A price of 0 is not there."""
    command = next(c for c in COMMANDS if c.name == "set_top")
    return data.StructLayout({a.name: a.bits for a in command.arguments if not a.index})


def rooms_layout() -> data.StructLayout:
    """What is left of the limits over all symbols: limit minus sum.

    Clipped to what an order can exceed or not: anything below -1 is -1, anything above the largest
    order is that. A replace in flight brings its order's own notional along as room.
    """
    notional, shares = signed(NOTIONAL_ROOM_BITS), signed(SHARES_ROOM_BITS)
    return data.StructLayout(
        {
            "gross_notional": notional,
            "net_notional_buy": notional,
            "net_notional_sell": notional,
            "daily_notional": notional,
            "credit": notional,
            "credit_alert": notional,
            "daily_shares": shares,
            # limits that stand against a request whatever it asks for
            "loss_limit": 1,
            "open_orders": 1,
            "unacknowledged_orders": 1,
            "order_to_trade_ratio": 1,
        }
    )


def view_layout(
    order_bits: int,
    symbol_bits: int = SYMBOL_BITS,
    strategy_bits: int = STRATEGY_BITS,
    venue_bits: int = VENUE_BITS,
) -> data.StructLayout:
    """Everything that is known when the decision begins."""
    return data.StructLayout(
        {
            "request": request_layout(symbol_bits, strategy_bits, venue_bits),
            "is_buy": 1,  # what the request's side says, known before it
            "t_ns": TIME_BITS,
            # the change: of a new order its quantity; of a replace worked out before
            "leaves": QUANTITY_BITS,
            "shares_added": QUANTITY_BITS,
            "adds_notional": 1,  # more than the order that it replaces
            "is_smaller": 1,  # in no way more than that
            # the order to replace or cancel
            "is_known": 1,
            "is_busy": 1,
            "is_below_executed": 1,
            # the gate
            "is_set": 1,  # there are limits
            "sessions_up": 1 << venue_bits,
            "symbol_count": symbol_bits + 1,
            "is_full": 1,  # the table of orders
            "is_stale": 1,  # the feed
            "market_phase": PHASE_BITS,
            "rooms": rooms_layout(),
            # the symbol
            "limits": limits_layout(SCOPE_SYMBOL),
            "exposure": symbol_layout(order_bits),
            "top": top_layout(),
        }
    )


LATE = (
    "kill_global",
    "heartbeat_lost",
    "kill_session",  # of the request's session, and so on
    "kill_strategy",
    "kill_symbol",
    "message_rate",  # the bucket has no token
    "symbol_message_rate",
    "strategy_message_rate",
    "repeated_execution",
)
"""Findings that other blocks make, known two cycles after the view."""


def late_layout() -> data.StructLayout:
    """A bit per finding of ``LATE``."""
    return data.StructLayout(dict.fromkeys(LATE, 1))
