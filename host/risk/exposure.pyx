# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""What is open and what may still happen to the positions, as the gate counts it.

The gate reads it, the order management tells it what happened. Every open order reserves
shares and notional on its side of its symbol until it is closed; a replace in flight reserves the
larger of what stands and what was asked for. The semantics stand in ``host/risk/reference.py``.
With a card in the path its gate is told all of it too.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memset
from host.model cimport ACTION_CANCEL, ACTION_REPLACE, SIDE_BUY, OrderRequest
from host.risk.ids cimport (
    COMMAND_BROKEN, COMMAND_CANCELED, COMMAND_CANCEL_ENDED, COMMAND_CLOSED, COMMAND_FILL,
    COMMAND_MARK, COMMAND_REPLACED, COMMAND_REPLACE_ENDED, COMMAND_TERMS)
from host.risk.offload cimport tell


cdef inline int64_t aggressive_price(const OpenOrder *order) noexcept nogil:
    """The price reaching further into the other side, of the order and its replace in flight."""
    if order.pending == 0:
        return order.price
    if (order.pending_price > order.price) == (order.side == SIDE_BUY):
        return order.pending_price
    return order.price


cdef inline bint reaches_further(uint8_t side, int64_t price, int64_t than) noexcept nogil:
    """Whether a price is more aggressive than another; 0 is the price of nobody."""
    if than == 0:
        return True
    return price > than if side == SIDE_BUY else price < than


