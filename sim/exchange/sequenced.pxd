# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The sequenced messages of one order-entry session, kept for the day."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef struct SequencedBytes:
    uint8_t *data          # SoupBinTCP sequenced data packets, one after the other
    uint64_t capacity
    uint64_t used
    uint64_t *starts       # where packet n (from 0) begins
    uint64_t starts_capacity
    uint64_t count         # packets complete
    uint64_t failed        # messages lost because memory ran out

cdef uint8_t *sequenced_reserve(SequencedBytes *store, uint32_t length) noexcept nogil
cdef void sequenced_commit(SequencedBytes *store) noexcept nogil

cdef class SequencedStore:
    cdef SequencedBytes bytes_
