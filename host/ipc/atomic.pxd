# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Acquire loads and release stores of words that two threads or processes share.

``copy_to_shared`` and ``copy_from_shared`` move whole words of eight bytes while another process
may do the same: each word is whole, the words together only if a number read before and behind
them says so. ``fence_release`` stands between the mark that says "being written" and the words,
``fence_acquire`` between the words and the second look at the mark.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from *:
    """
    #ifndef TICKWIRE_ATOMIC_H
    #define TICKWIRE_ATOMIC_H
    #include <stdint.h>
    static inline uint64_t load_acquire(const uint64_t *p)
    { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline uint64_t load_relaxed(const uint64_t *p)
    { return __atomic_load_n(p, __ATOMIC_RELAXED); }
    static inline void store_release(uint64_t *p, uint64_t v)
    { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    static inline void fence_acquire(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
    static inline void fence_release(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }
    static inline void copy_to_shared(uint8_t *to, const uint8_t *from, uint32_t words)
    {
        uint64_t word;
        for (uint32_t i = 0; i < words; i++) {
            __builtin_memcpy(&word, from + 8 * i, 8);
            __atomic_store_n((uint64_t *)to + i, word, __ATOMIC_RELAXED);
        }
    }
    static inline void copy_from_shared(uint8_t *to, const uint8_t *from, uint32_t words)
    {
        uint64_t word;
        for (uint32_t i = 0; i < words; i++) {
            word = __atomic_load_n((const uint64_t *)from + i, __ATOMIC_RELAXED);
            __builtin_memcpy(to + 8 * i, &word, 8);
        }
    }
    #endif
    """
    uint64_t load_acquire(const uint64_t *p) noexcept nogil
    uint64_t load_relaxed(const uint64_t *p) noexcept nogil
    void store_release(uint64_t *p, uint64_t v) noexcept nogil
    void fence_acquire() noexcept nogil
    void fence_release() noexcept nogil
    void copy_to_shared(uint8_t *to, const uint8_t *source, uint32_t words) noexcept nogil
    void copy_from_shared(uint8_t *to, const uint8_t *source, uint32_t words) noexcept nogil
