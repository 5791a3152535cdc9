# SPDX-License-Identifier: Apache-2.0
"""The registers and tables of the ledger, which its steps work on."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data

from hw.best_price import BestPriceSearch
from hw.free_number import FreeNumber
from hw.ledger_ports import Operation
from hw.product import PRODUCT_CYCLES, Product
from hw.request import BUY
from hw.risk_rows import (
    EXECUTION_BITS,
    MONEY_BITS,
    NUMBER_BITS,
    POSITION_BITS,
    RATIO_BITS,
    side_layout,
)
from hw.steps import Steps
from hw.swept_memory import SweptMemory
from nic.offload.limits import NOTIONAL_BITS, PRICE_BITS, QUANTITY_BITS

SOURCE_LAYOUT = data.StructLayout(
    dict.fromkeys(("found_price", "ratio", "opened", "look_up", "tell"), 1)
)
"""Where an operation comes from, a bit for each."""

CHANGE_LAYOUT = data.StructLayout(
    dict.fromkeys(
        (
            *("takes_shares", "fills", "sets_terms", "ends_pending", "replaces"),
            *("closes", "is_replaced", "ends_replace"),
        ),
        1,
    )
)
"""What changes in an order's row; 1 in the step of the change only."""

STEPS = (
    *("IDLE", "PREPARE", "FETCH", "READ", "TAKE", "OPEN"),
    *("CHECK", "BRANCH", "LOOK_BEHIND", "BEHIND", "COMPARE", "EDIT", "CHANGE"),
    *("KNOW", "MOVE", "SUM", "SIZE", "MULTIPLY", "RESERVE"),
    *("DIFFER", "ADD", "BEST", "PRICE", "PRICE_FOUND", "PRICE_TAKEN", "WRITE"),
    *("SHOW", "STORE", "WRITE_OTHER", "SEARCH", "FETCH_AGAIN", "READ_AGAIN", "NEW_DAY"),
)
"""Of an operation; not every one takes all of them."""

SLOTS = 6
"""Products of an operation."""
LAST_SLOT = SLOTS + PRODUCT_CYCLES


