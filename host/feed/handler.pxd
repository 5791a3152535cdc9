# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The feed handler: from datagrams on several lines to messages in order, exactly once."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.feed.arrivals cimport ArrivalRing
from host.feed.datagram cimport Datagram
from host.feed.gaps cimport GapTable
from host.feed.ids cimport FEED_COUNT
from host.feed.liveness cimport MULTICAST_LINES, Liveness
from host.feed.recovery cimport Recovery
from host.feed.reorder cimport Stash
from host.interfaces cimport MessageSink, RequestSink
from host.model cimport Trace

cdef enum:
    SESSIONS_LEFT = 8          # left sessions that are remembered, to tell their late datagrams


@cython.final
cdef class FeedHandler:
    cdef MessageSink sink
    cdef RequestSink requests
    cdef Trace *trace          # may be NULL; filled in before each on_message
    cdef readonly object settings
    cdef uint64_t counts[FEED_COUNT]

    cdef int transport
    cdef bint big_endian
    cdef uint16_t message_protocol_id
    cdef bint detect, pinned, started
    cdef uint64_t start_sequence       # 0: the first that is seen
    cdef uint64_t session_low, session_high
    cdef uint64_t left_low[SESSIONS_LEFT]
    cdef uint64_t left_high[SESSIONS_LEFT]
    cdef uint64_t sessions_left

    cdef uint64_t expected             # next sequence number to deliver
    cdef uint64_t highest              # sequence number after the newest message known of
    cdef uint64_t first_sequence       # where this session or run was begun
    cdef uint64_t end_sequence
    cdef bint end_known, ended
    cdef uint64_t maximum_gap, far_next
    cdef uint32_t far_count, far_packets
    cdef uint64_t line_next[MULTICAST_LINES]
    cdef int64_t line_offset[MULTICAST_LINES]
    cdef int64_t newest_send_ns, run_send_ns

    cdef uint32_t *ends                # of the blocks of the datagram that came
    cdef uint32_t *waiting_ends        # of the blocks of the one that waited
    cdef Stash stash
    cdef GapTable gap_table
    cdef Recovery recovery
    cdef ArrivalRing arrivals
    cdef Liveness live

    cdef int on_datagram(self, int line, const uint8_t *payload, uint32_t length,
                         uint64_t t_ns) noexcept nogil
    cdef void on_timer(self, uint64_t t_ns) noexcept nogil
    cdef void flush(self, uint64_t t_ns) noexcept nogil

    cdef bint _admit(self, const Datagram *d, int line, uint64_t t_ns) noexcept nogil
    cdef void _lock(self, const Datagram *d) noexcept nogil
    cdef void _begin(self, const Datagram *d, int line, uint64_t t_ns) noexcept nogil
    cdef bint _was_left(self, const Datagram *d) noexcept nogil
    cdef bint _near(self, const Datagram *d) noexcept nogil
    cdef bint _follow_run(self, const Datagram *d, int line, uint64_t t_ns) noexcept nogil
    cdef void _reset(self, int reason, uint64_t t_ns) noexcept nogil
    cdef void _follow_line(self, const Datagram *d, int line, uint64_t t_ns) noexcept nogil
    cdef void _follow_end(self, const Datagram *d) noexcept nogil
    cdef void _take(self, const Datagram *d, int line, uint64_t t_ns) noexcept nogil
    cdef void _wait(self, const Datagram *d, int line, uint64_t t_ns) noexcept nogil
    cdef void _reveal(self, uint64_t sequence_number, int line, uint64_t t_ns) noexcept nogil
    cdef void _deliver(self, const uint8_t *blocks, const uint32_t *ends, uint32_t count,
                       uint64_t first, int line, uint64_t t_ns) noexcept nogil
    cdef void _duplicates(self, uint64_t first, uint64_t end, int line,
                          uint64_t t_ns) noexcept nogil
    cdef void _drain(self, uint64_t t_ns) noexcept nogil
    cdef void _advance(self, uint64_t t_ns) noexcept nogil
    cdef void _check_end(self) noexcept nogil
    cdef void _give_up_front(self, uint64_t t_ns) noexcept nogil
