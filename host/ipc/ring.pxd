# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Single-producer single-consumer ring of records over shared memory."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from host.ipc.ring_codec cimport RING_RECORD_LENGTH

cdef enum:
    RING_ALIGNMENT = 8      # of record heads; the wrap mark needs four of these bytes


cdef inline uint64_t record_bytes(uint64_t length) noexcept nogil:
    """Bytes that a record with a body of ``length`` takes in the ring."""
    return (RING_RECORD_LENGTH + length + RING_ALIGNMENT - 1) & ~(<uint64_t> RING_ALIGNMENT - 1)


cdef class Ring:
    cdef readonly str path               # None for anonymous memory
    cdef readonly uint64_t capacity_bytes
    cdef readonly uint32_t maximum_bytes  # of one record body
    cdef uint8_t *base                   # the control page; NULL when closed
    cdef uint8_t *data
    cdef size_t mapped_bytes
    cdef uint64_t *tail                  # words of the control page
    cdef uint64_t *head
    cdef uint64_t *last_sequence
    cdef uint64_t *full
    cdef uint64_t *too_long
    cdef uint64_t head_seen              # the producer's last look at the head
    cdef uint64_t tail_seen              # the consumer's last look at the tail

    cdef bint push(self, uint16_t kind, uint64_t t_ns, const void *data,
                   uint32_t length) noexcept nogil
    cdef bint has_room(self, uint64_t length) noexcept nogil
    cdef const uint8_t *front(self) noexcept nogil
    cdef void pop(self) noexcept nogil
    cdef uint64_t readable(self, const uint8_t **begin) noexcept nogil
    cdef void consume(self, uint64_t length) noexcept nogil
    cdef int _map(self, int descriptor, uint64_t capacity) except -1
