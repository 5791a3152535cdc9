# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Capture files as ports."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdio cimport FILE
from nic.capture_reader cimport CapturedPacket, CaptureReader
from nic.port cimport Packet, Port

cdef class PcapWriter(Port):
    cdef readonly str path
    cdef public uint64_t time_ns       # of the packets that transmit() writes
    cdef FILE *file
    cdef uint32_t snap_bytes

    cdef int write(self, const uint8_t *data, uint32_t length, uint64_t time_ns) noexcept nogil
    cdef int transmit(self, const uint8_t *data, uint32_t length) noexcept nogil
    cdef int flush(self) noexcept nogil

cdef class PcapPort(Port):
    cdef CaptureReader reader
    cdef PcapWriter writer             # None: the port only receives
    cdef CapturedPacket pending        # read ahead when the file was opened
    cdef bint has_pending
    cdef readonly uint64_t time_ns     # of the packet that was received last

    cdef int receive_burst(self, Packet *packets, int maximum) noexcept nogil
    cdef int transmit(self, const uint8_t *data, uint32_t length) noexcept nogil
    cdef int flush(self) noexcept nogil
