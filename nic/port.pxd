# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The one interface of every packet path."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from nic.ids cimport PORT_COUNT

cdef enum:
    LAYER_FRAME = 0      # packets begin with the Ethernet header
    LAYER_DATAGRAM = 1   # packets are UDP payloads; the kernel took the headers off

cdef struct Packet:
    const uint8_t *data       # valid until release()
    uint32_t length           # bytes at data
    uint32_t source_address   # of a datagram, host byte order; 0 on LAYER_FRAME
    uint16_t source_port      # of a datagram; 0 on LAYER_FRAME
    uint64_t kernel_ns        # kernel, XDP program or capture file received it: ns since the epoch
    uint64_t tsc              # time stamp counter when the burst was taken

cdef class Port:
    cdef readonly str name
    cdef readonly int layer
    cdef uint64_t counts[PORT_COUNT]

    cdef int receive_burst(self, Packet *packets, int maximum) noexcept nogil
    cdef void release(self) noexcept nogil
    cdef int transmit(self, const uint8_t *data, uint32_t length) noexcept nogil
    cdef int flush(self) noexcept nogil
