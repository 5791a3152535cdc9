# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""A raw-packet queue pair as a port."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from nic.port cimport Packet, Port
from nic.verbs.device cimport Region, VerbsDevice
from nic.verbs.libibverbs cimport ibv_cq_ex, ibv_recv_wr, ibv_sge
from nic.verbs.queue_pair cimport QueuePair

cdef class VerbsPort(Port):
    cdef readonly str interface
    cdef readonly VerbsDevice device
    cdef readonly uint64_t receive_failures   # receive completions with an error
    cdef bint owns_device
    cdef QueuePair pair
    cdef Region region
    cdef list memberships         # sockets that hold the multicast groups
    cdef list flows               # addresses of the steering rules
    cdef list notes
    cdef dict facts               # what mode() says
    cdef bint is_open
    cdef uint32_t chunk_bytes
    cdef uint32_t receive_frames  # chunks 0 .. receive_frames-1 of the region
    cdef uint32_t longest_bytes   # that may be transmitted
    cdef ibv_recv_wr *receives    # one request per receive chunk
    cdef ibv_sge *pieces
    cdef uint32_t *held           # chunks that were handed out, or could not be posted
    cdef uint32_t held_count
    cdef uint32_t post_at         # so many are given back with one call
    cdef uint8_t *posted          # per chunk: 1 while the device has it

    cdef int take(self, Packet *packets, int maximum) noexcept nogil
    cdef int take_stamped(self, Packet *packets, int maximum) noexcept nogil
    cdef bint accept(self, uint64_t chunk, int status, uint32_t length, uint64_t ns,
                     Packet *packet) noexcept nogil
    cdef int steer(self, uint32_t group, uint32_t port, bytes hardware) except -1
