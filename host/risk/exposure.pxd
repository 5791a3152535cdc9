# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""What is open and what may still happen to the positions, as the gate counts it."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.model cimport PassedOrder
from host.risk.offload cimport GateOffload
from nic.offload.ids cimport GATE_STRATEGIES

cdef enum:
    BUYS = 0          # index of a symbol's sides
    SELLS = 1

cdef struct OpenOrder:             # one number in use; its place is user_ref_num mod capacity
    int64_t price
    int64_t pending_price          # of the replace in flight
    uint32_t user_ref_num          # 0: the place is free
    uint32_t symbol_index
    uint32_t leaves                # shares open
    uint32_t executed              # shares executed, of the whole chain of replaces
    uint32_t pending               # number of the replace in flight, 0 for none
    uint32_t pending_quantity      # total of the chain that it asks for
    uint32_t replaces              # not 0: no order yet but the replace in flight of that one
    uint32_t previous              # neighbours among the symbol's orders of this side: place + 1
    uint32_t next
    uint16_t strategy_id
    uint16_t venue
    uint8_t side                   # letter
    uint8_t cancel_in_flight       # a cancel of all its shares was sent
    uint8_t is_acknowledged        # the exchange said something about this number

cdef struct SideExposure:
    int64_t open_shares            # reserved by the side's open orders
    int64_t open_notional
    int64_t best_price             # the most aggressive price among them, 0 for none
    uint32_t first                 # place + 1 of the newest of them, 0 for none
    uint32_t orders

cdef struct SymbolExposure:
    int64_t position               # signed shares
    int64_t mark_price             # values the position: of the last execution or mark
    SideExposure sides[2]
    uint64_t rate_next_ns          # when the symbol's token bucket will be full; the gate's

cdef struct StrategyExposure:
    uint64_t rate_next_ns          # when the strategy's token bucket will be full; the gate's
    uint32_t executions            # of its open orders, until it is released


@cython.final
cdef class Exposures:
    cdef readonly uint32_t symbol_capacity
    cdef readonly uint32_t order_capacity
    cdef readonly uint32_t open_orders
    cdef readonly uint32_t unacknowledged_orders
    cdef readonly int64_t executions               # since the start of the day
    cdef readonly int64_t gross_notional           # positions and open orders, none netted
    cdef readonly int64_t net_position_notional    # positions, short ones negative
    cdef readonly int64_t cash                     # sales less purchases, without fees
    cdef int64_t open_notional[2]                  # of all open orders by side
    cdef SymbolExposure *symbols
    cdef StrategyExposure *strategies              # GATE_STRATEGIES of them
    cdef OpenOrder *orders
    cdef uint32_t mask
    cdef uint64_t opened                           # times on_opened did what it was told
    cdef GateOffload offload                       # is told the same, None without one

    cdef OpenOrder *find(self, uint32_t user_ref_num) noexcept nogil
    cdef uint32_t free_number(self, uint32_t number) noexcept nogil
    cdef bint on_opened(self, const PassedOrder *passed, uint32_t user_ref_num) noexcept nogil
    cdef void on_unsent(self, const PassedOrder *passed, uint32_t user_ref_num) noexcept nogil
    cdef void on_terms(self, uint32_t user_ref_num, uint32_t leaves, int64_t price) noexcept nogil
    cdef void on_fill(self, uint32_t user_ref_num, uint32_t symbol_index, uint8_t side,
                      uint32_t quantity, int64_t price) noexcept nogil
    cdef void on_canceled(self, uint32_t user_ref_num, uint32_t quantity) noexcept nogil
    cdef void on_cancel_ended(self, uint32_t user_ref_num) noexcept nogil
    cdef void on_closed(self, uint32_t user_ref_num) noexcept nogil
    cdef void on_replaced(self, uint32_t user_ref_num, uint32_t leaves,
                          int64_t price) noexcept nogil
    cdef void on_replace_ended(self, uint32_t user_ref_num) noexcept nogil
    cdef void on_broken(self, uint32_t symbol_index, uint8_t side,
                        uint32_t quantity, int64_t price) noexcept nogil
    cdef void on_mark(self, uint32_t symbol_index, int64_t price) noexcept nogil
    cdef void on_strategy_released(self, uint16_t strategy_id) noexcept nogil
    cdef void on_day_started(self) noexcept nogil

    cdef void close(self, OpenOrder *order) noexcept nogil
    cdef void acknowledge(self, OpenOrder *order) noexcept nogil
    cdef void take_out(self, OpenOrder *order) noexcept nogil
    cdef void put_in(self, OpenOrder *order) noexcept nogil
    cdef void link(self, OpenOrder *order) noexcept nogil
    cdef void unlink(self, OpenOrder *order) noexcept nogil
    cdef void free_place(self, OpenOrder *order) noexcept nogil
    cdef void move_position(self, SymbolExposure *symbol, int64_t shares, int64_t price,
                            int64_t mark_price) noexcept nogil

cdef inline uint32_t reserved_shares(const OpenOrder *order) noexcept nogil:
    """Most shares that may still execute, whether the replace in flight comes to be or not."""
    cdef uint32_t after
    if order.pending == 0 or order.pending_quantity <= order.executed:
        return order.leaves
    after = order.pending_quantity - order.executed
    return after if after > order.leaves else order.leaves

cdef inline int64_t reserved_notional(const OpenOrder *order) noexcept nogil:
    """Highest price times shares, whether the replace in flight comes to be or not."""
    cdef int64_t before = <int64_t> order.leaves * order.price
    cdef int64_t after
    if order.pending == 0 or order.pending_quantity <= order.executed:
        return before
    after = <int64_t> (order.pending_quantity - order.executed) * order.pending_price
    return after if after > before else before
