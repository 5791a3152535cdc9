# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Bringing cache lines in before they are needed; a hint, never a fault."""

from libc.stddef cimport size_t

cdef extern from *:
    """
    #ifndef TICKWIRE_PREFETCH_H
    #define TICKWIRE_PREFETCH_H
    #include <stddef.h>
    #include <stdint.h>
    #define TW_LINE ((uintptr_t)64)
    /* Every line that the object touches, in a state in which it can be written. */
    static inline void tw_prefetch_object(const void *object, size_t bytes)
    {
        uintptr_t at = (uintptr_t)object & ~(TW_LINE - 1);
        for (; at < (uintptr_t)object + bytes; at += TW_LINE)
            __builtin_prefetch((const void *)at, 1, 3);
    }
    #endif
    """
    void prefetch_object "tw_prefetch_object"(const void *object, size_t size) noexcept nogil
