# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The kernel's side of an AF_PACKET port: socket, rings, filter, binding."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from nic.packet_ring cimport SlotRing

cdef class PacketSocket:
    cdef str name                 # for errors
    cdef object handle            # the Python socket that owns the descriptor; None when closed
    cdef int descriptor           # -1 once closed
    cdef bint by_block            # TPACKET_V3; otherwise V2
    cdef uint8_t *area            # the mapping of both rings
    cdef size_t area_bytes
    cdef uint8_t *own_slots       # of frames to send, where there is no ring for them
    cdef size_t receive_bytes     # of the receive ring, which comes first
    cdef SlotRing rx              # of frames, or of blocks
    cdef SlotRing tx
    cdef uint32_t data_at         # where a frame to send begins in its slot

    cdef int set_option(self, int level, int option, const void *value, uint32_t size,
                        str what) except -1
    cdef int make_ring(self, int option, SlotRing *ring, uint32_t count, uint32_t slot_bytes,
                       uint32_t timeout_ms) except -1
    cdef void unmap(self) noexcept
