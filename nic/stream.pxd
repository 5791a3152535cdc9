# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The one interface of every byte stream (order entry): never blocks."""

from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    STREAM_WOULD_BLOCK = -1   # nothing to read, or no room to write: try later
    STREAM_CLOSED = -2        # the peer closed or reset the connection, or it never came up
    STREAM_CONNECTING = -3    # the connection is still being made

cdef class Stream:
    cdef int send(self, const uint8_t *data, uint32_t length) noexcept nogil
    cdef int receive(self, uint8_t *data, uint32_t capacity) noexcept nogil
    cdef int state(self) noexcept nogil
