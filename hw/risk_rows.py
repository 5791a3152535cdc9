# SPDX-License-Identifier: Apache-2.0
"""Rows of the risk gate's tables, as they lie in block RAM and in registers.

The limits come from the table :class:`nic.offload.limits.Limits`: a limit that is added there is a
field here. Widths of sums are the widths of what is summed and of how many there can be.
"""

from __future__ import annotations

from dataclasses import fields

from amaranth.hdl import signed
from amaranth.lib import data

from nic.offload.limits import PRICE_BITS, QUANTITY_BITS, SCOPE_GATE, SCOPE_SYMBOL, Limits

NOTIONAL_BITS = PRICE_BITS + QUANTITY_BITS
"""Price times shares of one order."""

POSITION_BITS = 40
"""Of a signed position in shares: 549 billion either way."""

MONEY_BITS = 64
"""Of sums over all symbols, signed: 922 trillion price units x shares are 92 trillion USD."""

TIME_BITS = 63
"""Of times in ns; 292 years."""

NUMBER_BITS = 32
"""Of an order's number (OUCH 5.0, UserRefNum)."""


def limits_layout(scope: str) -> data.StructLayout:
    """The limits of one scope (``SCOPE_SYMBOL`` or ``SCOPE_GATE``), in the order of the table."""
    if scope not in (SCOPE_SYMBOL, SCOPE_GATE):
        raise ValueError(f"no scope {scope!r}")
    return data.StructLayout(
        {f.name: f.metadata["bits"] for f in fields(Limits) if f.metadata["scope"] == scope}
    )


def side_layout(order_bits: int) -> data.StructLayout:
    """The open orders of one side of a symbol; at most two to ``order_bits`` of them."""
    return data.StructLayout(
        {
            "open_shares": QUANTITY_BITS + order_bits,  # most that may still execute
            "open_notional": NOTIONAL_BITS + order_bits,
            "orders": order_bits + 1,
            "best_price": PRICE_BITS,  # most aggressive own price; 0 without orders
        }
    )


def symbol_layout(order_bits: int) -> data.StructLayout:
    """What the ledger knows of a symbol."""
    return data.StructLayout(
        {
            "position": signed(POSITION_BITS),
            "mark_price": PRICE_BITS,  # values the position
            "position_notional": MONEY_BITS,  # size of the position times the mark
            "buy": side_layout(order_bits),
            "sell": side_layout(order_bits),
        }
    )


def order_layout(
    order_bits: int, symbol_bits: int, strategy_bits: int, venue_bits: int
) -> data.StructLayout:
    """An open order, or (``replaces`` not 0) a replace in flight that is no order yet.

    Its place in the table is its number's remainder by the table's size.
    """
    return data.StructLayout(
        {
            "is_open": 1,
            "number": NUMBER_BITS,
            "symbol_index": symbol_bits,
            "side": 8,
            "strategy_id": strategy_bits,
            "venue": venue_bits,
            "price": PRICE_BITS,
            "leaves": QUANTITY_BITS,
            "executed": QUANTITY_BITS,  # of the whole chain of replaces
            "notional": NOTIONAL_BITS,  # leaves times price
            "pending": NUMBER_BITS,  # number of the replace in flight; 0 for none
            "pending_quantity": QUANTITY_BITS,
            "pending_price": PRICE_BITS,
            "pending_notional": NOTIONAL_BITS,  # what it asks for beyond executed, times its price
            "replaces": NUMBER_BITS,
            "cancel_in_flight": 1,
        }
    )
