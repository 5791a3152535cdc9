# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""A file read in pieces, plain or gzipped, as a window of bytes that moves forward."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef class ByteSource:
    cdef readonly str path
    cdef readonly bint is_gzip
    cdef readonly bint ended           # nothing comes after the window
    cdef readonly bint gzip_truncated
    cdef readonly bint gzip_damaged
    cdef readonly bint read_failed
    cdef object file                   # None when closed
    cdef object inflater               # of the gzip member that is being read
    cdef bytes compressed              # read from the file, not yet inflated
    cdef uint8_t *memory
    cdef size_t capacity
    cdef uint8_t *at                   # first byte of the window
    cdef uint8_t *end                  # behind its last byte

    cdef bint refill(self) noexcept nogil
    cdef bytes more(self)
    cdef bytes inflate(self)
