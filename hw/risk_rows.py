# SPDX-License-Identifier: Apache-2.0
"""Rows of the risk gate's tables, as they lie in block RAM and in registers.

The limits come from the table ``WORDS`` of ``nic/offload/limit_words.py``: what is added there is a
field here. Widths of sums are the widths of what is summed and of how many there can be.
"""

from __future__ import annotations

from amaranth.hdl import signed
from amaranth.lib import data

from nic.offload.limit_words import bits_of_scope
from nic.offload.limits import NOTIONAL_BITS, PRICE_BITS, QUANTITY_BITS, SCOPE_GATE, SCOPE_SYMBOL

POSITION_BITS = 40
"""Of a signed position in shares: 549 billion either way."""

MONEY_BITS = 64
"""Of sums over all symbols, signed: 922 trillion price units x shares are 92 trillion USD."""

TIME_BITS = 63
"""Of times in ns; 292 years."""

EXECUTION_BITS = 31
MESSAGE_BITS = 48
RATIO_BITS = bits_of_scope(SCOPE_GATE)["order_to_trade_ratio"]
DAILY_SHARES_BITS = 56

NUMBER_BITS = 32
"""Of an order's number (OUCH 5.0, UserRefNum)."""


def limits_layout(scope: str) -> data.StructLayout:
    """The words of one scope (``SCOPE_SYMBOL`` or ``SCOPE_GATE``), in the order of the table."""
    if scope not in (SCOPE_SYMBOL, SCOPE_GATE):
        raise ValueError(f"no scope {scope!r}")
    return data.StructLayout(bits_of_scope(scope))


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
            "sell": side_layout(order_bits),  # of every mark of a sell
        }
    )


def totals_layout(order_bits: int) -> data.StructLayout:
    """Sums over all symbols."""
    return data.StructLayout(
        {
            "gross_notional": MONEY_BITS,  # of open orders and positions, none netted
            "net_position_notional": signed(MONEY_BITS),
            "open_buy_notional": MONEY_BITS,
            "open_sell_notional": MONEY_BITS,
            "cash": signed(MONEY_BITS),
            "open_orders": order_bits + 1,  # replaces in flight too
            "unacknowledged_orders": order_bits + 1,
            "executions": EXECUTION_BITS,  # since the start of the day
            "executions_by_ratio": MESSAGE_BITS,  # times the order-to-trade ratio
            "daily_shares": DAILY_SHARES_BITS,
            "daily_notional": MONEY_BITS,
            "messages": MESSAGE_BITS,
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
            "strategy": strategy_bits,
            "venue": venue_bits,
            "price": PRICE_BITS,
            "leaves": QUANTITY_BITS,
            "executed": QUANTITY_BITS,  # of the whole chain of replaces
            "notional": NOTIONAL_BITS,  # leaves times price
            "pending": NUMBER_BITS,  # number of the replace in flight; 0 for none
            "pending_leaves": QUANTITY_BITS,  # what it asks for beyond executed
            "pending_price": PRICE_BITS,
            "pending_notional": NOTIONAL_BITS,  # pending_leaves times pending_price
            "replaces": NUMBER_BITS,
            "cancel_in_flight": 1,
            "is_acknowledged": 1,
        }
    )
