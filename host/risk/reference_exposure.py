# SPDX-License-Identifier: Apache-2.0
"""What is open and what may still happen to the positions, as a specification in plain Python.

The sums that ``host/risk/exposure.pyx`` keeps up to date are worked out anew here each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from host.risk.reference import Request

BUY, SELL = ord("B"), ord("S")


@dataclass(slots=True)
class ReferenceOrder:
    """An open order, or (``replaces`` not 0) a replace in flight that is no order yet."""

    symbol_index: int
    side: int
    strategy_id: int
    venue: int
    price: int = 0
    leaves: int = 0
    executed: int = 0
    """Of the whole chain of replaces."""
    pending: int = 0
    """Number of the replace in flight, 0 for none; it asks for the next two."""
    pending_quantity: int = 0
    pending_price: int = 0
    replaces: int = 0
    cancel_in_flight: bool = False

    def candidates(self) -> list[tuple[int, int]]:
        """Shares and price that may come to be: as it stands, and as the replace in flight asks."""
        found = [(self.leaves, self.price)]
        if self.pending and self.pending_quantity > self.executed:
            found.append((self.pending_quantity - self.executed, self.pending_price))
        return found

    def prices(self) -> list[int]:
        """Prices at which it may rest."""
        return [self.price, self.pending_price] if self.pending else [self.price]


@dataclass(slots=True)
class ReferenceSymbol:
    """Position of a symbol, and the price of the last execution, which values it."""

    position: int = 0
    last_fill_price: int = 0


class ReferenceExposures:
    """Positions and open orders; the gate asks, the order management tells."""

    def __init__(self, symbol_capacity: int, order_capacity: int) -> None:
        """Make the tables; ``order_capacity`` is a power of two."""
        self.symbols = [ReferenceSymbol() for _ in range(symbol_capacity)]
        self.order_capacity = order_capacity
        self.orders: dict[int, ReferenceOrder] = {}

    def is_taken(self, number: int) -> bool:
        """Whether the place of a number (its remainder by the capacity) holds an open order."""
        return any(open_number % self.order_capacity == number % self.order_capacity
                   for open_number in self.orders)  # fmt: skip

    def of_side(self, symbol_index: int, side: int) -> list[ReferenceOrder]:
        """Open orders of a symbol's side."""
        return [
            order
            for order in self.orders.values()
            if order.symbol_index == symbol_index and order.side == side and not order.replaces
        ]

    def open_shares(self, symbol_index: int, side: int) -> int:
        """Most shares that the side's open orders may still execute."""
        orders = self.of_side(symbol_index, side)
        return sum(max(shares for shares, _ in order.candidates()) for order in orders)

    def open_notional(self, symbol_index: int, side: int) -> int:
        """Highest price times shares of the side's open orders."""
        orders = self.of_side(symbol_index, side)
        return sum(max(s * p for s, p in order.candidates()) for order in orders)

    def best_price(self, symbol_index: int, side: int) -> int:
        """The most aggressive price at which an own order may rest; 0 without any."""
        prices = [p for order in self.of_side(symbol_index, side) for p in order.prices()]
        return (max if side == BUY else min)(prices, default=0)

    def position_notional(self, symbol_index: int) -> int:
        """Size of the position at the price of the last execution in the symbol."""
        symbol = self.symbols[symbol_index]
        return abs(symbol.position) * symbol.last_fill_price

    @property
    def gross_notional(self) -> int:
        """Value of all open orders and all positions, buys and sells added."""
        return sum(
            self.position_notional(i) + self.open_notional(i, BUY) + self.open_notional(i, SELL)
            for i in range(len(self.symbols))
        )

    def on_opened(self, request: Request, number: int) -> bool:
        """A passed request is about to be sent; new and replace bear the number."""
        if request.action == 2:
            if request.quantity == 0:
                self.orders[request.user_ref_num].cancel_in_flight = True
            return True
        order = ReferenceOrder(
            request.symbol_index, request.side, request.strategy_id, request.venue
        )
        if request.action == 1:
            original = self.orders[request.user_ref_num]
            original.pending = number
            original.pending_quantity = request.quantity
            original.pending_price = request.price
            order.replaces = request.user_ref_num
        else:
            order.price, order.leaves = request.price, request.quantity
        self.orders[number] = order
        return True

    def tell(self, event: str, *numbers: int) -> None:
        """Tell by name what happened, with the arguments of ``on_<event>`` in order."""
        getattr(self, f"on_{event}")(*numbers)

    def order(self, number: int) -> ReferenceOrder | None:
        """The open order of a number that is not a replace in flight."""
        order = self.orders.get(number)
        return order if order and not order.replaces else None

    def on_terms(self, number: int, leaves: int, price: int) -> None:
        """The exchange said how many shares are open, and at what price."""
        order = self.order(number)
        if order:
            order.leaves, order.price = leaves, price

    def on_fill(self, number: int, symbol_index: int, side: int, quantity: int, price: int) -> None:
        """Shares were executed; the position moves whether the order is open or not."""
        order = self.order(number)
        if order:
            shares = min(quantity, order.leaves)
            order.leaves -= shares
            order.executed += shares
        symbol = self.symbols[symbol_index]
        symbol.position += quantity if side == BUY else -quantity
        symbol.last_fill_price = price

    def on_canceled(self, number: int, quantity: int) -> None:
        """Shares were taken off the order, and it lives on."""
        order = self.order(number)
        if order:
            order.leaves -= min(quantity, order.leaves)

    def on_cancel_ended(self, number: int) -> None:
        """The cancel of all shares was refused or lost."""
        if number in self.orders:
            self.orders[number].cancel_in_flight = False

    def on_closed(self, number: int) -> None:
        """The order is no longer live; a replace in flight dies with it."""
        order = self.order(number)
        if order:
            self.orders.pop(order.pending, None)
            del self.orders[number]

    def on_replaced(self, number: int, leaves: int, price: int) -> None:
        """The replace in flight came to be, the original is gone; so is this one without shares."""
        order = self.orders.get(number)
        if order and order.replaces:
            order.executed = self.orders.pop(order.replaces).executed
            order.leaves, order.price, order.replaces = leaves, price, 0
            if leaves == 0:
                del self.orders[number]

    def on_replace_ended(self, number: int) -> None:
        """The replace in flight of this number will not be; the original stands."""
        order = self.orders.get(number)
        if order and order.replaces:
            self.orders[order.replaces].pending = 0
            del self.orders[number]

    def on_broken(self, symbol_index: int, side: int, quantity: int) -> None:
        """An execution of this side was broken: its shares leave the position."""
        self.symbols[symbol_index].position += -quantity if side == BUY else quantity

    def symbol(self, symbol_index: int) -> dict[str, int]:
        """What is counted of a symbol, under the names of the Cython gate."""
        return {
            "position": self.symbols[symbol_index].position,
            "position_notional": self.position_notional(symbol_index),
            "open_buy_shares": self.open_shares(symbol_index, BUY),
            "open_buy_notional": self.open_notional(symbol_index, BUY),
            "open_buy_orders": len(self.of_side(symbol_index, BUY)),
            "best_own_buy": self.best_price(symbol_index, BUY),
            "open_sell_shares": self.open_shares(symbol_index, SELL),
            "open_sell_notional": self.open_notional(symbol_index, SELL),
            "open_sell_orders": len(self.of_side(symbol_index, SELL)),
            "best_own_sell": self.best_price(symbol_index, SELL),
        }
