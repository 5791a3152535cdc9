# SPDX-License-Identifier: Apache-2.0
"""The limits of the risk gate: one definition of each field, its unit, width and meaning.

From this table come the numbers of the C array that the gate reads (``LIMIT`` in
``nic/offload/enumerations.py``), the rows of the gate in gateware, the check of each value against
its width, and ``docs/risk.md``. What a gate works out of them once, when they are set, stands in
``nic/offload/derived.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

QUANTITY_BITS = 20
MAXIMUM_QUANTITY_SHARES = 999_999
"""Most shares of an order and of a chain of replaces (OUCH 5.0, Enter Order, Quantity)."""

PRICE_BITS = 31
MAXIMUM_PRICE = (1 << PRICE_BITS) - 1
"""Highest price the gate takes, four implied decimals; covers OUCH 5.0's 199,999.9900."""

NOTIONAL_BITS = QUANTITY_BITS + PRICE_BITS
TOTAL_BITS = 62
"""Of a limit that guards a sum of notionals: 461 trillion dollars."""

POSITION_LIMIT_BITS = 31
DURATION_BITS = 40
"""Of a limit that is a time in nanoseconds: 18 minutes."""

CHECK_BITS = 52
"""One bit per reason of the table ``RISK``."""

SCOPE_SYMBOL = "symbol"
SCOPE_GATE = "gate"

MONEY = "price units x shares"


def limit(bits: int, unit: str, scope: str, meaning: str) -> Any:
    """A limit: unsigned, ``bits`` wide; no default, limits are set as a whole."""
    return field(metadata={"bits": bits, "unit": unit, "scope": scope, "meaning": meaning})


def of_symbol(bits: int, unit: str, meaning: str) -> Any:
    """A limit that may differ from symbol to symbol."""
    return limit(bits, unit, SCOPE_SYMBOL, meaning)


