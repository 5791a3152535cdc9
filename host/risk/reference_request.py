# SPDX-License-Identifier: Apache-2.0
"""What the reference of the risk gate is asked, and what it knows of a symbol's market."""

from __future__ import annotations

from dataclasses import dataclass

from nic.offload.enumerations import ORDER_TYPE
from nic.offload.limits import MAXIMUM_PRICE

NEW, REPLACE, CANCEL = 0, 1, 2
BUY, SELL, SELL_SHORT, SELL_SHORT_EXEMPT = map(ord, "BSTE")
SELLS = (SELL, SELL_SHORT, SELL_SHORT_EXEMPT)
DAY, IOC = ord("0"), ord("3")
TRADING = ord("T")
"""Trading state, Stock Trading Action of ITCH 5.0."""
UNRESTRICTED = ord("0")
"""Short sale state, Reg SHO Restriction of ITCH 5.0: no price test; 0 is unknown."""


@dataclass(slots=True)
class Request:
    """An order request: the fields of ``OrderRequest`` in ``host/model.pxd``."""

    action: int
    side: int = BUY
    quantity: int = 0
    price: int = 0
    symbol_index: int = 0
    time_in_force: int = DAY
    post_only: int = 0
    strategy_id: int = 0
    venue: int = 0
    user_ref_num: int = 0
    parent: int = 0

    @property
    def direction(self) -> int:
        """1 of a buy, -1 of every sell: times a price difference, how far it reaches."""
        return 1 if self.side == BUY else -1

    def order_types(self) -> int:
        """Bits of ORDER_TYPE that a valid request has."""
        sides = {BUY: "buy", SELL: "sell", SELL_SHORT: "sell_short"}
        names = [
            "day" if self.time_in_force == DAY else "ioc",
            sides.get(self.side, "sell_short_exempt"),
        ]
        if self.post_only:
            names.append("post_only")
        if self.action == REPLACE:
            names.append("replace")
        return sum(1 << ORDER_TYPE.value(name) for name in names)


@dataclass(slots=True)
class ReferenceTop:
    """What is known of a symbol: the fields of ``Top`` that the gate reads.

    A price counts as not there when it is 0 or above the highest price of a request.
    """

    bid_price: int = 0
    ask_price: int = 0
    last_price: int = 0
    updated_ns: int = 0
    trading_state: int = 0
    operational_halt: int = 0
    book_state: int = 0
    short_sale_state: int = 0
    band_lower_price: int = 0
    band_upper_price: int = 0


def is_there(price: int) -> bool:
    """Whether a price of the market can serve as a reference."""
    return 0 < price <= MAXIMUM_PRICE


@dataclass(slots=True)
class Change:
    """What a request adds to the worst case, if it passes."""

    leaves: int
    """Shares that the order would leave open."""
    notional: int
    """Their price times shares."""
    shares_added: int
    """To the shares reserved on its side."""
    notional_added: int
    is_smaller: bool = False
    """A replace that is in no way more than the order it replaces."""
