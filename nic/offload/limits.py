# SPDX-License-Identifier: Apache-2.0
"""The limits of the risk gate: one definition of each field, its unit, width and meaning.

From this table come the numbers of the C array that the gate reads (``LIMIT`` in
``nic/offload/enumerations.py``), the check of each value against its width, and ``docs/risk.md``.
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

SCOPE_SYMBOL = "symbol"
SCOPE_GATE = "gate"


def limit(bits: int, unit: str, scope: str, meaning: str) -> Any:
    """A limit: unsigned, ``bits`` wide; no default, limits are set as a whole."""
    return field(metadata={"bits": bits, "unit": unit, "scope": scope, "meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """One whole set of limits; every value is an integer from 0 to ``2 ** bits - 1``.

    Fields of scope ``symbol`` hold for orders of the symbol the set was given for. Fields of scope
    ``gate`` guard sums over all symbols and are read from the default set only.
    Raises ``TypeError`` for what is not an integer, ``ValueError`` for what does not fit.
    """

    maximum_quantity_shares: int = limit(
        QUANTITY_BITS, "shares", SCOPE_SYMBOL, "most shares that one order may leave open"
    )
    maximum_notional: int = limit(
        QUANTITY_BITS + PRICE_BITS,
        "price units x shares",
        SCOPE_SYMBOL,
        "most price times open shares of one order",
    )
    collar_best_basis_points: int = limit(
        14,
        "1/10,000",
        SCOPE_SYMBOL,
        "part of the opposite best price that may lie beyond it",
    )
    collar_best_price_units: int = limit(
        PRICE_BITS,
        "price units",
        SCOPE_SYMBOL,
        "the same as a distance; the wider one counts",
    )
    collar_last_basis_points: int = limit(
        14,
        "1/10,000",
        SCOPE_SYMBOL,
        "part of the last trade's price that may lie beyond it",
    )
    collar_last_price_units: int = limit(
        PRICE_BITS,
        "price units",
        SCOPE_SYMBOL,
        "the same as a distance; the wider one counts",
    )
    reference_age_limit_ns: int = limit(
        40, "ns", SCOPE_SYMBOL, "oldest market data that may serve as a collar's reference"
    )
    maximum_long_position_shares: int = limit(
        31, "shares", SCOPE_SYMBOL, "largest position if every open buy order fills"
    )
    maximum_short_position_shares: int = limit(
        31, "shares", SCOPE_SYMBOL, "largest short position if every open sell order fills"
    )
    maximum_gross_notional: int = limit(
        62, "price units x shares", SCOPE_GATE, "most value of all open orders and all positions"
    )
    message_rate_per_second: int = limit(
        20,
        "messages per second",
        SCOPE_GATE,
        "how fast the bucket fills; 0 lets nothing pass",
    )
    message_burst: int = limit(
        16, "messages", SCOPE_GATE, "tokens the bucket holds; 0 lets nothing pass"
    )
    duplicate_window_ns: int = limit(
        40, "ns", SCOPE_GATE, "how long an order refuses its like; 0 turns the check off"
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


def interval_ns(limits: Limits) -> int:
    """Time in which one token comes back, rounded up: never faster than the rate; 0: never."""
    rate = limits.message_rate_per_second
    return -(-1_000_000_000 // rate) if rate else 0


def tolerance_ns(limits: Limits) -> int:
    """How far ahead of its time a message may be: what the bucket holds beyond one token."""
    return max(limits.message_burst - 1, 0) * interval_ns(limits)


def is_rate_closed(limits: Limits) -> bool:
    """Whether the message rate lets nothing pass at all."""
    return limits.message_rate_per_second == 0 or limits.message_burst == 0