class LedgerState:
    """The tables, and what is known of the operation under way; ``ports`` are the ledger's."""

    def __init__(self, ports: Any) -> None:
        """All registers, 0 at the beginning."""
        self.ports = ports
        self.symbols = SweptMemory(
            ports.symbol_shape,
            1 << ports.symbol_bits,
            read_ports=2,
            registered=2,
            may_collide=False,
            late_write=True,
        )
        self.orders = SweptMemory(
            ports.order_shape,
            1 << ports.order_bits,
            registered=1,
            may_collide=False,
            late_write=True,
        )
        self.numbers = FreeNumber(ports.order_bits)
        self.search = BestPriceSearch(ports.order_bits, ports.symbol_bits)
        self.product = Product()

        # what was offered in the last cycle without an operation, and which of it is taken
        self.given = Signal(ports.opened_shape)
        self.told = Signal(ports.tell.shape())
        self.asked = Signal(NUMBER_BITS)
        self.source = Signal(SOURCE_LAYOUT)

        self.ops = Signal(len(Operation))  # the operation, a bit for each
        self.key = Signal(NUMBER_BITS)  # the order it is about
        self.looks_at = Signal(ports.order_bits)  # place of the order to read
        self.new_number = Signal(NUMBER_BITS)
        self.symbol_index = Signal(ports.symbol_bits)
        self.side = Signal(8)  # of a fill or broken
        self.quantity = Signal(QUANTITY_BITS)
        self.price = Signal(PRICE_BITS)
        self.strategy_told = Signal(ports.strategy_bits)
        self.is_search_result = Signal()

        self.has_order = Signal()  # ``order`` is there and changes
        self.order_part = Signal()  # it is weighed in this pass
        self.position_part = Signal()  # the position is
        self.again = Signal()  # a second pass follows: the order is of another symbol
        self.is_gone = Signal()  # the order is closed
        self.had = Signal()  # the order was reserved for before
        self.other = Signal(NUMBER_BITS)  # number of the second row that changes
        self.has_other = Signal()
        self.kept_cancel = Signal()
        self.fewer_open = Signal(2)
        self.fewer_unacknowledged = Signal(2)
        self.is_new_row = Signal()
        self.was_unacknowledged = Signal()

        # of the order as it was in the cycle before
        self.is_buy = Signal()
        self.has_pending = Signal()
        self.pending_is_more = Signal()  # the replace in flight asks for more shares than are open
        self.pending_is_worth_more = Signal()
        self.pending_is_further = Signal()  # its price is the more aggressive one
        self.fill_leaves_some = Signal()
        self.is_elsewhere = Signal()  # the order is of another symbol than the operation
        self.asks_nothing = Signal()  # the operation's quantity is 0
        self.is_in_flight = Signal()  # it replaces another, and is no order yet
        self.next_count = Signal(EXECUTION_BITS)  # executions of its strategy, and one

        self.does = Signal(CHANGE_LAYOUT)
        self.ended_pending = Signal()  # the order's replace in flight, in the cycle before
        self.loads = Signal()  # the row that was read becomes ``order``
        self.keeps = Signal(SLOTS)  # the product that is there, by its slot

        self.known = Signal(ports.symbol_shape)  # the symbol's row
        self.side_row, self.new_side_row = (
            Signal(side_layout(ports.order_bits), name=name) for name in ("side_row", "new_side")
        )
        self.old_shares, self.new_shares = (
            Signal(QUANTITY_BITS, name=f"{when}_shares") for when in ("old", "new")
        )
        self.old_notional, self.new_notional = (
            Signal(NOTIONAL_BITS, name=f"{when}_notional") for when in ("old", "new")
        )
        self.old_price, self.new_price = (
            Signal(PRICE_BITS, name=f"{when}_price") for when in ("old", "new")
        )
        self.taken_shares = Signal(QUANTITY_BITS)
        self.new_position = Signal(signed(POSITION_BITS))
        self.shares_moved = Signal(signed(QUANTITY_BITS + 1))  # into the position
        self.executions = Signal(EXECUTION_BITS)
        self.needs_search = Signal()
        self.ratio_used, self.ratio_taken = Signal(RATIO_BITS), Signal(RATIO_BITS)
        self.strategies = SweptMemory(  # executions of each
            EXECUTION_BITS,
            1 << ports.strategy_bits,
            read_ports=2,
            is_immediate=True,
            late_write=True,
        )

        # the products, and what follows from them
        self.slot = Signal(range(LAST_SLOT + 1))
        self.size = Signal(POSITION_BITS)
        self.size_notional = [Signal(NOTIONAL_BITS, name=f"size_notional_{i}") for i in range(2)]
        self.paid = Signal(NOTIONAL_BITS)
        self.by_ratio = Signal(NOTIONAL_BITS)
        self.was_short = Signal()
        self.order_change = Signal(signed(NOTIONAL_BITS + 1))
        self.cash_change = Signal(signed(NOTIONAL_BITS + 1))
        self.gross_change = Signal(signed(MONEY_BITS))
        self.net_change = Signal(signed(MONEY_BITS))

    def is_(self, *operations: Any) -> Value:
        """Whether one of these is under way."""
        return Cat(*(self.ops[operation] for operation in operations)).any()

    def most_shares(self) -> Value:
        """The most that the order may still execute."""
        order = self.ports.order
        return Mux(self.pending_is_more, order.pending_leaves, order.leaves)

    def most_notional(self) -> Value:
        """The most that it may still be worth."""
        order = self.ports.order
        return Mux(self.pending_is_worth_more, order.pending_notional, order.notional)

    def furthest_price(self) -> Value:
        """The more aggressive price of the order and its replace in flight."""
        order = self.ports.order
        return Mux(self.pending_is_further, order.pending_price, order.price)

    @property
    def row_changes(self) -> Value:
        """A side of the symbol's row does."""
        return self.order_part | self.is_search_result

    def connect(self, m: Module) -> None:
        """Add the steps, the tables, and the multiplier: its slots are fed one per cycle."""
        self.steps = Steps(m, STEPS)
        for name in ("symbols", "orders", "strategies", "numbers", "search", "product"):
            m.submodules[name] = getattr(self, name)
        order, known, product = self.ports.order, self.known, self.product
        factors = (
            (order.leaves, order.price),
            (order.pending_leaves, order.pending_price),
            (self.size[:QUANTITY_BITS], known.mark_price),
            (self.size[QUANTITY_BITS:], known.mark_price),
            (self.quantity, self.price),
        )
        shares, price = Signal(QUANTITY_BITS), Signal(PRICE_BITS)
        m.d.sync += [shares.eq(self.ports.ratio), price.eq(self.executions)]  # the last ones
        with m.Switch(self.slot):
            for number, (left, right) in enumerate(factors):
                with m.Case(number):
                    m.d.sync += [shares.eq(left), price.eq(right)]
        with m.If(self.slot == SLOTS - 1):
            m.d.sync += self.ratio_taken.eq(self.ports.ratio)
        m.d.comb += [product.shares.eq(shares), product.price.eq(price)]
        self._compare(m)

    def _compare(self, m: Module) -> None:
        """What the steps ask of an order, a cycle ahead: as wide as it is, it fills a cycle."""
        order, count = self.ports.order, Signal(EXECUTION_BITS)
        strategy, executions = self.strategies.read(1)
        half = NOTIONAL_BITS // 2
        pending, notional = order.pending_notional, order.notional
        is_above, high_is_more, high_is_same, low_is_more = (Signal() for _ in range(4))
        m.d.sync += [
            self.does.eq(0),
            self.is_buy.eq(order.side == BUY),
            self.pending_is_more.eq(order.pending_leaves > order.leaves),
            high_is_more.eq(pending[half:] > notional[half:]),
            high_is_same.eq(pending[half:] == notional[half:]),
            low_is_more.eq(pending[:half] > notional[:half]),
            self.has_pending.eq(order.pending.any()),
            self.is_in_flight.eq(order.replaces.any()),
            is_above.eq(order.pending_price > order.price),
            self.is_elsewhere.eq(order.symbol_index != self.symbol_index),
            self.asks_nothing.eq(self.quantity == 0),
            self.fill_leaves_some.eq(self.quantity < order.leaves),
            count.eq(executions),
            self.next_count.eq(count + 1),
        ]
        m.d.comb += [
            strategy.eq(order.strategy),
            self.pending_is_worth_more.eq(high_is_more | (high_is_same & low_is_more)),
        ]
        # with equal prices it is no matter which
        m.d.comb += self.pending_is_further.eq(self.has_pending & ~(is_above ^ self.is_buy))
