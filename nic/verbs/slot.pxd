# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""A slot of an RDMA ring: words that another host writes while this one looks.

The verbs specification does not promise in which order the bytes of one write appear. Cards place
them upwards, and the last word carries a check of the others besides: a slot whose check does not
fit is not all there yet. The check is a sum of the words times odd constants, its top 16 bits.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from *:
    """
    #ifndef TICKWIRE_RDMA_SLOT_H
    #define TICKWIRE_RDMA_SLOT_H
    #include <stdint.h>
    #define SLOT_NUMBER_MASK ((1ULL << 48) - 1)
    #define SLOT_ODD 0x9E3779B97F4A7C15ULL
    static inline uint64_t word_acquire(const uint64_t *p)
    { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline void word_release(uint64_t *p, uint64_t v)
    { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    static inline uint64_t slot_fill(uint8_t *slot, const uint8_t *from, uint32_t words,
                                     uint64_t number)
    {
        uint64_t sum = number * SLOT_ODD, factor = SLOT_ODD, word;
        for (uint32_t i = 0; i < words; i++) {
            factor += 2 * SLOT_ODD;
            __builtin_memcpy(&word, from + 8 * i, 8);
            __atomic_store_n((uint64_t *)slot + i, word, __ATOMIC_RELAXED);
            sum += (word ^ (word >> 32)) * factor;
        }
        return number | (sum & ~SLOT_NUMBER_MASK);
    }
    static inline uint64_t slot_copy(uint8_t *to, const uint8_t *slot, uint32_t words,
                                     uint64_t number)
    {
        uint64_t sum = number * SLOT_ODD, factor = SLOT_ODD, word;
        for (uint32_t i = 0; i < words; i++) {
            factor += 2 * SLOT_ODD;
            word = __atomic_load_n((const uint64_t *)slot + i, __ATOMIC_RELAXED);
            __builtin_memcpy(to + 8 * i, &word, 8);
            sum += (word ^ (word >> 32)) * factor;
        }
        return number | (sum & ~SLOT_NUMBER_MASK);
    }
    #endif
    """
    uint64_t SLOT_NUMBER_MASK
    uint64_t word_acquire(const uint64_t *p) noexcept nogil
    void word_release(uint64_t *p, uint64_t value) noexcept nogil
    # Both give the slot's last word; slot_fill does not write it.
    uint64_t slot_fill(uint8_t *slot, const uint8_t *source, uint32_t words,
                       uint64_t number) noexcept nogil
    uint64_t slot_copy(uint8_t *to, const uint8_t *slot, uint32_t words,
                       uint64_t number) noexcept nogil
