# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Acquire loads and release stores of words that two threads or processes share."""

from libc.stdint cimport uint64_t

cdef extern from *:
    """
    #ifndef TICKWIRE_ATOMIC_H
    #define TICKWIRE_ATOMIC_H
    #include <stdint.h>
    static inline uint64_t load_acquire(const uint64_t *p)
    { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline void store_release(uint64_t *p, uint64_t v)
    { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    #endif
    """
    uint64_t load_acquire(const uint64_t *p) noexcept nogil
    void store_release(uint64_t *p, uint64_t v) noexcept nogil
