# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Arbitration of two lines message by message, and the filter by instrument number."""

from libc.stdint cimport int32_t, uint64_t
from nic.framing.ids cimport ARBITER_COUNT


cdef class LineArbiter:
    cdef uint64_t counts[ARBITER_COUNT]    # by ARBITER_*
    cdef public uint64_t expected          # next sequence number, 0 before the first
    cdef uint64_t gap_next, gap_end        # what is still missing of the open gap
    cdef public bint is_arbitrating

    # ARRIVAL_* of a message of line 0 (A) or 1 (B).
    cdef int arrive(self, int line, uint64_t sequence_number) noexcept nogil
    # Whether a datagram without messages opens a gap.
    cdef bint idle_at(self, uint64_t sequence_number) noexcept nogil
    cdef int _hold_against(self, uint64_t sequence_number) noexcept nogil
    cdef void _open(self, uint64_t sequence_number) noexcept nogil
    cdef void _abandon(self, uint64_t up_to) noexcept nogil


cdef class SymbolFilter:
    cdef int32_t *indices                  # by locate; -1 for one that is not wanted
    cdef readonly int locate_bits

    # Symbol index of an instrument number, -1 of one that is not wanted.
    cdef int32_t index_of(self, uint64_t locate) noexcept nogil
