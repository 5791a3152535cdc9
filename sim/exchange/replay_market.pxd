# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""A market whose other side is a recorded feed."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.book.book cimport Book, Level
from sim.exchange.client_order cimport ClientOrder
from sim.exchange.ids cimport REPLAY_MARKET_COUNT
from sim.exchange.order_entry cimport Venue

cdef enum:
    REPLAY_LEVELS = 64         # levels of a side that are looked at

cdef struct Taken:             # shares of a displayed level that the client has taken
    int64_t price
    int64_t displayed          # what the level showed then
    int64_t taken
    uint32_t next              # in the symbol's list, or the next free one; 0 for none
    uint8_t side

cdef struct Resting:           # what the market knows of a client order, by its record
    uint32_t next              # of the same symbol, in order of entry; 0 for none
    int64_t ahead              # displayed shares that trade before it

cdef class ReplayMarket(Venue):
    cdef Book book
    cdef Resting *resting              # by record of the order desk
    cdef uint32_t *heads               # by symbol index: first record, 0 for none
    cdef Taken *taken                  # pool, 0 is none
    cdef uint32_t *taken_heads         # by symbol index
    cdef uint32_t taken_free
    cdef uint32_t taken_capacity
    cdef uint64_t last_reference
    cdef uint64_t last_match
    cdef bint unknown_state_trades
    cdef Level levels[REPLAY_LEVELS]
    cdef uint64_t counts[REPLAY_MARKET_COUNT]

    cdef uint32_t apply(self, const uint8_t *message, uint32_t length,
                        uint64_t t_ns) noexcept nogil
    cdef void observe(self, uint32_t symbol_index, uint32_t changed, uint64_t t_ns) noexcept nogil
    cdef void _on_trade(self, uint32_t symbol_index, uint64_t t_ns) noexcept nogil
    cdef void _on_depth(self, uint32_t symbol_index, uint64_t t_ns) noexcept nogil
    cdef void _meet(self, ClientOrder *order, uint64_t t_ns) noexcept nogil
    cdef void _take(self, ClientOrder *order, uint64_t t_ns) noexcept nogil
    cdef uint64_t _within_reach(self, const ClientOrder *order) noexcept nogil
    cdef ClientOrder *_own_contra(self, const ClientOrder *order) noexcept nogil
    cdef int64_t _left(self, uint32_t symbol_index, uint8_t side,
                       const Level *level) noexcept nogil
    cdef void _use(self, uint32_t symbol_index, uint8_t side, const Level *level,
                   int64_t shares) noexcept nogil
    cdef void _forget_changed(self, uint32_t symbol_index) noexcept nogil
    cdef int64_t _displayed_at(self, uint32_t symbol_index, uint8_t side,
                               int64_t price) noexcept nogil
    cdef void _link(self, ClientOrder *order) noexcept nogil
    cdef void _unlink(self, const ClientOrder *order) noexcept nogil
    cdef void _fill(self, ClientOrder *order, uint32_t shares, int64_t price,
                    uint64_t t_ns) noexcept nogil
