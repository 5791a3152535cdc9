# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""A UDP socket as a port."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from nic.port cimport Packet, Port

cdef extern from "<netinet/in.h>":
    struct in_addr:
        uint32_t s_addr
    struct sockaddr_in:
        unsigned short sin_family
        uint16_t sin_port
        in_addr sin_addr

cdef extern from "<sys/uio.h>":
    struct iovec:
        void *iov_base
        size_t iov_len

cdef extern from "<sys/socket.h>":
    struct msghdr:
        void *msg_name
        unsigned int msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags
    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len

cdef class UdpPort(Port):
    cdef object handle            # the Python socket that owns the descriptor; None when closed
    cdef int descriptor           # -1 once closed
    cdef int burst                # messages of one receive call
    cdef bint connected           # the kernel knows the destination: no address per send
    cdef bint has_destination
    cdef sockaddr_in destination
    cdef uint32_t packet_bytes    # room for one datagram
    cdef uint8_t *buffers
    cdef uint8_t *controls
    cdef sockaddr_in *senders
    cdef iovec *vectors
    cdef mmsghdr *messages
    cdef dict facts               # what mode() says

    cdef int receive_burst(self, Packet *packets, int maximum) noexcept nogil
    cdef int transmit(self, const uint8_t *data, uint32_t length) noexcept nogil
    cdef int transmit_to(self, const uint8_t *data, uint32_t length, uint32_t address,
                         uint16_t port) noexcept nogil
    cdef int sent(self, ssize_t result, uint32_t length) noexcept nogil
    cdef uint64_t read_control(self, msghdr *header) noexcept nogil
