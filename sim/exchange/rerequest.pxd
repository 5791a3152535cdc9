# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The MoldUDP64 re-request server."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from sim.exchange.ids cimport REREQUEST_COUNT
from sim.exchange.publisher cimport MAXIMUM_PAYLOAD_BYTES, Publisher

cdef class RerequestServer:
    cdef Publisher publisher
    cdef uint8_t out[MAXIMUM_PAYLOAD_BYTES]
    cdef uint64_t counts[REREQUEST_COUNT]

    cdef uint32_t on_request(self, const uint8_t *data, uint32_t length) noexcept nogil
