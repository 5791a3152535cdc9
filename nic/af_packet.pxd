# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""An AF_PACKET socket with mapped rings as a port."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from nic.packet_ring cimport SlotRing
from nic.packet_socket cimport PacketSocket
from nic.port cimport Packet, Port

cdef class AfPacketPort(Port):
    cdef readonly str interface
    cdef readonly tuple destinations
    cdef PacketSocket socket      # rings and descriptor
    cdef list members             # sockets that hold groups and ports
    cdef list notes
    cdef dict facts               # what mode() says
    cdef int descriptor
    cdef bint by_block            # blocks of frames are handed over, otherwise single frames
    cdef bint by_call             # each frame is sent by a call; otherwise through a mapped ring
    cdef bint is_down             # the interface was down when we last heard of it
    cdef bint is_gone             # it was removed: the port is of no use any more
    cdef SlotRing rx
    cdef SlotRing tx              # held: frames that the kernel has not taken yet
    cdef uint8_t *next_frame      # inside the block at rx.position
    cdef uint32_t frames_left     # in that block; 0: it was not looked at
    cdef uint32_t data_at         # where a frame to send begins in its slot
    cdef uint32_t longest_bytes   # that may be transmitted without a tag

    cdef int receive_burst(self, Packet *packets, int maximum) noexcept nogil
    cdef int receive_frames(self, Packet *packets, int maximum, uint64_t tsc) noexcept nogil
    cdef int receive_blocks(self, Packet *packets, int maximum, uint64_t tsc) noexcept nogil
    cdef bint take(self, Packet *packet, uint8_t *frame, uint32_t length, uint32_t captured,
                   uint32_t status, uint16_t tag, uint16_t tag_type) noexcept nogil
    cdef void release(self) noexcept nogil
    cdef int transmit(self, const uint8_t *data, uint32_t length) noexcept nogil
    cdef int flush(self) noexcept nogil
    cdef int flush_calls(self) noexcept nogil
    cdef int flush_ring(self) noexcept nogil
    cdef bint go_on(self, int error, int *tries) noexcept nogil
    cdef void forget_oldest(self, bint is_sent) noexcept nogil
    cdef uint32_t *status_of(self, uint32_t index) noexcept nogil
    cdef uint32_t *length_of(self, uint32_t index) noexcept nogil
    cdef void skip_refused(self) noexcept nogil
    cdef void give_up(self, int reason) noexcept nogil
