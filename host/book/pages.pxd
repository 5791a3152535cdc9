# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Zeroed memory from the kernel for the tables, on huge pages where the kernel grants them."""

from libc.stddef cimport size_t

cdef extern from *:
    """
    #ifndef TICKWIRE_PAGES_H
    #define TICKWIRE_PAGES_H
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <stdint.h>
    #include <string.h>
    #include <sys/mman.h>
    #define TW_HUGE_PAGE ((size_t)2 << 20)
    /* Tables of half a huge page and more begin on one, so that a table is few TLB entries. */
    static inline void *tw_pages_open(size_t bytes, int prefault)
    {
        if (bytes < TW_HUGE_PAGE / 2) {
            void *small = mmap(0, bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | (prefault ? MAP_POPULATE : 0), -1, 0);
            return small == MAP_FAILED ? 0 : small;
        }
        size_t size = (bytes + TW_HUGE_PAGE - 1) & ~(TW_HUGE_PAGE - 1);
        uint8_t *raw = (uint8_t *)mmap(0, size + TW_HUGE_PAGE, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (raw == (uint8_t *)MAP_FAILED)
            return 0;
        uint8_t *base = (uint8_t *)(((uintptr_t)raw + TW_HUGE_PAGE - 1) & ~(TW_HUGE_PAGE - 1));
        if (base != raw)
            munmap(raw, (size_t)(base - raw));
        munmap(base + size, TW_HUGE_PAGE - (size_t)(base - raw));
        madvise(base, size, MADV_HUGEPAGE);
        if (prefault)
            for (size_t at = 0; at < size; at += 4096)
                ((volatile uint8_t *)base)[at] = 0;
        return base;
    }
    static inline void tw_pages_close(void *base, size_t bytes)
    {
        if (!base)
            return;
        if (bytes >= TW_HUGE_PAGE / 2)
            bytes = (bytes + TW_HUGE_PAGE - 1) & ~(TW_HUGE_PAGE - 1);
        munmap(base, bytes);
    }
    #endif
    """
    void *pages_open "tw_pages_open"(size_t bytes, int prefault) noexcept nogil
    void pages_close "tw_pages_close"(void *base, size_t bytes) noexcept nogil
