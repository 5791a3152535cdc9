# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Example: a taker that follows the imbalance of the shares at the touch.

When one side shows ``ratio`` times the shares of the other, it takes the thin side with an
immediate-or-cancel order, once per symbol and ``cooldown_ns``. An example of the interface and a
load for tests, not a way to make money.
"""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from host.model cimport (
    BOOK_CLEAN, OrderEvent, SIDE_BUY, SIDE_SELL, TIME_IN_FORCE_IOC, Top)
from host.strategy.strategy cimport FastStrategy

cdef struct SymbolState:
    uint64_t sent_ns
    int64_t position
    uint32_t handle           # the order in flight, 0 for none


@cython.final
cdef class ImbalanceTaker(FastStrategy):
    """Takes up to ``quantity_shares`` from the thin side; ``symbols`` empty means every symbol."""

    cdef SymbolState *states
    cdef uint32_t quantity
    cdef int64_t ratio
    cdef int64_t maximum_position
    cdef uint64_t cooldown_ns
    cdef uint64_t orders_sent, fills

    def __init__(self, symbols=(), *, uint32_t symbol_capacity=65536, uint32_t quantity_shares=100,
                 int64_t ratio=4, int64_t maximum_position_shares=1000,
                 uint64_t cooldown_ns=10_000_000):
        super().__init__(symbols)
        if quantity_shares == 0 or ratio < 1:
            raise ValueError("quantity_shares and ratio must be positive")
        free(self.states)
        self.states = <SymbolState *> calloc(symbol_capacity, sizeof(SymbolState))
        if self.states == NULL:
            raise MemoryError("imbalance taker: no memory for its symbols")
        self.quantity = quantity_shares
        self.ratio = ratio
        self.maximum_position = maximum_position_shares
        self.cooldown_ns = cooldown_ns

    def __dealloc__(self):
        free(self.states)

    cdef void on_book(self, uint32_t symbol_index) noexcept nogil:
        cdef const Top *top = &self.tops[symbol_index]
        cdef SymbolState *state = &self.states[symbol_index]
        cdef uint64_t now = self.orders.t_ns
        if state.handle != 0:
            return
        if (top.bid_price <= 0 or top.ask_price <= top.bid_price
                or top.book_state != BOOK_CLEAN):
            return
        if state.sent_ns != 0 and now - state.sent_ns < self.cooldown_ns:
            return
        if (top.bid_shares >= self.ratio * top.ask_shares
                and state.position < self.maximum_position):
            state.sent_ns = now
            state.handle = self.orders.enter(
                SIDE_BUY, symbol_index, self.quantity, top.ask_price, TIME_IN_FORCE_IOC, False)
        elif (top.ask_shares >= self.ratio * top.bid_shares
                and -state.position < self.maximum_position):
            state.sent_ns = now
            state.handle = self.orders.enter(
                SIDE_SELL, symbol_index, self.quantity, top.bid_price, TIME_IN_FORCE_IOC, False)
        else:
            return
        if state.handle != 0:
            self.orders_sent += 1

    cdef void on_order(self, const OrderEvent *event) noexcept nogil:
        cdef SymbolState *state = &self.states[event.symbol_index]
        if event.position != state.position:
            self.fills += 1
        state.position = event.position
        if event.user_ref_num == state.handle and event.leaves_quantity == 0:
            state.handle = 0

    def report(self):
        """Orders sent and fills seen."""
        return {"orders": self.orders_sent, "fills": self.fills}
