# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""A TCP connection as a stream."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from nic.stream cimport Stream

cdef class TcpStream(Stream):
    cdef object handle            # the Python socket that owns the descriptor; None when closed
    cdef int descriptor           # -1 once closed
    cdef int current              # what state() says
    cdef bint quick_ack
    cdef bint acknowledge         # bytes came since the option was last renewed
    cdef int error                # errno of what closed the connection, 0 for an orderly end
    cdef uint64_t received_bytes
    cdef uint64_t sent_bytes

    cdef int send(self, const uint8_t *data, uint32_t length) noexcept nogil
    cdef int receive(self, uint8_t *data, uint32_t capacity) noexcept nogil
    cdef int state(self) noexcept nogil
    cdef int fail(self, int error) noexcept nogil
