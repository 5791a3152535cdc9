# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The two ends of a stream of events, whatever carries it."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    TAKE_OVERRUN = -1   # events were lost: last_lost says how many; the next take goes on behind
    TAKE_ENDED = -2     # everything was taken, and nothing more will come

cdef class EventPublisher:
    cdef readonly uint32_t slot_bytes
    cdef readonly uint64_t published     # number of the last event, 0 before the first

    cdef bint publish(self, const uint8_t *event) noexcept nogil
    cdef void flush(self) noexcept nogil
    cdef void heartbeat(self, uint64_t t_ns) noexcept nogil

cdef class EventReader:
    cdef readonly uint32_t slot_bytes
    cdef readonly uint64_t next_sequence   # number of the event that is taken next
    cdef readonly uint64_t taken
    cdef readonly uint64_t lost
    cdef readonly uint64_t overruns        # times that events were lost
    cdef readonly uint64_t last_lost       # events of the last overrun

    cdef int take(self, uint8_t *out, uint32_t maximum) noexcept nogil
    cdef uint64_t heard_ns(self) noexcept nogil
    cdef void skip_to(self, uint64_t sequence_number) noexcept nogil
