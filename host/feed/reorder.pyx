# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A bounded, preallocated stash of out-of-order datagrams, sorted by sequence number."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memmove


cdef class Stash:
    """Holds up to ``capacity`` datagrams of at most ``place_bytes`` bytes of blocks each.

    Datagrams mostly come in order even behind a gap, so a new one goes to the end in one step.
    """

    def __cinit__(self, uint32_t capacity, uint32_t place_bytes):
        cdef uint32_t i
        if capacity == 0 or place_bytes == 0:
            raise ValueError("a stash holds at least one datagram of one byte")
        self.capacity = capacity
        self.place_bytes = place_bytes
        self.places = <Waiting *> calloc(capacity, sizeof(Waiting))
        self.bytes_ = <uint8_t *> malloc(<size_t> capacity * place_bytes)
        self.order = <uint32_t *> calloc(2 * <size_t> capacity, sizeof(uint32_t))
        self.free_places = <uint32_t *> calloc(capacity, sizeof(uint32_t))
        if (self.places == NULL or self.bytes_ == NULL or self.order == NULL
                or self.free_places == NULL):
            raise MemoryError()
        for i in range(capacity):
            self.places[i].blocks = self.bytes_ + <size_t> i * place_bytes
            self.free_places[i] = capacity - 1 - i
        self.free_count = capacity

    def __dealloc__(self):
        free(self.places)
        free(self.bytes_)
        free(self.order)
        free(self.free_places)

    cdef bint full(self) noexcept nogil:
        """Whether no further datagram can wait."""
        return self.free_count == 0

    cdef Waiting *front(self) noexcept nogil:
        """The datagram with the lowest sequence number; NULL when none waits."""
        return &self.places[self.order[self.head]] if self.count else NULL

    cdef const Waiting *covering(self, uint64_t first, uint64_t next_) noexcept nogil:
        """The waiting datagram with the highest start that holds first to next - 1, or NULL."""
        cdef uint32_t at = self.head + self.count
        cdef const Waiting *place
        while at > self.head:
            at -= 1
            place = &self.places[self.order[at]]
            if place.first <= first:
                return place if place.next >= next_ else NULL
        return NULL

    cdef int insert(self, uint64_t first, uint32_t count, const uint8_t *blocks, uint32_t length,
                    int line, uint64_t t_ns) noexcept nogil:
        """Keep a copy of a datagram's blocks; answers STASH_*."""
        cdef uint32_t at, number
        cdef Waiting *place
        if self.covering(first, first + count) != NULL:
            return STASH_DUPLICATE
        if length > self.place_bytes:
            return STASH_TOO_LONG
        if self.free_count == 0:
            return STASH_FULL
        if self.head + self.count == 2 * self.capacity:
            memmove(self.order, self.order + self.head, self.count * sizeof(uint32_t))
            self.head = 0
        self.free_count -= 1
        number = self.free_places[self.free_count]
        place = &self.places[number]
        place.first = first
        place.next = first + count
        place.count = count
        place.line = line
        place.t_ns = t_ns
        memcpy(place.blocks, blocks, length)
        at = self.head + self.count
        while at > self.head and self.places[self.order[at - 1]].first > first:
            self.order[at] = self.order[at - 1]
            at -= 1
        self.order[at] = number
        self.count += 1
        return STASH_TAKEN

    cdef void pop(self) noexcept nogil:
        """Forget the datagram with the lowest sequence number; one must wait."""
        self.free_places[self.free_count] = self.order[self.head]
        self.free_count += 1
        self.head += 1
        self.count -= 1
        if self.count == 0:
            self.head = 0
