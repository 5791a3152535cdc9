# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""CRC-32C (Castagnoli) by the SSE 4.2 instruction. Source: RFC 3720 appendix B.4 (test vectors)."""

from libc.stdint cimport uint32_t

cdef extern from *:
    """
    #ifndef TICKWIRE_CRC32C_H
    #define TICKWIRE_CRC32C_H
    #include <nmmintrin.h>
    #include <stddef.h>
    #include <stdint.h>
    #include <string.h>
    /* Continues `crc` (0 to begin) over `length` bytes. */
    __attribute__((target("sse4.2"), unused))
    static uint32_t crc32c_extend(uint32_t crc, const void *data, size_t length)
    {
        const uint8_t *p = (const uint8_t *)data;
        uint64_t state = (uint32_t)~crc;
        for (; length >= 8; length -= 8, p += 8) {
            uint64_t word;
            memcpy(&word, p, 8);
            state = _mm_crc32_u64(state, word);
        }
        uint32_t narrow = (uint32_t)state;
        if (length & 4) {
            uint32_t word;
            memcpy(&word, p, 4);
            narrow = _mm_crc32_u32(narrow, word);
            p += 4;
        }
        for (length &= 3; length > 0; length--, p++)
            narrow = _mm_crc32_u8(narrow, *p);
        return ~narrow;
    }
    #endif
    """
    uint32_t crc32c_extend(uint32_t crc, const void *data, size_t length) noexcept nogil
