# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""When to ask the re-request server for what, and when to stop asking."""

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from host.feed.gaps cimport Gap, GapTable
from host.interfaces cimport RequestSink

cdef enum:
    REQUEST_BYTES = 64         # room for the longest request of either transport


@cython.final
cdef class Recovery:
    cdef RequestSink requests  # None: nobody to ask
    cdef bint can_request
    cdef GapTable table
    cdef uint64_t *counters    # of the feed handler
    cdef int transport
    cdef uint64_t session_low, session_high
    cdef uint16_t message_protocol_id
    cdef uint64_t gap_wait_ns, request_retry_ns, gap_limit_ns
    cdef uint32_t request_limit, maximum_outstanding, maximum_request_messages
    cdef uint64_t rate_per_second, tokens, tokens_ns
    cdef uint8_t request[REQUEST_BYTES]

    cdef void pump(self, bint only_first, uint64_t t_ns) noexcept nogil
    cdef bint hopeless(self, const Gap *gap, uint64_t t_ns) noexcept nogil
    cdef bint _settle(self, Gap *gap, uint64_t t_ns) noexcept nogil
    cdef bint _take_token(self, uint64_t t_ns) noexcept nogil
    cdef void _send(self, Gap *gap, uint64_t t_ns) noexcept nogil
    cdef uint32_t _encode(self, uint64_t first, uint32_t count) noexcept nogil
