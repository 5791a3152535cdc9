# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Route, neighbour and interface of one connection, followed by rtnetlink."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef class RouteFollower:
    cdef readonly int interface_index
    cdef int listener              # netlink socket that hears of changes; -1 once closed
    cdef int asker                 # netlink socket for questions
    cdef uint32_t destination      # host byte order, like every address here
    cdef uint32_t source
    cdef uint16_t destination_port
    cdef uint16_t source_port
    cdef uint32_t next_hop         # the gateway, or the destination itself
    cdef bint has_route            # by the interface, which is up
    cdef bint has_neighbour
    cdef bint is_up
    cdef uint8_t neighbour[6]      # hardware address of the next hop
    cdef uint8_t hardware[6]       # of the interface
    cdef uint64_t changes
    cdef uint32_t question         # sequence number of the last one

    cdef void watch(self, uint32_t source, uint16_t source_port, uint32_t destination,
                    uint16_t destination_port) noexcept nogil
    cdef bint follow(self) noexcept nogil
    cdef void ask_everything(self) noexcept nogil
    cdef void ask_link(self) noexcept nogil
    cdef void ask_route(self) noexcept nogil
    cdef void ask_neighbour(self) noexcept nogil
    cdef int ask(self, void *request) noexcept nogil
    cdef void take_link(self, const void *message) noexcept nogil
    cdef void take_route(self, const void *message) noexcept nogil
    cdef void take_neighbour(self, const void *message) noexcept nogil
    cdef bint take_answer(self, const uint8_t *data, size_t length, int wanted) noexcept nogil
    cdef bint take_news(self, const uint8_t *data, size_t length) noexcept nogil