cdef class Exposures:
    """Positions, reservations and open orders.

    ``symbol_capacity``: how many symbols; symbol indices are below it. ``order_capacity``: how many
    orders and replaces in flight may be open at once, a power of two; all memory is taken here.
    Raises ``ValueError`` for sizes that do not fit.
    """

    def __cinit__(self, uint32_t symbol_capacity, uint32_t order_capacity):
        if symbol_capacity == 0:
            raise ValueError("symbol_capacity must be at least 1")
        if order_capacity == 0 or order_capacity & (order_capacity - 1):
            raise ValueError("order_capacity must be a power of two")
        self.symbol_capacity = symbol_capacity
        self.order_capacity = order_capacity
        self.mask = order_capacity - 1
        self.symbols = <SymbolExposure *> calloc(symbol_capacity, sizeof(SymbolExposure))
        self.orders = <OpenOrder *> calloc(order_capacity, sizeof(OpenOrder))
        self.strategies = <StrategyExposure *> calloc(GATE_STRATEGIES, sizeof(StrategyExposure))
        if self.symbols == NULL or self.orders == NULL or self.strategies == NULL:
            raise MemoryError("risk: no memory for the exposures")
        memset(self.orders, 0, order_capacity * sizeof(OpenOrder))   # fault the pages in now

    def __dealloc__(self):
        free(self.symbols)
        free(self.orders)
        free(self.strategies)

    cdef OpenOrder *find(self, uint32_t user_ref_num) noexcept nogil:
        """The open order, or replace in flight, of a number; NULL when there is none."""
        cdef OpenOrder *order = &self.orders[user_ref_num & self.mask]
        if user_ref_num == 0 or order.user_ref_num != user_ref_num:
            return NULL
        return order

    cdef uint32_t free_number(self, uint32_t number) noexcept nogil:
        """The first number from this one on whose place is free; this one if none is."""
        cdef uint32_t i
        for i in range(self.order_capacity):
            if self.orders[(number + i) & self.mask].user_ref_num == 0:
                return number + i
        return number

    cdef bint on_opened(self, const PassedOrder *passed, uint32_t user_ref_num) noexcept nogil:
        """A passed request is about to be sent; new and replace bear ``user_ref_num``.

        False when it can't be: the number's place is taken, or the order it names is not open.
        """
        cdef const OrderRequest *request = &passed.request
        cdef OpenOrder *place = &self.orders[user_ref_num & self.mask]
        cdef OpenOrder *original
        if request.action == ACTION_CANCEL:
            original = self.find(request.user_ref_num)
            if original == NULL:
                return False
            if request.quantity == 0:
                original.cancel_in_flight = 1
            self.opened += 1
            return True
        if place.user_ref_num != 0 or user_ref_num == 0:
            return False
        if request.action == ACTION_REPLACE:
            original = self.find(request.user_ref_num)
            if original == NULL or original.pending != 0 or original.replaces != 0:
                return False
            self.take_out(original)
            self.unlink(original)
            original.pending = user_ref_num
            original.pending_quantity = request.quantity
            original.pending_price = request.price
            self.put_in(original)
            self.link(original)
        memset(place, 0, sizeof(OpenOrder))
        place.user_ref_num = user_ref_num
        place.symbol_index = request.symbol_index
        place.side = request.side
        place.strategy_id = request.strategy_id
        place.venue = request.venue
        self.open_orders += 1
        self.unacknowledged_orders += 1
        if request.action == ACTION_REPLACE:
            place.replaces = request.user_ref_num
        else:
            place.price = request.price
            place.leaves = request.quantity
            self.put_in(place)
            self.link(place)
        self.opened += 1
        return True

    cdef void on_unsent(self, const PassedOrder *passed, uint32_t user_ref_num) noexcept nogil:
        """What :meth:`on_opened` was told did not leave after all."""
        if passed.request.action == ACTION_CANCEL:
            self.on_cancel_ended(passed.request.user_ref_num)
        elif passed.request.action == ACTION_REPLACE:
            self.on_replace_ended(user_ref_num)
        else:
            self.on_closed(user_ref_num)

    cdef void on_terms(self, uint32_t user_ref_num, uint32_t leaves, int64_t price) noexcept nogil:
        """The exchange said how many shares are open, and at what price."""
        cdef OpenOrder *order = self.find(user_ref_num)
        tell(self.offload, COMMAND_TERMS, user_ref_num, leaves, <uint64_t> price)
        if order == NULL or order.replaces != 0:
            return
        self.take_out(order)
        self.unlink(order)
        order.leaves = leaves
        order.price = price
        self.acknowledge(order)
        self.put_in(order)
        self.link(order)

    cdef void on_fill(self, uint32_t user_ref_num, uint32_t symbol_index, uint8_t side,
                      uint32_t quantity, int64_t price) noexcept nogil:
        """Shares were executed; the position moves whether the order is open or not."""
        cdef OpenOrder *order = self.find(user_ref_num)
        cdef uint32_t shares
        tell(self.offload, COMMAND_FILL, user_ref_num, symbol_index, side, quantity,
             <uint64_t> price)
        if symbol_index >= self.symbol_capacity:
            return
        if order != NULL and order.replaces == 0:
            shares = quantity if quantity < order.leaves else order.leaves
            self.take_out(order)
            order.leaves -= shares
            order.executed += shares
            self.acknowledge(order)
            self.put_in(order)
            self.strategies[order.strategy_id].executions += 1
        self.executions += 1
        self.move_position(&self.symbols[symbol_index],
                           quantity if side == SIDE_BUY else -<int64_t> quantity, price, price)

    cdef void on_canceled(self, uint32_t user_ref_num, uint32_t quantity) noexcept nogil:
        """Shares were taken off the order, and it lives on."""
        cdef OpenOrder *order = self.find(user_ref_num)
        tell(self.offload, COMMAND_CANCELED, user_ref_num, quantity)
        if order == NULL or order.replaces != 0:
            return
        self.take_out(order)
        order.leaves -= quantity if quantity < order.leaves else order.leaves
        self.acknowledge(order)
        self.put_in(order)

    cdef void on_cancel_ended(self, uint32_t user_ref_num) noexcept nogil:
        """The cancel of all shares was refused or lost; the order can be replaced again."""
        cdef OpenOrder *order = self.find(user_ref_num)
        tell(self.offload, COMMAND_CANCEL_ENDED, user_ref_num)
        if order != NULL:
            order.cancel_in_flight = 0

    cdef void on_closed(self, uint32_t user_ref_num) noexcept nogil:
        """The order is no longer live; a replace in flight dies with it."""
        cdef OpenOrder *order = self.find(user_ref_num)
        tell(self.offload, COMMAND_CLOSED, user_ref_num)
        if order != NULL and order.replaces == 0:
            self.close(order)

    cdef void close(self, OpenOrder *order) noexcept nogil:
        """An order goes, and its replace in flight."""
        cdef OpenOrder *pending
        self.take_out(order)
        self.unlink(order)
        pending = self.find(order.pending)
        if pending != NULL:
            self.free_place(pending)
        self.free_place(order)

    cdef void on_replaced(self, uint32_t user_ref_num, uint32_t leaves,
                          int64_t price) noexcept nogil:
        """The replace in flight came to be, the original is gone; so is this one without shares."""
        cdef OpenOrder *order = self.find(user_ref_num)
        cdef OpenOrder *original
        tell(self.offload, COMMAND_REPLACED, user_ref_num, leaves, <uint64_t> price)
        if order == NULL or order.replaces == 0:
            return
        original = self.find(order.replaces)
        order.executed = original.executed
        order.leaves = leaves
        order.price = price
        order.replaces = 0
        self.acknowledge(order)
        self.take_out(original)
        self.unlink(original)
        self.free_place(original)
        self.put_in(order)
        self.link(order)
        if leaves == 0:
            self.close(order)

    cdef void on_replace_ended(self, uint32_t user_ref_num) noexcept nogil:
        """The replace in flight of this number will not be; the original stands."""
        cdef OpenOrder *order = self.find(user_ref_num)
        cdef OpenOrder *original
        tell(self.offload, COMMAND_REPLACE_ENDED, user_ref_num)
        if order == NULL or order.replaces == 0:
            return
        original = self.find(order.replaces)
        self.take_out(original)
        self.unlink(original)
        original.pending = 0
        original.pending_quantity = 0
        original.pending_price = 0
        self.put_in(original)
        self.link(original)
        self.free_place(order)

    cdef void on_broken(self, uint32_t symbol_index, uint8_t side,
                        uint32_t quantity, int64_t price) noexcept nogil:
        """An execution of this side was broken: its shares and its cash go back."""
        cdef SymbolExposure *symbol
        tell(self.offload, COMMAND_BROKEN, symbol_index, side, quantity, <uint64_t> price)
        if symbol_index >= self.symbol_capacity:
            return
        symbol = &self.symbols[symbol_index]
        self.move_position(symbol, -<int64_t> quantity if side == SIDE_BUY else quantity, price,
                           symbol.mark_price)

    cdef void on_mark(self, uint32_t symbol_index, int64_t price) noexcept nogil:
        """The position is worth this price a share from now on."""
        if symbol_index >= self.symbol_capacity or price == self.symbols[symbol_index].mark_price:
            return
        tell(self.offload, COMMAND_MARK, symbol_index, <uint64_t> price)
        self.move_position(&self.symbols[symbol_index], 0, 0, price)

    cdef void on_strategy_released(self, uint16_t strategy_id) noexcept nogil:
        """The operator lets a strategy execute again as often as it may."""
        self.strategies[strategy_id].executions = 0

    cdef void on_day_started(self) noexcept nogil:
        """The executions of the day count from here."""
        self.executions = 0

    cdef void move_position(self, SymbolExposure *symbol, int64_t shares, int64_t price,
                            int64_t mark_price) noexcept nogil:
        """Shares came (or, negative, went), were paid at a price, and are worth the mark now."""
        cdef int64_t value = symbol.position * symbol.mark_price
        self.gross_notional -= -value if value < 0 else value
        self.net_position_notional -= value
        self.cash -= shares * price
        symbol.position += shares
        symbol.mark_price = mark_price
        value = symbol.position * mark_price
        self.gross_notional += -value if value < 0 else value
        self.net_position_notional += value

    cdef void acknowledge(self, OpenOrder *order) noexcept nogil:
        """The exchange said something about the order."""
        if not order.is_acknowledged:
            order.is_acknowledged = True
            self.unacknowledged_orders -= 1

    cdef void take_out(self, OpenOrder *order) noexcept nogil:
        """Give back what the order reserves, before it changes."""
        cdef int index = BUYS if order.side == SIDE_BUY else SELLS
        cdef SideExposure *side = &self.symbols[order.symbol_index].sides[index]
        cdef int64_t notional = reserved_notional(order)
        side.open_shares -= reserved_shares(order)
        side.open_notional -= notional
        self.open_notional[index] -= notional
        self.gross_notional -= notional

    cdef void put_in(self, OpenOrder *order) noexcept nogil:
        """Reserve what the order needs, after it changed."""
        cdef int index = BUYS if order.side == SIDE_BUY else SELLS
        cdef SideExposure *side = &self.symbols[order.symbol_index].sides[index]
        cdef int64_t notional = reserved_notional(order)
        side.open_shares += reserved_shares(order)
        side.open_notional += notional
        self.open_notional[index] += notional
        self.gross_notional += notional

    cdef void link(self, OpenOrder *order) noexcept nogil:
        """Put the order among those that an order of the other side could trade with."""
        cdef SideExposure *side = &self.symbols[order.symbol_index].sides[
            BUYS if order.side == SIDE_BUY else SELLS]
        cdef uint32_t place = <uint32_t> (order - self.orders) + 1
        cdef int64_t price = aggressive_price(order)
        order.previous = 0
        order.next = side.first
        if side.first != 0:
            self.orders[side.first - 1].previous = place
        side.first = place
        side.orders += 1
        if reaches_further(order.side, price, side.best_price):
            side.best_price = price

    cdef void unlink(self, OpenOrder *order) noexcept nogil:
        """Take the order from its neighbours; called before its prices change."""
        cdef SideExposure *side = &self.symbols[order.symbol_index].sides[
            BUYS if order.side == SIDE_BUY else SELLS]
        cdef uint32_t place
        cdef int64_t price
        if order.previous != 0:
            self.orders[order.previous - 1].next = order.next
        else:
            side.first = order.next
        if order.next != 0:
            self.orders[order.next - 1].previous = order.previous
        side.orders -= 1
        if aggressive_price(order) != side.best_price:
            return
        side.best_price = 0
        place = side.first
        while place != 0:
            price = aggressive_price(&self.orders[place - 1])
            if reaches_further(order.side, price, side.best_price):
                side.best_price = price
            place = self.orders[place - 1].next

    cdef void free_place(self, OpenOrder *order) noexcept nogil:
        """The number is no longer in use."""
        order.user_ref_num = 0
        self.open_orders -= 1
        if not order.is_acknowledged:
            self.unacknowledged_orders -= 1

    def tell(self, event, *numbers):
        """Tell by name what happened, with the arguments of ``on_<event>`` in order.

        For an order management in Python and for audits: ``fill(user_ref_num, symbol_index, side,
        quantity, price)``, ``terms(user_ref_num, leaves, price)``, ``canceled(user_ref_num,
        quantity)``, ``cancel_ended``, ``closed`` and ``replace_ended`` ``(user_ref_num)``,
        ``replaced(user_ref_num, leaves, price)``, ``broken(symbol_index, side, quantity, price)``,
        ``mark(symbol_index, price)``; the table is ``TELLS`` of ``nic/offload/commands.py``.
        Raises ``KeyError`` for another event.
        """
        if event == "fill":
            self.on_fill(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])
        elif event == "terms":
            self.on_terms(numbers[0], numbers[1], numbers[2])
        elif event == "canceled":
            self.on_canceled(numbers[0], numbers[1])
        elif event == "cancel_ended":
            self.on_cancel_ended(numbers[0])
        elif event == "closed":
            self.on_closed(numbers[0])
        elif event == "replaced":
            self.on_replaced(numbers[0], numbers[1], numbers[2])
        elif event == "replace_ended":
            self.on_replace_ended(numbers[0])
        elif event == "broken":
            self.on_broken(numbers[0], numbers[1], numbers[2], numbers[3])
        elif event == "mark":
            self.on_mark(numbers[0], numbers[1])
        else:
            raise KeyError(event)

    def totals(self):
        """The sums over all symbols by name; notional in price units x shares."""
        return {
            "open_orders": self.open_orders,
            "unacknowledged_orders": self.unacknowledged_orders,
            "executions": self.executions,
            "gross_notional": self.gross_notional,
            "net_position_notional": self.net_position_notional,
            "open_buy_notional": self.open_notional[BUYS],
            "open_sell_notional": self.open_notional[SELLS],
            "cash": self.cash,
        }

    def strategy_executions(self, uint16_t strategy_id):
        """Executions of a strategy's open orders since it was released."""
        return self.strategies[strategy_id].executions

    def open_orders_of(self, *, symbol_index=None, strategy_id=None, venue=None):
        """Open orders, replaces in flight among them, of a symbol, a strategy or a venue."""
        cdef uint32_t place
        cdef OpenOrder *order
        count = 0
        for place in range(self.order_capacity):
            order = &self.orders[place]
            if order.user_ref_num != 0:
                count += ((symbol_index is None or order.symbol_index == symbol_index)
                          and (strategy_id is None or order.strategy_id == strategy_id)
                          and (venue is None or order.venue == venue))
        return count

    def symbol(self, uint32_t symbol_index):
        """What is counted of a symbol; shares signed, notional in price units x shares.

        Raises ``IndexError`` when the index is not below ``symbol_capacity``.
        """
        if symbol_index >= self.symbol_capacity:
            raise IndexError(symbol_index)
        cdef SymbolExposure *symbol = &self.symbols[symbol_index]
        return {
            "position": symbol.position,
            "position_notional": abs(symbol.position) * symbol.mark_price,
            "mark_price": symbol.mark_price,
            "open_buy_shares": symbol.sides[BUYS].open_shares,
            "open_buy_notional": symbol.sides[BUYS].open_notional,
            "open_buy_orders": symbol.sides[BUYS].orders,
            "best_own_buy": symbol.sides[BUYS].best_price,
            "open_sell_shares": symbol.sides[SELLS].open_shares,
            "open_sell_notional": symbol.sides[SELLS].open_notional,
            "open_sell_orders": symbol.sides[SELLS].orders,
            "best_own_sell": symbol.sides[SELLS].best_price,
        }
