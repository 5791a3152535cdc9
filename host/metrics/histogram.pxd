# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Counts of values in buckets of constant relative width."""

cimport cython
from libc.stdint cimport uint32_t, uint64_t

cdef extern from *:
    """
    #include <stdint.h>
    static inline uint32_t tickwire_leading_zeros(uint64_t v) { return __builtin_clzll(v); }
    """
    uint32_t tickwire_leading_zeros(uint64_t v) noexcept nogil


@cython.final
cdef class Histogram:
    cdef uint64_t *counts
    cdef uint32_t half_magnitude        # log2 of half the sub-buckets
    cdef uint64_t sub_bucket_mask
    cdef readonly uint32_t buckets      # length of counts
    cdef readonly int significant_digits
    cdef readonly uint64_t count        # values recorded
    cdef uint64_t lowest, highest
    cdef double sum

    cdef void record(self, uint64_t value) noexcept nogil
    cdef void record_many(self, uint64_t value, uint64_t count) noexcept nogil
    cdef uint32_t index_of(self, uint64_t value) noexcept nogil
    cdef uint64_t highest_equivalent(self, uint32_t index) noexcept nogil
