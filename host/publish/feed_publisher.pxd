# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Turns what the engine saw into events of the normalised feed."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from host.book.book cimport Book
from host.engine cimport FeedTap
from host.ipc.event_stream cimport EventPublisher
from host.ipc.feed_codec cimport FEED_EVENT_LENGTH, FeedEvent
from host.ipc.ids cimport EVENT_COUNT

cdef class FeedPublisher(FeedTap):
    cdef readonly EventPublisher events
    cdef bint has_orders             # ITCH, else DEEP
    cdef uint8_t flags               # EVENT_FLAG_* of every event now
    cdef uint8_t market_phase        # that was published last
    cdef uint64_t feed_sequence      # of the last message
    cdef uint64_t refresh_ns
    cdef uint64_t refreshed_ns       # when the refresh was last served
    cdef uint64_t owed               # symbols times nanoseconds that it has not served
    cdef uint32_t next_symbol        # that it serves next
    cdef uint64_t counts[EVENT_COUNT]
    cdef uint64_t refused
    cdef uint8_t wire[FEED_EVENT_LENGTH]

    cdef void clear(self, FeedEvent *event, uint8_t kind, uint64_t t_ns) noexcept nogil
    cdef void put_symbol(self, FeedEvent *event, Book book, uint32_t index) noexcept nogil
    cdef void send(self, FeedEvent *event) noexcept nogil
    cdef void refresh(self, Book book, uint64_t t_ns) noexcept nogil
