# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""An AF_XDP socket as a port."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from nic.port cimport Packet, Port
from nic.xdp_ring cimport Ring
from nic.xdp_socket cimport XdpSocket

cdef class AfXdpPort(Port):
    cdef readonly str interface
    cdef readonly uint32_t queue
    cdef object program           # the XDP program; None on a port that only transmits
    cdef bint owns_program
    cdef XdpSocket socket         # memory and descriptor
    cdef list memberships         # sockets that hold the multicast groups
    cdef list notes
    cdef dict facts               # what mode() says
    cdef int descriptor
    cdef bint zero_copy
    cdef bint busy_poll
    cdef uint8_t *umem             # of the socket object, like what the rings point to
    cdef uint32_t chunk_bytes
    cdef uint32_t receive_frames   # frames 0 .. receive_frames-1 of the umem
    cdef uint32_t transmit_frames  # the frames behind them
    cdef uint32_t longest_bytes    # that may be transmitted
    cdef Ring fill
    cdef Ring completion
    cdef Ring rx
    cdef Ring tx
    cdef uint32_t released        # receive ring entries below it were given back
    cdef uint64_t *free_frames    # a stack of transmit frames
    cdef uint32_t free_count
    cdef bint has_stamps          # the program writes the time in front of each frame
    cdef uint32_t chunk_bits      # log2 of chunk_bytes
    cdef uint64_t *last_stamps    # of each receive chunk: what was found in front of its last frame
    cdef int64_t epoch_offset_ns  # from the kernel's monotonic clock to the epoch

    cdef int receive_burst(self, Packet *packets, int maximum) noexcept nogil
    cdef void release(self) noexcept nogil
    cdef int transmit(self, const uint8_t *data, uint32_t length) noexcept nogil
    cdef int flush(self) noexcept nogil

    @cython.final  # called directly: they are on the way of every frame
    cdef void reclaim(self) noexcept nogil

    @cython.final
    cdef int kick(self) noexcept nogil

    @cython.final
    cdef uint64_t stamp_of(self, uint64_t address) noexcept nogil

    cdef list _addresses(self, Ring *ring, uint32_t first, uint32_t end, bint descriptors)
