# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The orders, the list of the open ones, and the rules by which their states change."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.interfaces cimport OrderEventSink
from host.model cimport Top
from host.oms.ids cimport EVENT_COUNT, OMS_COUNT, ORDER_COUNT
from host.oms.position cimport Positions
from host.risk.exposure cimport Exposures

cdef enum:
    ILLEGAL_KEPT = 64              # illegal transitions remembered for the report

cdef enum:                         # Order.cancel_requested
    CANCEL_NONE = 0
    CANCEL_SOME = 1                # to a smaller size
    CANCEL_ALL = 2

cdef struct Order:
    int64_t price
    uint64_t order_reference_number
    uint64_t pass_number
    uint64_t sent_ns
    uint64_t changed_ns
    int64_t executed_notional      # price units x shares, of this number alone
    uint32_t user_ref_num          # 0: the place is free
    uint32_t symbol_index
    uint32_t quantity              # total of the chain incl. executed, as sent or confirmed
    uint32_t leaves
    uint32_t executed              # of the whole chain
    uint32_t broken_shares
    uint32_t replaces              # number it replaces or was to replace, 0 for none
    uint32_t replaced_by           # number of the replace in flight or done, 0 for none
    uint32_t parent
    uint32_t previous_open         # neighbours in the list of open orders: place + 1
    uint32_t next_open
    uint16_t strategy_id
    uint16_t venue
    uint16_t reason                # of its end, as the exchange gave it
    uint8_t state                  # ORDER_*
    uint8_t side
    uint8_t time_in_force
    uint8_t post_only
    uint8_t is_acknowledged
    uint8_t cancel_requested       # CANCEL_*

cdef struct IllegalTransition:
    uint64_t t_ns
    uint32_t user_ref_num
    uint8_t state
    uint8_t event


@cython.final
cdef class OrderTable:
    cdef Exposures exposures
    cdef OrderEventSink events
    cdef Positions positions
    cdef Order *orders             # place is user_ref_num mod capacity
    cdef uint32_t capacity
    cdef uint32_t mask
    cdef uint32_t open_states      # bits of the states of open orders
    cdef uint32_t first_open       # oldest open order: place + 1
    cdef uint32_t last_open
    cdef uint32_t open_order_count
    cdef uint32_t next_user_ref_num   # what the next order will bear
    cdef uint64_t counts[OMS_COUNT]
    cdef uint32_t legal[ORDER_COUNT][EVENT_COUNT]
    cdef IllegalTransition illegal[ILLEGAL_KEPT]
    cdef uint64_t illegal_count

    cdef Order *find(self, uint32_t user_ref_num) noexcept nogil
    cdef void count(self, int counter) noexcept nogil
    cdef bint is_open(self, const Order *order) noexcept nogil
    cdef bint may(self, const Order *order, int event, int state) noexcept nogil
    cdef void forbid(self, const Order *order, int event, uint64_t t_ns) noexcept nogil
    cdef void move(self, Order *order, int event, int state, uint64_t t_ns) noexcept nogil
    cdef int acknowledged_state(self, const Order *order) noexcept nogil
    cdef int settled_state(self, const Order *order) noexcept nogil
    cdef void open(self, Order *order) noexcept nogil
    cdef void close(self, Order *order, int event, int state, uint64_t t_ns) noexcept nogil
    cdef void finish(self, Order *order, int event, int state, int kind, uint16_t reason,
                     uint32_t quantity, int64_t price, uint64_t t_ns) noexcept nogil
    cdef void end_replace(self, Order *order, int event, int state, uint16_t reason,
                          uint64_t t_ns) noexcept nogil
    cdef void emit(self, const Order *order, int kind, uint16_t reason, uint32_t quantity,
                   int64_t price, uint64_t t_ns) noexcept nogil
    cdef dict order_dict(self, const Order *order, const Top *tops)
    cdef list all_numbers(self)
    cdef list open_numbers(self)
