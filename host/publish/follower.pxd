# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Follows a normalised feed: every symbol's top, kept from the events."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from host.ipc.event_stream cimport EventReader
from host.ipc.feed_codec cimport FEED_EVENT_LENGTH, FeedEvent
from host.metrics.histogram cimport Histogram
from host.model cimport Top

cdef enum:
    FOLLOW_BURST = 64

cdef class FeedFollower:
    cdef readonly EventReader events
    cdef Top *tops                       # by the publisher's symbol index
    cdef readonly uint32_t symbol_capacity
    cdef readonly uint32_t symbol_count        # highest used index + 1
    cdef readonly uint8_t market_phase
    cdef readonly bint is_stale          # the publisher hears nothing from the feed
    cdef readonly bint is_ended          # the feed's session ended
    cdef readonly uint64_t feed_sequence_number
    cdef readonly Histogram latency      # packet taken to event followed, ticks
    cdef uint64_t counts[256]            # events by kind
    cdef uint64_t lost_messages          # of the feed, as the publisher says
    cdef uint64_t out_of_range           # events of an index there is no room for
    cdef uint8_t burst[FOLLOW_BURST * FEED_EVENT_LENGTH]

    cdef int follow(self, uint32_t maximum) noexcept nogil
    cdef void apply(self, const FeedEvent *event) noexcept nogil
    cdef void on_event(self, const FeedEvent *event) noexcept nogil
    cdef void mark(self, uint8_t book_state) noexcept nogil
    cdef void forget(self, bint names) noexcept nogil
    cdef bint take_top(self, const FeedEvent *event) noexcept nogil
