# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The book of a venue as the other stages see it: tops by symbol index, fed message by message."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from host.book.ids cimport BOOK_COUNT
from host.book.index_map cimport IndexMap
from host.model cimport Top

cdef struct Level:             # one price level, as depth() gives it
    int64_t price
    int64_t shares
    uint32_t orders            # 0 where the venue does not say

cdef class Book:
    cdef Top *tops                     # one per symbol index, preallocated
    cdef readonly uint32_t symbol_capacity
    cdef readonly uint32_t symbol_count        # highest used index + 1
    cdef uint64_t counts[BOOK_COUNT]   # indexed by BOOK_*
    cdef uint64_t messages[256]        # by the first byte, whatever became of the message
    cdef uint32_t symbol_index         # of the last apply()
    cdef int64_t trade_price           # of the last apply() with CHANGED_TRADE
    cdef int64_t trade_shares
    cdef uint8_t trade_side            # of the resting order, SIDE_BUY or SIDE_SELL; 0 unknown
    cdef uint8_t market_phase          # MARKET_PHASE_* after the last system event
    cdef IndexMap symbol_map           # eight wire bytes to index + 1

    cdef int open_tops(self, uint32_t symbols, bint prefault) except -1
    cdef bint name_symbol(self, uint32_t index, uint64_t symbol) noexcept nogil
    cdef void map_symbol(self, uint32_t index) noexcept nogil
    cdef void forget_symbol(self, uint32_t index) noexcept nogil
    cdef void reset_tops(self) noexcept nogil
    cdef void system_event(self, uint8_t code) noexcept nogil
    cdef uint32_t index_of(self, str symbol) except? 0xFFFFFFFF

    cdef uint32_t apply(self, const uint8_t *message, uint32_t length) noexcept nogil
    cdef void prefetch(self, const uint8_t *message, uint32_t length) noexcept nogil
    cdef void mark_gapped(self) noexcept nogil
    cdef void reset(self) noexcept nogil
    cdef int64_t find(self, uint64_t symbol) noexcept nogil
    cdef uint32_t depth(self, uint32_t symbol_index, uint8_t side, Level *out,
                        uint32_t maximum) noexcept nogil

cdef uint64_t wire_symbol(str symbol) except? 0
cdef uint8_t side_letter(str side) except? 0
