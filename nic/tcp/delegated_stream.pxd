# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""A TCP connection whose segments leave by a raw port."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from nic.port cimport Port
from nic.tcp.ids cimport DELEGATED_COUNT, DELEGATION_COUNT
from nic.tcp.kernel_side cimport KernelSide
from nic.tcp.route cimport RouteFollower
from nic.tcp.segment cimport SEGMENT_LONGEST, TcpNumbers, TcpPath
from nic.tcp_stream cimport TcpStream

cdef enum:                         # what is done before a send, see PREPARATIONS
    PREPARE_NOTHING = 0
    PREPARE_CACHED = 1
    PREPARE_ARMED = 2

cdef class DelegatedStream(TcpStream):
    cdef Port raw
    cdef KernelSide kernel
    cdef RouteFollower route
    cdef int preparation
    cdef str interface
    cdef bint has_begun            # the connection's addresses are known
    cdef bint is_stale             # something happened since the last refresh
    cdef bint has_ordinary         # bytes went by an ordinary send since the last refresh
    cdef uint64_t renewed_bytes    # received_bytes at the last refresh
    cdef uint64_t maximum_age_ns
    cdef uint64_t follow_interval_ns
    cdef uint64_t followed_ns
    cdef TcpPath path
    cdef TcpNumbers numbers
    cdef uint64_t results[DELEGATION_COUNT]
    cdef uint64_t counts[DELEGATED_COUNT]
    cdef uint8_t frame[SEGMENT_LONGEST]

    cdef int send(self, const uint8_t *data, uint32_t length) noexcept nogil
    cdef int receive(self, uint8_t *data, uint32_t capacity) noexcept nogil
    cdef int begin(self) noexcept nogil
    cdef int judge(self, uint32_t length, uint64_t now_ns) noexcept nogil
    cdef int weigh(self, uint32_t length) noexcept nogil
    cdef int send_ordinary(self, const uint8_t *data, uint32_t length) noexcept nogil
    cdef int send_delegated(self, const uint8_t *data, uint32_t length,
                            uint64_t now_ns) noexcept nogil
    cdef void settle(self, uint64_t now_ns) noexcept nogil
    cdef bint has_news(self) noexcept nogil
    cdef void take_path(self) noexcept nogil
    cdef int renew(self) noexcept nogil
    cdef bint must_renew(self, uint64_t now_ns) noexcept nogil
