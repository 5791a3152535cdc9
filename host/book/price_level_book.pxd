# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Price-level books of every symbol, fed by DEEP 1.0 messages."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from host.book.book cimport Book
from host.book.ladder cimport LevelStore

cdef struct Transition:        # an event of a symbol that is not complete
    int64_t timestamp          # of its last update
    bint pending

cdef class PriceLevelBook(Book):
    cdef LevelStore store
    cdef Transition *transitions       # by symbol index
    cdef uint32_t lengths[256]         # shortest length by message type; 0 for no such type
