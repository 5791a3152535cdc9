# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Messages of a Nasdaq BinaryFILE, one after the other."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from nic.byte_source cimport ByteSource
from nic.ids cimport CAPTURE_COUNT

cdef struct FileMessage:
    const uint8_t *data        # valid until the next burst
    uint32_t length

cdef class BinaryFile:
    cdef readonly ByteSource source
    cdef readonly bint finished        # no message comes any more
    cdef readonly bint session_ended   # the end-of-session mark was met
    cdef readonly uint64_t messages    # read so far
    cdef uint64_t errors_met[CAPTURE_COUNT]

    cdef int read_burst(self, FileMessage *messages, int maximum) noexcept nogil
    cdef bint next_message(self, FileMessage *out, bint may_refill) noexcept nogil
    cdef bint run_out(self) noexcept nogil
