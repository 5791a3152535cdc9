# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Sinks that keep what a feed handler gives, for tools, tests and teaching."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from host.feed.handler cimport FeedHandler
from host.interfaces cimport RESTART_PUBLISHER, MessageSink, RequestSink
from host.model cimport Trace


cdef class Collector(MessageSink):
    """Keeps messages and events as Python objects; not for the hot path.

    ``messages`` is a list of ``(sequence_number, bytes)``. ``events`` holds all that happened, in
    order: ``("message", sequence_number, bytes)``, ``("lost", first, last)``, ``("restart",
    "publisher")`` or ``("restart", "session")``, ``("stale", bool)`` and ``("end_of_session",)``.
    ``prefetches`` counts the hints.
    """

    cdef public list messages
    cdef public list events
    cdef public list origins
    cdef readonly uint64_t prefetches
    cdef Trace trace
    cdef bint following

    def __init__(self):
        self.messages = []
        self.events = []
        self.origins = []

    def follow(self, FeedHandler handler not None):
        """From now on keep in ``origins`` where each message came from, by the handler's trace.

        An origin is ``(line, sequence_number, message_index)``. Raises ``ValueError`` when this is
        not the handler's sink: the trace must live as long as the handler.
        """
        if handler.sink is not self:
            raise ValueError("a collector follows the feed handler that it is the sink of")
        handler.trace = &self.trace
        self.following = True

    cdef void prefetch(self, const uint8_t *message, uint32_t length) noexcept nogil:
        self.prefetches += 1

    cdef void on_message(self, const uint8_t *message, uint32_t length,
                         uint64_t sequence_number) noexcept nogil:
        with gil:
            data = message[:length]
            self.messages.append((sequence_number, data))
            self.events.append(("message", sequence_number, data))
            if self.following:
                self.origins.append((self.trace.line, self.trace.sequence_number,
                                     self.trace.message_index))

    cdef void on_lost(self, uint64_t first, uint64_t last) noexcept nogil:
        with gil:
            self.events.append(("lost", first, last))

    cdef void on_restart(self, int reason) noexcept nogil:
        with gil:
            self.events.append(
                ("restart", "publisher" if reason == RESTART_PUBLISHER else "session"))

    cdef void on_stale(self, bint is_stale) noexcept nogil:
        with gil:
            self.events.append(("stale", bool(is_stale)))

    cdef void on_end_of_session(self) noexcept nogil:
        with gil:
            self.events.append(("end_of_session",))

    def clear(self):
        """Forget what was kept."""
        self.messages.clear()
        self.events.clear()
        self.origins.clear()
        self.prefetches = 0


cdef class RequestCollector(RequestSink):
    """Keeps re-request datagrams in ``requests``; refuses them while ``accepting`` is False."""

    cdef public list requests
    cdef public bint accepting

    def __init__(self):
        self.requests = []
        self.accepting = True

    cdef int send_request(self, const uint8_t *data, uint32_t length) noexcept nogil:
        if not self.accepting:
            return -1
        with gil:
            self.requests.append(data[:length])
        return 0

    def take(self):
        """The requests since the last call."""
        taken, self.requests = self.requests, []
        return taken
