# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The kernel's side of an AF_XDP port: socket, umem, rings, binding."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from nic.xdp_ring cimport Ring

cdef class XdpSocket:
    cdef str name                 # for errors
    cdef object handle            # the Python socket that owns the descriptor; None when closed
    cdef int descriptor           # -1 once closed
    cdef uint8_t *umem
    cdef size_t umem_bytes
    cdef uint32_t chunk_bytes
    cdef uint32_t receive_frames
    cdef uint32_t transmit_frames
    cdef Ring fill
    cdef Ring completion
    cdef Ring rx
    cdef Ring tx

    cdef int set_option(self, int name, const void *value, uint32_t size, str what) except -1
    cdef int map_ring(self, Ring *ring, uint32_t entries, uint64_t page_offset,
                      uint64_t producer, uint64_t consumer, uint64_t entries_at, uint64_t flags,
                      size_t entry_bytes) except -1
    cdef int make_ring(self, int name, uint32_t entries) except -1
    cdef void unmap(self, Ring *ring) noexcept
