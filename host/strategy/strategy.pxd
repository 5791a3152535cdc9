# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The strategy interface of the fast path."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.interfaces cimport IntentSink
from host.model cimport Intent, OrderEvent, Top

cdef enum:
    SUBSCRIBED_UNKNOWN = 0            # not asked yet
    SUBSCRIBED_YES = 1
    SUBSCRIBED_NO = 2


@cython.final
cdef class Orders:
    cdef IntentSink execution
    cdef uint16_t strategy_id
    cdef readonly uint64_t t_ns       # the engine's time; set before each callback
    cdef bint enabled                 # False: new and replace are refused, cancels pass
    cdef bint is_stopped              # the same, for good
    cdef uint64_t intents             # handed on
    cdef uint64_t refused             # refused behind us: by the gate, the session, a full table
    cdef object symbols               # symbol to index, for the Python methods

    cdef uint32_t enter(self, uint8_t side, uint32_t symbol_index, uint32_t quantity,
                        int64_t price, uint8_t time_in_force, bint post_only) noexcept nogil
    cdef uint32_t replace_order(self, uint32_t handle, uint8_t side, uint32_t symbol_index,
                                uint32_t quantity, int64_t price, bint post_only) noexcept nogil
    cdef uint32_t cancel_order(self, uint32_t handle, uint32_t symbol_index) noexcept nogil
    cdef uint32_t hand_on(self, Intent *intent) noexcept nogil
    cdef void stop(self) noexcept nogil

cdef class FastStrategy:
    cdef readonly Orders orders
    cdef const Top *tops
    cdef uint32_t symbol_capacity
    cdef FastStrategy following       # the next strategy of the same engine, or None
    cdef uint64_t *wanted             # symbols to follow, as on the wire
    cdef uint32_t wanted_count        # 0: every symbol
    cdef uint8_t *subscribed          # per symbol index: SUBSCRIBED_*

    cdef void attach(self, Orders orders, const Top *tops, uint32_t symbol_capacity)
    cdef bint follows(self, uint32_t symbol_index) noexcept nogil
    cdef void forget_all(self) noexcept nogil

    cdef void on_start(self) noexcept nogil
    cdef void on_book(self, uint32_t symbol_index) noexcept nogil
    cdef void on_trade(self, uint32_t symbol_index, int64_t price, int64_t shares,
                       uint8_t resting_side) noexcept nogil
    cdef void on_order(self, const OrderEvent *event) noexcept nogil
    cdef void on_timer(self) noexcept nogil
    cdef void on_stop(self) noexcept nogil

    cdef void start_all(self, uint64_t t_ns) noexcept nogil
    cdef void book_all(self, uint32_t symbol_index, uint64_t t_ns) noexcept nogil
    cdef void trade_all(self, uint32_t symbol_index, int64_t price, int64_t shares,
                        uint8_t resting_side, uint64_t t_ns) noexcept nogil
    cdef void order_to_owner(self, const OrderEvent *event, uint64_t t_ns) noexcept nogil
    cdef void timer_all(self, uint64_t t_ns) noexcept nogil
    cdef void stop_all(self, uint64_t t_ns) noexcept nogil
