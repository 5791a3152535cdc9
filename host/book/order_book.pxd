# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Full order-level books of every symbol, fed by ITCH 5.0 messages or order by order."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from host.book.book cimport Book
from host.book.look_ahead cimport LookAhead
from host.book.order_store cimport OrderStore

cdef struct BboChange:         # what a symbol's best bid and offer became
    uint64_t timestamp         # exchange time, ns
    int64_t bid_price          # 0 for an empty side
    int64_t bid_shares
    int64_t ask_price
    int64_t ask_shares
    uint32_t symbol_index
    uint32_t message_index     # in the buffer, from 0

cdef class OrderBook(Book):
    cdef OrderStore store
    cdef uint32_t lengths[256]         # by message type; 0 for no such type
    cdef uint8_t *halted_markets       # by symbol index: bits of the markets that halted it
    cdef LookAhead ahead

    # For a matching engine. Changes give CHANGED_* bits, 0 when refused (counted). A slot is an
    # order's number while it is in the book, 1 or more.
    cdef uint32_t add_order(self, uint32_t index, uint64_t reference, uint8_t side,
                            uint32_t shares, int64_t price) noexcept nogil
    cdef uint32_t reduce_order(self, uint64_t reference, uint32_t shares) noexcept nogil
    cdef uint32_t delete_order(self, uint64_t reference) noexcept nogil
    cdef uint32_t replace_order(self, uint64_t reference, uint64_t new_reference,
                                uint32_t shares, int64_t price) noexcept nogil
    cdef int64_t best(self, uint32_t index, uint8_t side) noexcept nogil        # slot or -1
    cdef int64_t find_order(self, uint64_t reference) noexcept nogil            # slot or -1
    cdef int64_t next_order(self, int64_t slot) noexcept nogil                  # in queue, or -1
    cdef uint64_t order_reference(self, int64_t slot) noexcept nogil
    cdef uint32_t order_shares(self, int64_t slot) noexcept nogil
    cdef int64_t order_price(self, int64_t slot) noexcept nogil
    cdef uint8_t order_side(self, int64_t slot) noexcept nogil
    cdef uint32_t order_index(self, int64_t slot) noexcept nogil
