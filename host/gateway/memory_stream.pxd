# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""A byte stream in memory: two ends, each with the bytes that wait for the other."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from nic.stream cimport Stream


cdef class MemoryStream(Stream):
    cdef readonly int current_state     # 0 open, STREAM_CONNECTING or STREAM_CLOSED
    cdef readonly uint32_t capacity_bytes
    cdef uint8_t *waiting               # bytes to be received here
    cdef uint32_t begin
    cdef uint32_t end
    cdef MemoryStream peer
    cdef public uint32_t segment_bytes  # most bytes that one receive returns
    cdef public uint32_t window_bytes   # most bytes that one send takes

    cdef int send(self, const uint8_t *data, uint32_t length) noexcept nogil
    cdef int receive(self, uint8_t *data, uint32_t capacity) noexcept nogil
    cdef int state(self) noexcept nogil
    cdef uint32_t put(self, const uint8_t *data, uint32_t length) noexcept nogil
