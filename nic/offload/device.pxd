# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""What the host needs of a card, whatever it is: registers, records up, commands down."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    LONGEST_RECORD_BYTES = 128     # RECORD_SLOT_BYTES of nic/offload/records.py
    LONGEST_COMMAND_BYTES = 256    # COMMAND_SLOT_BYTES


cdef class OffloadDevice:
    cdef readonly str name

    # The register at a byte address that is a multiple of 8, and inside the map.
    cdef uint64_t load(self, uint32_t address) noexcept nogil
    cdef void store(self, uint32_t address, uint64_t value) noexcept nogil
    # The next record into ``place`` (room for LONGEST_RECORD_BYTES): its bytes, 0 for none.
    cdef uint32_t take(self, uint8_t *place) noexcept nogil
    # Hand a command over; False where there is no room now.
    cdef bint give(self, const uint8_t *command, uint32_t length) noexcept nogil
    cdef void shut(self) noexcept
