# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The waiting room of datagrams that came before the messages in front of them."""

cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    STASH_TAKEN = 0
    STASH_DUPLICATE = 1    # a datagram that waits already holds all of it
    STASH_FULL = 2
    STASH_TOO_LONG = 3

cdef struct Waiting:
    uint64_t first             # sequence number of the first message
    uint64_t next              # sequence number after the last message
    uint64_t t_ns              # when it came
    uint8_t *blocks            # its message blocks, checked
    uint32_t count
    int line


@cython.final
cdef class Stash:
    cdef Waiting *places
    cdef uint8_t *bytes_
    cdef uint32_t *order       # waiting places by sequence number, from head
    cdef uint32_t *free_places
    cdef uint32_t capacity, place_bytes
    cdef uint32_t head, count, free_count

    cdef int insert(self, uint64_t first, uint32_t count, const uint8_t *blocks, uint32_t length,
                    int line, uint64_t t_ns) noexcept nogil
    cdef Waiting *front(self) noexcept nogil
    cdef const Waiting *covering(self, uint64_t first, uint64_t next_) noexcept nogil
    cdef void pop(self) noexcept nogil
    cdef bint full(self) noexcept nogil
