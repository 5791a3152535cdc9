# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The time stamp counter, and nanoseconds made from it."""

from libc.stdint cimport uint64_t

cdef extern from "x86intrin.h":
    uint64_t rdtsc "__rdtsc"() noexcept nogil

cdef class Clock:
    cdef uint64_t base_tsc
    cdef uint64_t base_ns
    cdef readonly double ns_per_tick

    cdef uint64_t now_ns(self) noexcept nogil
    cdef uint64_t to_ns(self, uint64_t tsc) noexcept nogil
