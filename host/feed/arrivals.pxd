# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Remembers when and on which line the most recent messages came first, to tell lead times."""

cimport cython
from libc.stdint cimport uint32_t, uint64_t
from host.metrics.histogram cimport Histogram

cdef struct Arrival:
    uint64_t t_ns
    uint32_t sequence_low      # lower half of the sequence number; 0 in a place never used
    uint32_t line


@cython.final
cdef class ArrivalRing:
    cdef Arrival *ring
    cdef uint64_t mask
    cdef Histogram lead_a      # how much earlier line A was than line B
    cdef Histogram lead_b
    cdef uint64_t same_line    # second copies on one line
    cdef uint64_t unknown      # copies of messages the ring does not hold

    cdef void remember(self, uint64_t first, uint64_t end, int line, uint64_t t_ns) noexcept nogil
    cdef void copies(self, uint64_t first, uint64_t end, int line, uint64_t t_ns) noexcept nogil
    cdef void lead(self, int first_line, uint64_t first_ns, int line, uint64_t t_ns,
                   uint64_t count) noexcept nogil
    cdef void clear(self) noexcept nogil
