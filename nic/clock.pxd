# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The time stamp counter, and nanoseconds made from it."""

cimport cython
from libc.stdint cimport uint64_t

cdef extern from "x86intrin.h":
    uint64_t rdtsc "__rdtsc"() noexcept nogil


@cython.final
cdef class Clock:
    cdef readonly uint64_t base_tsc
    cdef readonly uint64_t base_ns
    cdef uint64_t multiplier      # nanoseconds a tick, as a binary fraction of 48 bits
    cdef readonly double ns_per_tick

    cpdef uint64_t now_ns(self) noexcept nogil
    cpdef uint64_t to_ns(self, uint64_t tsc) noexcept nogil
