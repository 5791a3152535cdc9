# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""How long each stage took, from the stamps of a trace."""

cimport cython
from libc.stdint cimport uint64_t
from host.metrics.histogram cimport Histogram
from host.metrics.ids cimport STAGE_CLOCK_COUNT
from host.model cimport Trace


@cython.final
cdef class StageClock:
    cdef readonly double ns_per_tick
    cdef Histogram decode, book, strategy, risk, send, total, following
    cdef uint64_t last_received            # t0 of the order recorded last
    cdef uint64_t counts[STAGE_CLOCK_COUNT]

    cdef void record(self, const Trace *trace) noexcept nogil
    cdef void _interval(self, Histogram histogram, uint64_t start, uint64_t end) noexcept nogil
