# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Packets of a pcap or pcapng file, one after the other."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from nic.byte_source cimport ByteSource
from nic.ids cimport CAPTURE_COUNT

cdef enum:
    MOST_INTERFACES = 1024

cdef enum:                             # what CaptureReader.next_packet says
    CAPTURE_PACKET = 1
    CAPTURE_AGAIN = 0                  # no whole record in the window: ask again with may_refill
    CAPTURE_END = -1

cdef struct CaptureInterface:
    uint16_t link_type
    uint32_t snap_bytes        # longest packet kept, 0 for no limit
    uint64_t ticks_per_second
    int64_t offset_seconds

cdef struct CapturedPacket:
    uint8_t *data              # the Ethernet header, where the file has none: made here
    uint32_t length
    uint64_t time_ns           # since the Unix epoch

cdef class CaptureReader:
    cdef readonly ByteSource source
    cdef readonly str kind             # pcap or pcapng
    cdef bint is_pcapng
    cdef bint swapped                  # numbers are big-endian
    cdef readonly bint finished        # no packet comes any more
    cdef uint64_t errors[CAPTURE_COUNT]
    cdef CaptureInterface interfaces[MOST_INTERFACES]
    cdef uint32_t interface_count
    cdef size_t skip_bytes             # still to come of a block that is passed over

    cdef int next_packet(self, CapturedPacket *out, bint may_refill) noexcept nogil
    cdef bint need(self, size_t count, bint may_refill) noexcept nogil
    cdef bint skip(self, bint may_refill) noexcept nogil
    cdef int run_out(self) noexcept nogil
    cdef int fail(self) noexcept nogil
    cdef int pcap_record(self, CapturedPacket *out, bint may_refill) noexcept nogil
    cdef int pcapng_block(self, CapturedPacket *out, bint may_refill) noexcept nogil
    cdef int section(self) noexcept nogil
    cdef int look_into(self, uint32_t kind, uint32_t length, CapturedPacket *out) noexcept nogil
    cdef int enhanced_packet(self, uint32_t length, CapturedPacket *out) noexcept nogil
    cdef int simple_packet(self, uint32_t length, CapturedPacket *out) noexcept nogil
    cdef int describe_interface(self, uint32_t length) noexcept nogil
    cdef bint interface_options(self, CaptureInterface *interface, const uint8_t *at,
                                const uint8_t *end) noexcept nogil
    cdef int deliver(self, CapturedPacket *out, uint32_t interface, uint8_t *data,
                     uint32_t kept, uint32_t original, uint64_t ticks) noexcept nogil
    cdef uint16_t number16(self, const uint8_t *at) noexcept nogil
    cdef uint32_t number32(self, const uint8_t *at) noexcept nogil
