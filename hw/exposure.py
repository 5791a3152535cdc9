# SPDX-License-Identifier: Apache-2.0
"""The ledger of the risk gate: open orders, what they reserve, positions and sums.

One operation at a time, in steps: a request that passed, or something that happened to an order.
What an operation changes in a symbol's row and in the sums becomes visible in one cycle.
The semantics stand in ``host/risk/reference_exposure.py``.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.best_price import BestPriceSearch, reaches_further
from hw.free_number import FreeNumber
from hw.ledger_ports import Operation, opened_layout, tell_layout
from hw.product import PRODUCT_CYCLES, Product
from hw.request import STRATEGY_BITS, SYMBOL_BITS, VENUE_BITS, Action
from hw.risk_rows import (
    EXECUTION_BITS,
    MONEY_BITS,
    NUMBER_BITS,
    POSITION_BITS,
    order_layout,
    side_layout,
    symbol_layout,
    totals_layout,
)
from hw.swept_memory import SweptMemory
from nic.offload.limit_words import bits_of_scope
from nic.offload.limits import NOTIONAL_BITS, PRICE_BITS, QUANTITY_BITS, SCOPE_GATE

BUY = ord("B")
RATIO_BITS = bits_of_scope(SCOPE_GATE)["order_to_trade_ratio"]
SLOTS = 6
"""Products of an operation."""


def greater(left: Value, right: Value) -> Value:
    """The greater of two numbers."""
    return Mux(left > right, left, right)


def furthest_price(order: data.View) -> Value:
    """The more aggressive price of an order and its replace in flight."""
    further = Mux(order.side == BUY, order.pending_price > order.price,
                  order.pending_price < order.price)  # fmt: skip
    return Mux(order.pending.any() & further, order.pending_price, order.price)


class Exposure(wiring.Component):
    """Open orders and positions; what the gate asks of them.

    Of a symbol: ``prefetch`` in cycle 0 is its index, ``row`` in cycle 2 what is known of it.
    ``written`` is 1 in the cycle before a row changes (``written_symbol``) and the sums with it;
    ``row`` then shows the new one if its index was given two cycles before or less.
    ``totals`` are the sums over all symbols. ``strategy_executions`` are those of ``strategy`` of
    the cycle before.

    ``opened_valid``, ``opened``, ``opened_ready``: a request that passed (8 cycles for a new order,
    13 for a replace, 5 for a cancel). A new order or a replace gets ``number``; it is taken only
    while ``number_is_ready``. The gate has seen to it that the order of a replace or cancel is
    there. ``look_up_valid``, ``look_up_number``, ``look_up_ready``: asks for an order; when
    ``look_up_done`` is 1, ``order`` is its row and ``order_found`` says whether there is one; both
    stand until the next operation.

    ``tell_valid``, ``tell``, ``tell_ready``: something happened (up to 31 cycles). While ``hold``
    is 1 none is begun. ``is_idle``: nothing is under way.

    When an order goes that had its side's best price, the others are searched (two to
    ``order_bits`` cycles): until ``is_settled`` the old price stands, which reaches further than
    any that is there, and no tell is begun. ``ratio`` is the limit ``order_to_trade_ratio``; after
    it changed, ``ratio_is_settled`` is 0 until ``executions_by_ratio`` is right again.
    """

    def __init__(
        self,
        order_bits: int = 10,
        symbol_bits: int = SYMBOL_BITS,
        strategy_bits: int = STRATEGY_BITS,
        venue_bits: int = VENUE_BITS,
    ) -> None:
        """Two to the power of each: orders open at once, symbols, strategies, venues."""
        self.order_bits = order_bits
        self.symbol_bits = symbol_bits
        self.strategy_bits = strategy_bits
        self._order = order_layout(order_bits, symbol_bits, strategy_bits, venue_bits)
        self._symbol = symbol_layout(order_bits)
        self._totals = totals_layout(order_bits)
        self._tell = tell_layout(symbol_bits, strategy_bits)
        self._opened = opened_layout(symbol_bits, strategy_bits, venue_bits)
        super().__init__(
            {
                "prefetch": In(symbol_bits),
                "row": Out(self._symbol),
                "written": Out(1),
                "written_symbol": Out(symbol_bits),
                "totals": Out(self._totals),
                "strategy": In(strategy_bits),
                "strategy_executions": Out(EXECUTION_BITS),
                "number": Out(NUMBER_BITS),
                "number_is_ready": Out(1),
                "opened_valid": In(1),
                "opened": In(self._opened),
                "opened_ready": Out(1),
                "look_up_valid": In(1),
                "look_up_number": In(NUMBER_BITS),
                "look_up_ready": Out(1),
                "look_up_done": Out(1),
                "order": Out(self._order),
                "order_found": Out(1),
                "tell_valid": In(1),
                "tell": In(self._tell),
                "tell_ready": Out(1),
                "hold": In(1),
                "is_idle": Out(1),
                "is_settled": Out(1),
                "ratio": In(RATIO_BITS),
                "ratio_is_settled": Out(1),
                "init_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Tables, the steps of an operation, and what they do."""
        m = Module()
        self._tables(m)
        self._registers()
        self._gate_side(m)
        self._arithmetic(m)
        self._row_ports(m)
        with m.FSM(name="step"):
            self._begin(m)
            self._find(m)
            self._edit(m)
            self._weigh(m)
            self._write(m)
        return m

    # ------------------------------------------------------------------ parts

    def _tables(self, m: Module) -> None:
        m.submodules.symbols = self._symbols = SweptMemory(
            self._symbol, 1 << self.symbol_bits, read_ports=2, is_transparent=False, registered=1
        )
        m.submodules.orders = self._orders = SweptMemory(
            self._order, 1 << self.order_bits, is_transparent=False
        )
        m.submodules.numbers = self._numbers = FreeNumber(self.order_bits)
        m.submodules.search = self._search = BestPriceSearch(self.order_bits, self.symbol_bits)
        m.submodules.product = self._product = Product()
        m.d.comb += [
            self.init_done.eq(
                self._symbols.init_done
                & self._orders.init_done
                & self._numbers.init_done
                & self._search.init_done
            ),
            self.number.eq(self._numbers.number),
            self.number_is_ready.eq(self._numbers.is_ready),
            self.is_settled.eq(~self._search.is_busy),
        ]

    def _registers(self) -> None:
        """What is known of the operation under way."""
        o = self.order_bits
        self._op = Signal(Operation)
        self._key = Signal(NUMBER_BITS)  # the order it is about
        self._new_number = Signal(NUMBER_BITS)
        self._symbol_index = Signal(self.symbol_bits)
        self._side = Signal(8)  # of a fill or broken
        self._quantity = Signal(QUANTITY_BITS)
        self._price = Signal(PRICE_BITS)
        self._strategy_told = Signal(self.strategy_bits)
        self._given = Signal(self._opened)
        self._is_search_result = Signal()

        self._has_order = Signal()  # ``order`` is there and changes
        self._order_part = Signal()  # it is weighed in this pass
        self._position_part = Signal()  # the position is
        self._again = Signal()  # a second pass follows: the order is of another symbol
        self._is_gone = Signal()  # the order is closed
        self._had = Signal()  # the order was reserved for before
        self._other = Signal(NUMBER_BITS)  # number of the second row that changes
        self._has_other = Signal()
        self._kept_cancel = Signal()
        self._fewer_open = Signal(2)
        self._fewer_unacknowledged = Signal(2)
        self._is_new_row = Signal()
        self._was_unacknowledged = Signal()

        self._known = Signal(self._symbol)  # the symbol's row
        self._side_row = Signal(side_layout(o))
        self._old_shares, self._new_shares = (
            Signal(QUANTITY_BITS, name=f"{when}_shares") for when in ("old", "new")
        )
        self._old_notional, self._new_notional = (
            Signal(NOTIONAL_BITS, name=f"{when}_notional") for when in ("old", "new")
        )
        self._old_price, self._new_price = (
            Signal(PRICE_BITS, name=f"{when}_price") for when in ("old", "new")
        )
        self._taken_shares = Signal(QUANTITY_BITS)
        self._executions = Signal(EXECUTION_BITS)
        self._needs_search = Signal()
        self._ratio_used, self._ratio_taken = Signal(RATIO_BITS), Signal(RATIO_BITS)
        self._strategies = Array(
            Signal(EXECUTION_BITS, name=f"executions_{i}") for i in range(1 << self.strategy_bits)
        )

    def _is(self, *operations: Any) -> Value:
        return Cat(*(self._op == operation for operation in operations)).any()

    def _gate_side(self, m: Module) -> None:
        """The gate's ports."""
        address, row = self._symbols.read(0)
        m.d.comb += [address.eq(self.prefetch), self.row.eq(row)]
        m.d.sync += self.strategy_executions.eq(self._strategies[self.strategy])
        m.d.comb += [
            self.written.eq(self._symbols.write_enable),
            self.written_symbol.eq(self._symbol_index),
            self._symbols.write_address.eq(self._symbol_index),
            self._symbols.read_address[1].eq(self._symbol_index),
            self.ratio_is_settled.eq(self._ratio_used == self.ratio),
        ]

    def _arithmetic(self, m: Module) -> None:
        """The products: one slot each, fed one per cycle."""
        self._slot = Signal(range(SLOTS + PRODUCT_CYCLES + 1))
        self._size = Signal(POSITION_BITS)
        self._size_notional = [Signal(NOTIONAL_BITS, name=f"size_notional_{i}") for i in range(2)]
        self._paid = Signal(NOTIONAL_BITS)
        self._by_ratio = Signal(NOTIONAL_BITS)
        order, product = self.order, self._product
        factors = (
            (order.leaves, order.price),
            (order.pending_leaves, order.pending_price),
            (self._size[:QUANTITY_BITS], self._known.mark_price),
            (self._size[QUANTITY_BITS:], self._known.mark_price),
            (self._quantity, self._price),
            (self.ratio, self._executions),
        )
        shares, price = Signal(QUANTITY_BITS), Signal(PRICE_BITS)
        for number, (left, right) in enumerate(factors):
            with m.If(self._slot == number):
                m.d.sync += [shares.eq(left), price.eq(right), self._ratio_taken.eq(self.ratio)]
        m.d.comb += [product.shares.eq(shares), product.price.eq(price)]

    def _begin(self, m: Module) -> None:
        """Take what is next: a found price, a request that passed, a question, a tell."""
        request, tell = self.opened.request, self.tell
        free = Signal()
        m.d.comb += [
            free.eq(self.init_done & ~self._search.is_done & self.ratio_is_settled),
            self.look_up_ready.eq(0),
        ]
        needs_number = request.action != Action.CANCEL
        with m.State("IDLE"):
            m.d.comb += [
                self.is_idle.eq(free & self.is_settled & ~self.opened_valid),
                self.opened_ready.eq(free & (self._numbers.is_ready | ~needs_number)),
                self.look_up_ready.eq(free & ~self.opened_valid),
                self.tell_ready.eq(
                    free & ~self.opened_valid & ~self.look_up_valid & ~self.hold & self.is_settled
                ),
            ]
            m.d.sync += [
                self._has_order.eq(0),
                self._order_part.eq(0),
                self._position_part.eq(0),
                self._again.eq(0),
                self._is_gone.eq(0),
                self._had.eq(0),
                self._has_other.eq(0),
                self._kept_cancel.eq(0),
                self._fewer_open.eq(0),
                self._fewer_unacknowledged.eq(0),
                self._is_new_row.eq(0),
                self._needs_search.eq(0),
                self._is_search_result.eq(0),
                self._slot.eq(0),
                self._given.eq(self.opened),
                self._new_number.eq(self._numbers.number),
                self._executions.eq(self.totals.executions),
            ]
            with m.If(self.init_done & self._search.is_done):
                m.d.sync += [
                    self._op.eq(Operation.OWN),
                    self._is_search_result.eq(1),
                    self._symbol_index.eq(self._search.wanted_symbol),
                ]
                m.next = "FETCH"
            with m.Elif(self.init_done & ~self.ratio_is_settled):
                m.d.sync += self._op.eq(Operation.OWN)
                m.next = "MULTIPLY"
            with m.Elif(self.opened_valid & self.opened_ready):
                m.d.comb += self._numbers.take.eq(needs_number)
                m.d.sync += [
                    self._op.eq(Operation.CANCEL),
                    self._key.eq(request.user_ref_num),
                    self._symbol_index.eq(request.symbol_index),
                    self._quantity.eq(request.quantity),
                    self._price.eq(request.price),
                ]
                with m.If(request.action == Action.NEW):
                    m.d.sync += self._op.eq(Operation.NEW)
                with m.If(request.action == Action.REPLACE):
                    m.d.sync += self._op.eq(Operation.REPLACE)
                m.next = "FETCH"
            with m.Elif(self.look_up_valid & self.look_up_ready):
                m.d.sync += [self._op.eq(Operation.LOOK_UP), self._key.eq(self.look_up_number)]
                m.next = "FETCH"
            with m.Elif(self.tell_valid & self.tell_ready):
                m.d.sync += [
                    self._op.eq(tell.kind),
                    self._key.eq(tell.user_ref_num),
                    self._symbol_index.eq(tell.symbol_index),
                    self._side.eq(tell.side),
                    self._quantity.eq(tell.quantity),
                    self._price.eq(tell.price),
                    self._strategy_told.eq(tell.strategy_id),
                ]
                m.next = "FETCH"

    def _find(self, m: Module) -> None:
        """Read the order, and the one it replaces; see what there is to do."""
        order, op = self.order, Operation
        order_address, raw_order = self._orders.read()
        _, raw_symbol = self._symbols.read(1)
        looks_behind = Signal()
        m.d.comb += order_address.eq(Mux(looks_behind, order.replaces, self._key))
        with m.State("FETCH"):
            m.next = "READ"
        with m.State("READ"):
            m.d.sync += [order.eq(raw_order), self._known.eq(raw_symbol)]
            m.next = "CHECK"
            with m.If(self._is(op.NEW)):
                self._open_new(m)
                m.next = "RESERVE"
            with m.If(self._is_search_result):
                m.next = "PRICE_FOUND"
        with m.State("CHECK"):
            m.d.comb += looks_behind.eq(1)
            m.d.sync += self.order_found.eq(
                order.is_open & (order.number == self._key) & self._key.any()
            )
            m.next = "BRANCH"
        with m.State("BRANCH"):
            is_order = self.order_found & ~order.replaces.any()
            is_in_flight = self.order_found & order.replaces.any()
            m.d.sync += self._other.eq(order.replaces)
            m.next = "IDLE"
            with m.If(self._is(op.LOOK_UP)):
                m.d.comb += self.look_up_done.eq(1)
            with m.If(self._is(op.CANCEL)):
                m.d.sync += self.totals.messages.eq(self.totals.messages + 1)
            with m.If(self._is(op.CANCEL, op.CANCEL_ENDED) & self.order_found):
                with m.If(self._is(op.CANCEL_ENDED) | ~self._quantity.any()):
                    m.d.sync += order.cancel_in_flight.eq(self._is(op.CANCEL))
                m.next = "STORE"
            with m.If(
                (self._is(op.TERMS, op.CANCELED, op.CLOSED, op.REPLACE, op.FILL) & is_order)
                | (self._is(op.REPLACED, op.REPLACE_ENDED) & is_in_flight)
            ):
                m.d.sync += [self._has_order.eq(1), self._order_part.eq(1), self._had.eq(1)]
                with m.If(~self._is(op.FILL)):
                    m.d.sync += self._symbol_index.eq(order.symbol_index)
                m.next = "EDIT"
            with m.If(self._is(op.REPLACED, op.REPLACE_ENDED) & is_in_flight):
                m.d.sync += [order.eq(raw_order), self._kept_cancel.eq(order.cancel_in_flight)]
            with m.If(self._is(op.FILL, op.BROKEN, op.MARK)):
                m.d.sync += self._position_part.eq(1)
                m.next = "EDIT"
            with m.If(self._is(op.FILL) & is_order & (order.symbol_index != self._symbol_index)):
                m.d.sync += [self._order_part.eq(0), self._again.eq(1)]
            with m.If(self._is(op.RELEASE_STRATEGY)):
                m.d.sync += self._strategies[self._strategy_told].eq(0)
            with m.If(self._is(op.START_DAY)):
                m.d.sync += [
                    self.totals[name].eq(0)
                    for name in (
                        *("daily_shares", "daily_notional", "messages"),
                        *("executions", "executions_by_ratio"),
                    )
                ]

    def _open_new(self, m: Module) -> None:
        """A new order's row."""
        order, request = self.order, self._given.request
        m.d.sync += [
            self._has_order.eq(1),
            self._order_part.eq(1),
            self._is_new_row.eq(1),
            order.eq(0),
            order.is_open.eq(1),
            order.number.eq(self._new_number),
            order.symbol_index.eq(request.symbol_index),
            order.side.eq(request.side),
            order.strategy.eq(request.strategy),
            order.venue.eq(request.venue),
            order.price.eq(request.price),
            order.leaves.eq(request.quantity),
            order.notional.eq(self._given.notional),
        ]

    def _edit(self, m: Module) -> None:
        """Change the order's row; before, see what it reserved."""
        order, op = self.order, Operation
        _, raw_symbol = self._symbols.read(1)
        with m.State("EDIT"):
            m.d.sync += [
                self._old_shares.eq(greater(order.leaves, order.pending_leaves)),
                self._old_notional.eq(greater(order.notional, order.pending_notional)),
                self._old_price.eq(furthest_price(order)),
                self._taken_shares.eq(
                    Mux(self._quantity < order.leaves, self._quantity, order.leaves)
                ),
                self._was_unacknowledged.eq(~order.is_acknowledged),
            ]
            m.next = "CHANGE"
        with m.State("CHANGE"):
            m.d.sync += self._known.eq(raw_symbol)
            with m.If(self._has_order):
                self._change_order(m)
            with m.If(self._is(op.FILL)):
                m.d.sync += self._executions.eq(self._executions + 1)
                with m.If(self._has_order):
                    count = self._strategies[order.strategy]
                    m.d.sync += count.eq(count + 1)
            m.next = "MOVE"
            with m.If(self._is(op.REPLACE)):
                m.next = "RESERVE"
        with m.State("MOVE"):
            # the position, and what values it; known.position_notional is the value before
            known = self._known
            adds = (self._side == BUY) ^ self._is(op.BROKEN)
            was_short = Signal()
            m.d.sync += was_short.eq(known.position < 0)
            self._was_short = was_short
            with m.If(self._is(op.FILL, op.BROKEN)):
                m.d.sync += known.position.eq(
                    Mux(adds, known.position + self._quantity, known.position - self._quantity)
                )
            with m.If(self._is(op.FILL, op.MARK)):
                m.d.sync += known.mark_price.eq(self._price)
            m.next = "SIZE"
        with m.State("SIZE"):
            position = self._known.position
            m.d.sync += self._size.eq(Mux(position < 0, -position, position))
            m.next = "MULTIPLY"
        with m.State("MULTIPLY"):
            m.d.sync += self._slot.eq(self._slot + 1)
            homes: tuple[tuple[Value, Value | int], ...] = (
                (order.notional, self._has_order),
                (order.pending_notional, self._has_order),
                (self._size_notional[0], 1),
                (self._size_notional[1], 1),
                (self._paid, 1),
                (self._by_ratio, 1),
            )
            for number, (home, wanted) in enumerate(homes):
                with m.If((self._slot == number + PRODUCT_CYCLES + 1) & wanted):
                    m.d.sync += home.eq(self._product.product)
            with m.If(self._slot == SLOTS + PRODUCT_CYCLES):
                m.next = "RESERVE"

    def _change_order(self, m: Module) -> None:
        """What each operation does to the order's row, and which other row it touches."""
        order, op = self.order, Operation
        taken, pending_leaves = self._taken_shares, order.pending_leaves
        ends_pending = [order.pending.eq(0), order.pending_leaves.eq(0),
                        order.pending_price.eq(0), order.pending_notional.eq(0)]  # fmt: skip
        with m.Switch(self._op):
            with m.Case(op.FILL, op.CANCELED):
                m.d.sync += [order.leaves.eq(order.leaves - taken), order.is_acknowledged.eq(1)]
                with m.If(self._is(op.FILL)):
                    m.d.sync += [
                        order.executed.eq(order.executed + taken),
                        pending_leaves.eq(Mux(pending_leaves > taken, pending_leaves - taken, 0)),
                    ]
            with m.Case(op.TERMS):
                m.d.sync += [
                    order.leaves.eq(self._quantity),
                    order.price.eq(self._price),
                    order.is_acknowledged.eq(1),
                ]
            with m.Case(op.CLOSED):
                has_pending = order.pending.any()
                m.d.sync += [
                    self._is_gone.eq(1),
                    self._other.eq(order.pending),
                    self._has_other.eq(has_pending),
                    self._fewer_open.eq(1 + has_pending),
                    self._fewer_unacknowledged.eq(self._was_unacknowledged + has_pending),
                ]
            with m.Case(op.REPLACED):
                is_gone = ~self._quantity.any()
                m.d.sync += [
                    *ends_pending,
                    order.number.eq(self._key),
                    order.leaves.eq(self._quantity),
                    order.price.eq(self._price),
                    order.is_acknowledged.eq(1),
                    order.cancel_in_flight.eq(self._kept_cancel),
                    self._is_gone.eq(is_gone),
                    self._has_other.eq(1),  # the original
                    self._fewer_open.eq(1 + is_gone),
                    self._fewer_unacknowledged.eq(1 + self._was_unacknowledged),
                ]
            with m.Case(op.REPLACE_ENDED):
                m.d.sync += [
                    *ends_pending,
                    self._other.eq(self._key),
                    self._has_other.eq(1),
                    self._fewer_open.eq(1),
                    self._fewer_unacknowledged.eq(1),
                ]
            with m.Case(op.REPLACE):
                m.d.sync += [
                    order.pending.eq(self._new_number),
                    order.pending_leaves.eq(self._quantity - order.executed),
                    order.pending_price.eq(self._price),
                    order.pending_notional.eq(self._given.notional),
                    self._other.eq(self._new_number),
                    self._has_other.eq(1),
                    self._is_new_row.eq(1),
                ]
        with m.If(self._is(op.FILL, op.CANCELED, op.TERMS)):
            m.d.sync += self._fewer_unacknowledged.eq(self._was_unacknowledged)

    def _weigh(self, m: Module) -> None:
        """From what was and what is to what changes in the symbol's row and in the sums."""
        order, known, side_row = self.order, self._known, self._side_row
        position_notional = Signal(MONEY_BITS)
        net_before, net_after = (
            Signal(signed(MONEY_BITS), name=f"net_{when}") for when in ("before", "after")
        )
        self._net_change = net_change = Signal(signed(MONEY_BITS))
        self._gross_change = gross_change = Signal(signed(MONEY_BITS))
        self._order_change = order_change = Signal(signed(NOTIONAL_BITS + 1))
        position_change = Signal(signed(MONEY_BITS))
        shares_change = Signal(signed(QUANTITY_BITS + 1))
        is_further, was_best, is_same = Signal(), Signal(), Signal()
        is_buy = Signal()
        rests = self._order_part & ~self._is_gone
        with m.State("RESERVE"):
            low, high = self._size_notional
            m.d.sync += [
                is_buy.eq(order.side == BUY),
                self._new_shares.eq(
                    Mux(self._is_gone, 0, greater(order.leaves, order.pending_leaves))
                ),
                self._new_notional.eq(
                    Mux(self._is_gone, 0, greater(order.notional, order.pending_notional))
                ),
                self._new_price.eq(furthest_price(order)),
                position_notional.eq(low + Cat(Const(0, QUANTITY_BITS), high)),
                side_row.eq(Mux(order.side == BUY, known.buy.as_value(), known.sell.as_value())),
            ]
            m.next = "DIFFER"
        with m.State("DIFFER"):
            old_value = known.position_notional
            m.d.sync += [
                shares_change.eq(self._new_shares - Mux(self._had, self._old_shares, 0)),
                order_change.eq(self._new_notional - Mux(self._had, self._old_notional, 0)),
                position_change.eq(position_notional - old_value),
                net_before.eq(Mux(self._was_short, -old_value, old_value)),
                net_after.eq(Mux(known.position < 0, -position_notional, position_notional)),
                is_further.eq(reaches_further(is_buy, self._new_price, side_row.best_price)),
                was_best.eq(self._had & (self._old_price == side_row.best_price)),
                is_same.eq(~self._is_gone & (self._old_price == self._new_price)),
            ]
            m.next = "ADD"
        with m.State("ADD"):
            m.d.sync += [
                gross_change.eq(
                    Mux(self._order_part, order_change, 0)
                    + Mux(self._position_part, position_change, 0)
                ),
                net_change.eq(net_after - net_before),
                side_row.open_shares.eq(side_row.open_shares + shares_change),
                side_row.open_notional.eq(side_row.open_notional + order_change),
                side_row.orders.eq(side_row.orders + rests - self._had),
            ]
            with m.If(self._position_part):
                m.d.sync += known.position_notional.eq(position_notional)
            m.next = "BEST"
        with m.State("BEST"):
            with m.If(self._order_part):
                with m.If(~side_row.orders.any()):
                    m.d.sync += side_row.best_price.eq(0)
                with m.Elif(rests & (is_further | (side_row.orders == 1))):
                    m.d.sync += side_row.best_price.eq(self._new_price)
                with m.Elif(was_best & ~is_same):
                    m.d.sync += self._needs_search.eq(1)
            m.next = "WRITE"
        with m.State("PRICE_FOUND"):
            is_buy_found = self._search.wanted_is_buy
            m.d.sync += [
                side_row.eq(Mux(is_buy_found, known.buy.as_value(), known.sell.as_value())),
                side_row.best_price.eq(self._search.best_price),
                order.side.eq(Mux(is_buy_found, BUY, 0)),
            ]
            m.d.comb += self._search.acknowledge.eq(1)
            m.next = "WRITE"

    def _row_ports(self, m: Module) -> None:
        """What stands at the write ports of the tables while nothing else is said."""
        order, search = self.order, self._search
        is_buy = order.side == BUY
        self._row_changes = self._order_part | self._is_search_result
        m.d.comb += [
            self._symbols.write_data.eq(self._known),
            search.symbol_index.eq(order.symbol_index),
            search.is_buy.eq(is_buy),
            search.place.eq(order.number),
            search.row.is_resting.eq(~self._is_gone & ~order.replaces.any()),
            search.row.is_buy.eq(is_buy),
            search.row.symbol_index.eq(order.symbol_index),
            search.row.price.eq(self._new_price),
            self._orders.write_address.eq(order.number),
            self._orders.write_data.eq(order),
            self._numbers.place.eq(order.number),
        ]
        with m.If(self._row_changes & is_buy):
            m.d.comb += self._symbols.write_data.buy.eq(self._side_row)
        with m.If(self._row_changes & ~is_buy):
            m.d.comb += self._symbols.write_data.sell.eq(self._side_row)
        with m.If(self._is_gone):
            m.d.comb += self._orders.write_data.is_open.eq(0)

    def _write(self, m: Module) -> None:
        """Everything becomes visible; then the second row, then the search for a best price."""
        order, op, totals = self.order, Operation, self.totals
        orders, search, numbers = self._orders, self._search, self._numbers
        is_buy = order.side == BUY
        with m.State("WRITE"):
            m.d.comb += self._symbols.write_enable.eq(self._row_changes | self._position_part)
            m.next = "IDLE"
            with m.If(self._order_part):
                m.d.comb += [
                    orders.write_enable.eq(1),
                    search.write.eq(1),
                    numbers.free.eq(self._is_gone),
                ]
                with m.If(self._has_other):
                    m.next = "WRITE_OTHER"
                with m.Elif(self._needs_search):
                    m.next = "SEARCH"
                more, fewer = self._is_new_row, self._fewer_unacknowledged
                m.d.sync += [
                    totals.open_orders.eq(totals.open_orders + more - self._fewer_open),
                    totals.unacknowledged_orders.eq(totals.unacknowledged_orders + more - fewer),
                ]
                with m.If(is_buy):
                    total = totals.open_buy_notional
                    m.d.sync += total.eq(total + self._order_change)
                with m.Else():
                    total = totals.open_sell_notional
                    m.d.sync += total.eq(total + self._order_change)
            with m.If(self._order_part | self._position_part):
                m.d.sync += totals.gross_notional.eq(totals.gross_notional + self._gross_change)
            with m.If(self._position_part):
                net = totals.net_position_notional
                m.d.sync += net.eq(net + self._net_change)
            with m.If(self._position_part & ~self._is(op.MARK)):
                comes_in = (self._side == BUY) ^ self._is(op.FILL)
                cash, paid = totals.cash, self._paid
                m.d.sync += cash.eq(Mux(comes_in, cash + paid, cash - paid))
            with m.If(self._position_part | (self._is(op.OWN) & ~self._is_search_result)):
                m.d.sync += [
                    totals.executions.eq(self._executions),
                    totals.executions_by_ratio.eq(self._by_ratio),
                    self._ratio_used.eq(self._ratio_taken),
                ]
            with m.If(self._is(op.NEW, op.REPLACE)):
                m.d.sync += [
                    totals.messages.eq(totals.messages + 1),
                    totals.daily_shares.eq(totals.daily_shares + self._given.shares_added),
                    totals.daily_notional.eq(totals.daily_notional + self._given.notional_added),
                ]
            with m.If(self._again):
                m.d.sync += [
                    self._again.eq(0),
                    self._order_part.eq(1),
                    self._position_part.eq(0),
                    self._symbol_index.eq(order.symbol_index),
                ]
                m.next = "FETCH_AGAIN"
        with m.State("STORE"):
            m.d.comb += orders.write_enable.eq(1)
            m.next = "IDLE"
        with m.State("FETCH_AGAIN"):
            m.next = "READ_AGAIN"
        with m.State("READ_AGAIN"):
            m.d.sync += self._known.eq(self._symbols.read_data[1])
            m.next = "RESERVE"
        with m.State("WRITE_OTHER"):
            in_flight = orders.write_data
            m.d.comb += [
                in_flight.eq(0),
                in_flight.is_open.eq(self._is(op.REPLACE)),
                in_flight.number.eq(self._other),
                in_flight.symbol_index.eq(order.symbol_index),
                in_flight.side.eq(order.side),
                in_flight.strategy.eq(order.strategy),
                in_flight.venue.eq(order.venue),
                in_flight.replaces.eq(order.number),
                orders.write_enable.eq(1),
                orders.write_address.eq(self._other),
                search.write.eq(1),
                search.place.eq(self._other),
                search.row.is_resting.eq(0),
                numbers.free.eq(~self._is(op.REPLACE)),
                numbers.place.eq(self._other),
            ]
            m.next = "IDLE"
            with m.If(self._needs_search):
                m.next = "SEARCH"
        with m.State("SEARCH"):
            m.d.comb += search.start.eq(1)
            m.next = "IDLE"
