# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The matching engine: price, display, time."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.book.book cimport Level
from host.book.order_book cimport OrderBook
from sim.exchange.client_order cimport ClientOrder
from sim.exchange.feed_writer cimport FeedWriter
from sim.exchange.ids cimport MATCHING_COUNT
from sim.exchange.order_entry cimport Venue

cdef enum:
    DEPTH_LEVELS = 256         # levels a minimum quantity is looked for in

cdef class MatchingEngine(Venue):
    cdef FeedWriter feed
    cdef OrderBook displayed
    cdef OrderBook hidden
    cdef uint32_t *displayed_owner     # by slot: record of the client's order, 0 for none
    cdef uint32_t *hidden_owner
    cdef uint8_t *states               # by stock locate: trading state letter
    cdef uint8_t *operational_halts    # by stock locate: 1 while halted
    cdef uint16_t *match_locates       # by match number, ring
    cdef uint64_t last_reference
    cdef uint64_t last_match
    cdef readonly bint closed
    cdef bint prevent_self_match
    cdef Level levels[DEPTH_LEVELS]
    cdef uint64_t counts[MATCHING_COUNT]

    # background participants: ordinary orders without a session; reference 0 where none rests
    cdef uint64_t background_enter(self, uint16_t locate, uint8_t side, uint32_t shares,
                                   int64_t price, bint immediate, bint is_hidden, uint32_t mpid,
                                   uint64_t t_ns) noexcept nogil
    cdef bint background_reduce(self, uint64_t reference, bint is_hidden, uint32_t shares,
                                uint64_t t_ns) noexcept nogil
    cdef uint64_t background_replace(self, uint64_t reference, uint32_t shares, int64_t price,
                                     uint64_t t_ns) noexcept nogil

    cdef bint set_state(self, uint16_t locate, uint8_t trading_state, uint32_t reason,
                        uint64_t t_ns) noexcept nogil
    cdef int64_t best_price(self, uint16_t locate, uint8_t side) noexcept nogil
    cdef uint32_t _match(self, uint16_t locate, uint8_t side, int64_t limit, uint32_t shares,
                         ClientOrder *taker, uint64_t t_ns) noexcept nogil
    cdef uint32_t _execute(self, uint16_t locate, OrderBook book, uint32_t *owners, int64_t slot,
                           uint32_t shares, ClientOrder *taker, uint64_t t_ns) noexcept nogil
    cdef bint _rest(self, bint is_hidden, uint16_t locate, uint64_t reference, uint8_t side,
                    uint32_t shares, int64_t price, uint32_t mpid, uint32_t owner,
                    uint64_t t_ns) noexcept nogil
    cdef void _remove(self, bint is_hidden, uint64_t reference, uint32_t shares,
                      uint64_t t_ns) noexcept nogil
    cdef uint32_t _available(self, uint16_t locate, uint8_t side, int64_t limit,
                             uint32_t wanted) noexcept nogil
    cdef uint8_t _taken_by(self, const ClientOrder *order) noexcept nogil
    cdef void _cancel_unrested(self, ClientOrder *order, uint8_t reason,
                               uint64_t t_ns) noexcept nogil
