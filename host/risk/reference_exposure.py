# SPDX-License-Identifier: Apache-2.0
"""What is open and what may still happen to the positions, as a specification in plain Python.

The sums that ``host/risk/exposure.pyx`` keeps up to date are worked out anew here each time.
"""

from __future__ import annotations

from dataclasses import dataclass

from host.risk.reference_request import BUY, SELL, Request


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
    is_acknowledged: bool = False
    """The exchange said something about this number."""

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
    """Position of a symbol, and the price that values it: of the last execution or mark."""

    position: int = 0
    mark_price: int = 0


class ReferenceExposures:
    """Positions and open orders; the gate asks, the order management tells."""

    def __init__(self, symbol_capacity: int, order_capacity: int) -> None:
        """Make the tables; ``order_capacity`` is a power of two."""
        self.symbols = [ReferenceSymbol() for _ in range(symbol_capacity)]
        self.order_capacity = order_capacity
        self.orders: dict[int, ReferenceOrder] = {}
        self.cash = 0
        """What sales brought less what purchases cost, without fees."""
        self.executions = 0
        """Since the start of the day."""
        self.strategy_executions: dict[int, int] = {}
        """By strategy, of its open orders, until it is released."""

    def is_taken(self, number: int) -> bool:
        """Whether the place of a number (its remainder by the capacity) holds an open order."""
        return any(open_number % self.order_capacity == number % self.order_capacity
                   for open_number in self.orders)  # fmt: skip

    def of_side(self, symbol_index: int, side: int) -> list[ReferenceOrder]:
        """Open orders of a symbol's side; every sell is of the same."""
        return [
            order
            for order in self.orders.values()
            if order.symbol_index == symbol_index
            and (order.side == BUY) == (side == BUY)
            and not order.replaces
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
        """Size of the position at its mark."""
        symbol = self.symbols[symbol_index]
        return abs(symbol.position) * symbol.mark_price

    def total_notional(self, side: int) -> int:
        """Value of all open orders of a side."""
        return sum(self.open_notional(i, side) for i in range(len(self.symbols)))

    @property
    def gross_notional(self) -> int:
        """Value of all open orders and all positions, buys and sells added."""
        positions = sum(self.position_notional(i) for i in range(len(self.symbols)))
        return positions + self.total_notional(BUY) + self.total_notional(SELL)

    @property
    def net_position_notional(self) -> int:
        """Value of all positions, short ones negative."""
        return sum(symbol.position * symbol.mark_price for symbol in self.symbols)

    @property
    def unacknowledged_orders(self) -> int:
        """Orders and replaces that the exchange has not answered."""
        return sum(not order.is_acknowledged for order in self.orders.values())

    def totals(self) -> dict[str, int]:
        """The sums over all symbols, under the names of the Cython gate."""
        return {
            "open_orders": len(self.orders),
            "unacknowledged_orders": self.unacknowledged_orders,
            "executions": self.executions,
            "gross_notional": self.gross_notional,
            "net_position_notional": self.net_position_notional,
            "open_buy_notional": self.total_notional(BUY),
            "open_sell_notional": self.total_notional(SELL),
            "cash": self.cash,
        }

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
            order.leaves, order.price, order.is_acknowledged = leaves, price, True

    def on_fill(self, number: int, symbol_index: int, side: int, quantity: int, price: int) -> None:
        """Shares were executed; the position moves whether the order is open or not."""
        order = self.order(number)
        if order:
            shares = min(quantity, order.leaves)
            order.leaves -= shares
            order.executed += shares
            order.is_acknowledged = True
            strategy = order.strategy_id
            self.strategy_executions[strategy] = self.strategy_executions.get(strategy, 0) + 1
        self.executions += 1
        self.move(symbol_index, quantity if side == BUY else -quantity, price)
        self.on_mark(symbol_index, price)

    def move(self, symbol_index: int, shares: int, price: int) -> None:
        """Shares came (or, negative, went) and were paid at the price."""
        self.symbols[symbol_index].position += shares
        self.cash -= shares * price

    def on_mark(self, symbol_index: int, price: int) -> None:
        """The position is worth this price a share from now on."""
        self.symbols[symbol_index].mark_price = price

    def on_canceled(self, number: int, quantity: int) -> None:
        """Shares were taken off the order, and it lives on."""
        order = self.order(number)
        if order:
            order.leaves -= min(quantity, order.leaves)
            order.is_acknowledged = True

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
            order.is_acknowledged = True
            if leaves == 0:
                del self.orders[number]

    def on_replace_ended(self, number: int) -> None:
        """The replace in flight of this number will not be; the original stands."""
        order = self.orders.get(number)
        if order and order.replaces:
            self.orders[order.replaces].pending = 0
            del self.orders[number]

    def on_broken(self, symbol_index: int, side: int, quantity: int, price: int) -> None:
        """An execution of this side was broken: its shares and its cash go back."""
        self.move(symbol_index, -quantity if side == BUY else quantity, price)

    def on_strategy_released(self, strategy_id: int) -> None:
        """The operator lets a strategy execute again as often as it may."""
        self.strategy_executions[strategy_id] = 0

    def on_day_started(self) -> None:
        """The executions of the day count from here."""
        self.executions = 0

    def symbol(self, symbol_index: int) -> dict[str, int]:
        """What is counted of a symbol, under the names of the Cython gate."""
        return {
            "position": self.symbols[symbol_index].position,
            "position_notional": self.position_notional(symbol_index),
            "mark_price": self.symbols[symbol_index].mark_price,
            "open_buy_shares": self.open_shares(symbol_index, BUY),
            "open_buy_notional": self.open_notional(symbol_index, BUY),
            "open_buy_orders": len(self.of_side(symbol_index, BUY)),
            "best_own_buy": self.best_price(symbol_index, BUY),
            "open_sell_shares": self.open_shares(symbol_index, SELL),
            "open_sell_notional": self.open_notional(symbol_index, SELL),
            "open_sell_orders": len(self.of_side(symbol_index, SELL)),
            "best_own_sell": self.best_price(symbol_index, SELL),
        }