def of_gate(bits: int, unit: str, meaning: str) -> Any:
    """A limit of the whole gate, read from the default set."""
    return limit(bits, unit, SCOPE_GATE, meaning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """One whole set of limits; every value is an integer from 0 to ``2 ** bits - 1``.

    Fields of scope ``symbol`` hold for orders of the symbol the set was given for. Fields of scope
    ``gate`` guard sums over all symbols and are read from the default set only.
    Raises ``TypeError`` for what is not an integer, ``ValueError`` for what does not fit.
    """

    enabled_checks: int = of_symbol(
        CHECK_BITS, "bits", "bit of a reason's number: the check is made; for new risk only"
    )
    is_restricted: int = of_symbol(1, "0 or 1", "1: the symbol is on the restricted list")
    is_allowed: int = of_symbol(1, "0 or 1", "1: the symbol is on the list of allowed ones")
    allowed_order_types: int = of_symbol(8, "bits", "bit of the table ORDER_TYPE: such orders pass")
    allowed_phases: int = of_symbol(5, "bits", "bit of the table MARKET_PHASE: orders pass in it")
    minimum_quantity_shares: int = of_symbol(
        QUANTITY_BITS, "shares", "fewest shares that one order may leave open"
    )
    lot_size_shares: int = of_symbol(
        QUANTITY_BITS, "shares", "open shares are a multiple of it; 0 lets nothing pass"
    )
    tick_size_price_units: int = of_symbol(
        16, "price units", "prices are a multiple of it; 0 lets nothing pass"
    )
    tick_size_from_price: int = of_symbol(
        PRICE_BITS, "price units", "lowest price that the tick size holds for; 10,000 is a dollar"
    )
    maximum_quantity_shares: int = of_symbol(
        QUANTITY_BITS, "shares", "most shares that one order may leave open"
    )
    maximum_notional: int = of_symbol(
        NOTIONAL_BITS, MONEY, "most price times open shares of one order"
    )
    average_daily_volume_bound_shares: int = of_symbol(
        QUANTITY_BITS, "shares", "part of the average daily volume that one order may leave open"
    )
    collar_best_basis_points: int = of_symbol(
        14, "1/10,000", "part of the opposite best price that may lie beyond it"
    )
    collar_best_price_units: int = of_symbol(
        PRICE_BITS, "price units", "the same as a distance; the wider one counts"
    )
    collar_last_basis_points: int = of_symbol(
        14, "1/10,000", "part of the last trade's price that may lie beyond it"
    )
    collar_last_price_units: int = of_symbol(
        PRICE_BITS, "price units", "the same as a distance; the wider one counts"
    )
    reference_age_limit_ns: int = of_symbol(
        DURATION_BITS, "ns", "oldest market data that may serve as a collar's reference"
    )
    short_sale_locate_shares: int = of_symbol(
        POSITION_LIMIT_BITS,
        "shares",
        "shares located: largest short position of all open short sales",
    )
    maximum_long_position_shares: int = of_symbol(
        POSITION_LIMIT_BITS, "shares", "largest position if every open buy order fills"
    )
    maximum_short_position_shares: int = of_symbol(
        POSITION_LIMIT_BITS, "shares", "largest short position if every open sell order fills"
    )
    symbol_message_rate_per_second: int = of_symbol(
        20, "messages per second", "as message_rate_per_second, for the orders of the symbol"
    )
    symbol_message_burst: int = of_symbol(
        16, "messages", "as message_burst, for the orders of the symbol"
    )
    maximum_gross_notional: int = of_gate(
        TOTAL_BITS, MONEY, "most value of all open orders and all positions, none netted"
    )
    maximum_net_notional: int = of_gate(
        TOTAL_BITS,
        MONEY,
        "most value of all positions, longs less shorts, if one side's orders fill",
    )
    maximum_daily_quantity_shares: int = of_gate(
        48, "shares", "most shares of all orders since the start of the day"
    )
    maximum_daily_notional: int = of_gate(
        TOTAL_BITS, MONEY, "most value of all orders since the start of the day"
    )
    maximum_loss: int = of_gate(
        TOTAL_BITS, MONEY, "most that cash and positions together may have lost"
    )
    maximum_credit: int = of_gate(
        TOTAL_BITS, MONEY, "most cash that was paid for positions and that open buys may need"
    )
    maximum_open_orders: int = of_gate(16, "orders", "most open orders, replaces in flight too")
    maximum_unacknowledged_orders: int = of_gate(
        16, "orders", "most orders and replaces that the exchange has not answered"
    )
    message_rate_per_second: int = of_gate(
        20, "messages per second", "how fast a session's bucket fills; 0 lets nothing pass"
    )
    message_burst: int = of_gate(
        16, "messages", "tokens a session's bucket holds; 0 lets nothing pass"
    )
    strategy_message_rate_per_second: int = of_gate(
        20, "messages per second", "as message_rate_per_second, for the orders of a strategy"
    )
    strategy_message_burst: int = of_gate(
        16, "messages", "as message_burst, for the orders of a strategy"
    )
    maximum_executions: int = of_gate(
        24, "executions", "most executions of a strategy until it is released again"
    )
    order_to_trade_floor: int = of_gate(
        32, "messages", "messages, cancels too, that are free of the ratio"
    )
    order_to_trade_ratio: int = of_gate(
        16, "messages", "messages that each execution gives leave to"
    )
    duplicate_window_ns: int = of_gate(
        DURATION_BITS, "ns", "how long an order refuses its like; 0 turns the check off"
    )
    heartbeat_timeout_ns: int = of_gate(
        DURATION_BITS,
        "ns",
        "longest silence of the control thread; 0 turns the dead-man switch off",
    )

    def __post_init__(self) -> None:
        """Hold every value against its width."""
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{entry.name}: {value!r} is not an integer")
            if not 0 <= value < 1 << entry.metadata["bits"]:
                raise ValueError(
                    f"{entry.name}: {value} does not fit {entry.metadata['bits']} unsigned bits"
                )

    def values(self) -> tuple[int, ...]:
        """The values in the order of the table, as the C array holds them."""
        return tuple(getattr(self, entry.name) for entry in fields(self))


def widest_limits(enabled_checks: int = 0) -> Limits:
    """A set that refuses nothing, every limit as wide as it goes: for tests and simulations."""
    values = {f.name: (1 << f.metadata["bits"]) - 1 for f in fields(Limits)}
    values |= dict.fromkeys(
        (
            "is_restricted",
            "minimum_quantity_shares",
            "tick_size_from_price",
            "duplicate_window_ns",
            "heartbeat_timeout_ns",
        ),
        0,
    )
    values |= {"lot_size_shares": 1, "tick_size_price_units": 1}
    return Limits(**{**values, "enabled_checks": enabled_checks})


def limits_of_scope(scope: str) -> dict[str, int]:
    """Name to bits of the limits of a scope, in the order of the table."""
    return {f.name: f.metadata["bits"] for f in fields(Limits) if f.metadata["scope"] == scope}
