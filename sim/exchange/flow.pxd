# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Background order flow: seeded, at a given rate, in virtual time."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from sim.exchange.ids cimport FLOW_COUNT
from sim.exchange.matching cimport MatchingEngine

cdef struct SymbolFlow:
    int64_t fair               # highest price a buyer thinks right; a seller: one tick more
    int64_t first_fair
    int64_t gap                # between the fair price and the nearest orders
    uint32_t count             # orders in the list
    uint64_t *orders           # references, with HIDDEN_ORDER where it is not displayed

cdef class BackgroundFlow:
    cdef MatchingEngine engine
    cdef SymbolFlow *symbols           # by stock locate
    cdef uint64_t *orders
    cdef uint32_t symbol_count
    cdef uint32_t orders_per_symbol
    cdef int64_t tick
    cdef uint64_t random_state
    cdef uint64_t rate                 # messages per second
    cdef uint64_t start_ns
    cdef uint64_t paced                # messages made, and given up, since start_ns
    cdef public uint64_t catch_up_messages
    cdef uint64_t counts[FLOW_COUNT]

    cdef void advance(self, uint64_t t_ns) noexcept nogil
    cdef void open_books(self, uint64_t t_ns) noexcept nogil
    cdef uint64_t _random(self) noexcept nogil
    cdef uint32_t _below(self, uint32_t limit) noexcept nogil
    cdef void _act(self, uint16_t locate, uint64_t t_ns) noexcept nogil
    cdef void _add(self, uint16_t locate, uint8_t side, int64_t distance,
                   uint64_t t_ns) noexcept nogil
    cdef void _enter(self, uint16_t locate, uint8_t side, int64_t price, bint is_hidden,
                     uint64_t t_ns) noexcept nogil
    cdef int64_t _passive_price(self, uint16_t locate, uint8_t side,
                                int64_t distance) noexcept nogil
    cdef void _take(self, uint16_t locate, uint64_t t_ns) noexcept nogil
    cdef void _delete(self, uint16_t locate, uint64_t t_ns) noexcept nogil
    cdef void _reduce(self, uint16_t locate, uint64_t t_ns) noexcept nogil
    cdef void _replace(self, uint16_t locate, uint64_t t_ns) noexcept nogil
    cdef void _keep_tight(self, uint16_t locate, uint64_t t_ns) noexcept nogil
    cdef int64_t _pick(self, SymbolFlow *flow) noexcept nogil
    cdef void _drop(self, SymbolFlow *flow, uint32_t at) noexcept nogil
    cdef int64_t _distance(self, SymbolFlow *flow, uint64_t order) noexcept nogil
    cdef uint32_t _size(self) noexcept nogil
    cdef void _walk(self, SymbolFlow *flow) noexcept nogil
