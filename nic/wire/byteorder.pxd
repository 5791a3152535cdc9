# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Unaligned loads and stores in either byte order; each compiles to one or two instructions."""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from *:
    """
    #ifndef TICKWIRE_BYTEORDER_H
    #define TICKWIRE_BYTEORDER_H
    #include <stdint.h>
    #include <string.h>
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "tickwire is written for little-endian machines"
    #endif
    #define TW_INLINE static inline __attribute__((always_inline, unused))
    TW_INLINE uint8_t load8(const uint8_t *p) { return *p; }
    TW_INLINE uint16_t load_le16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return v; }
    TW_INLINE uint32_t load_le32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
    TW_INLINE uint64_t load_le64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }
    TW_INLINE uint16_t load_be16(const uint8_t *p) { return __builtin_bswap16(load_le16(p)); }
    TW_INLINE uint32_t load_be32(const uint8_t *p) { return __builtin_bswap32(load_le32(p)); }
    TW_INLINE uint64_t load_be64(const uint8_t *p) { return __builtin_bswap64(load_le64(p)); }
    TW_INLINE uint64_t load_be48(const uint8_t *p)
    { return ((uint64_t)load_be16(p) << 32) | load_be32(p + 2); }
    TW_INLINE void store8(uint8_t *p, uint8_t v) { *p = v; }
    TW_INLINE void store_le16(uint8_t *p, uint16_t v) { memcpy(p, &v, 2); }
    TW_INLINE void store_le32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
    TW_INLINE void store_le64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }
    TW_INLINE void store_be16(uint8_t *p, uint16_t v) { store_le16(p, __builtin_bswap16(v)); }
    TW_INLINE void store_be32(uint8_t *p, uint32_t v) { store_le32(p, __builtin_bswap32(v)); }
    TW_INLINE void store_be64(uint8_t *p, uint64_t v) { store_le64(p, __builtin_bswap64(v)); }
    TW_INLINE void store_be48(uint8_t *p, uint64_t v)
    { store_be16(p, (uint16_t)(v >> 32)); store_be32(p + 2, (uint32_t)v); }
    #endif
    """
    uint8_t load8(const uint8_t *p) noexcept nogil
    uint16_t load_le16(const uint8_t *p) noexcept nogil
    uint32_t load_le32(const uint8_t *p) noexcept nogil
    uint64_t load_le64(const uint8_t *p) noexcept nogil
    uint16_t load_be16(const uint8_t *p) noexcept nogil
    uint32_t load_be32(const uint8_t *p) noexcept nogil
    uint64_t load_be64(const uint8_t *p) noexcept nogil
    uint64_t load_be48(const uint8_t *p) noexcept nogil
    void store8(uint8_t *p, uint8_t v) noexcept nogil
    void store_le16(uint8_t *p, uint16_t v) noexcept nogil
    void store_le32(uint8_t *p, uint32_t v) noexcept nogil
    void store_le64(uint8_t *p, uint64_t v) noexcept nogil
    void store_be16(uint8_t *p, uint16_t v) noexcept nogil
    void store_be32(uint8_t *p, uint32_t v) noexcept nogil
    void store_be64(uint8_t *p, uint64_t v) noexcept nogil
    void store_be48(uint8_t *p, uint64_t v) noexcept nogil
