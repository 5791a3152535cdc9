# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The table of open gaps and the report of the closed ones."""

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from host.feed.ids cimport GAP_CLOSED_COUNT, LINE_COUNT

cdef struct Gap:
    uint64_t first             # sequence number of the first message still missing
    uint64_t end               # sequence number after the last message still missing
    uint64_t opened_first      # as it was when it opened
    uint64_t opened_end
    uint64_t opened_ns
    uint64_t progress_ns       # when it opened, a part of it came last, or it became the first
    uint64_t requested_end     # end of the range that is asked for; 0 while none is
    uint64_t sent_ns           # when it was asked for
    uint64_t filled[LINE_COUNT]    # messages by the line that brought them
    uint32_t attempts          # requests since the re-request server last answered
    uint16_t line              # that revealed it
    uint8_t answered           # the re-request server brought a part since the last look
    uint8_t deferred           # it waits for the rate limit

cdef struct ClosedGap:
    Gap gap
    uint64_t closed_ns
    int how                    # GAP_CLOSED_*


@cython.final
cdef class GapTable:
    cdef Gap *gaps             # open ones by sequence number
    cdef uint32_t count, capacity
    cdef ClosedGap *history    # ring of the last closed ones
    cdef uint32_t history_capacity
    cdef uint64_t closed       # number closed; the place in the ring
    cdef uint64_t *counters    # of the feed handler

    cdef void open(self, uint64_t first, uint64_t end, int line, uint64_t t_ns) noexcept nogil
    cdef void fill(self, uint64_t first, uint64_t end, int line, uint64_t t_ns) noexcept nogil
    cdef void give_up(self, uint64_t end, uint64_t t_ns) noexcept nogil
    cdef void _close(self, uint32_t index, int how, uint64_t t_ns) noexcept nogil
    cdef bint _make_room(self, uint32_t index) noexcept nogil
