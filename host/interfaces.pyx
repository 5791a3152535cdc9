# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The narrow interfaces between the stages.

Each class does nothing by itself: a stage that has no next one may be given the plain class, which
drops what it gets (and, where it must answer, refuses).
"""


cdef class MessageSink:
    """Takes the feed's messages in order, exactly once, and what happened to the sequence."""

    cdef void prefetch(self, const uint8_t *message, uint32_t length) noexcept nogil:
        """A message that will be delivered soon; a chance to bring its cache lines in."""

    cdef void on_message(self, const uint8_t *message, uint32_t length,
                         uint64_t sequence_number) noexcept nogil:
        """The next message of the feed."""

    cdef void on_lost(self, uint64_t first, uint64_t last) noexcept nogil:
        """Messages first..last (inclusive) are lost for good; what they changed is unknown."""

    cdef void on_restart(self, int reason) noexcept nogil:
        """The sequence began anew (RESTART_*): every book is empty."""

    cdef void on_stale(self, bint is_stale) noexcept nogil:
        """Nothing was heard on any line for too long, or the feed is back."""

    cdef void on_end_of_session(self) noexcept nogil:
        """The publisher said that the session is over."""


cdef class RequestSink:
    """Sends a re-request datagram to the re-request server."""

    cdef int send_request(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """0 when the datagram was handed on, negative when it was refused."""
        return -1


cdef class IntentSink:
    """Takes what strategies want: execution."""

    cdef uint32_t intend(self, const Intent *intent, uint64_t t_ns) noexcept nogil:
        """A handle for the order (never 0), or 0 when nothing was sent."""
        return 0

    cdef void stop_strategy(self, uint16_t strategy_id) noexcept nogil:
        """A strategy failed: nothing that it wanted before is sent any more."""


cdef class OrderEntry:
    """Takes order requests from execution: the risk gate."""

    cdef uint32_t submit(self, const OrderRequest *request, uint64_t t_ns) noexcept nogil:
        """The order's user reference number, or 0 when it was refused."""
        return 0


cdef class OrderPath:
    """Takes what passed the gate: the order management."""

    cdef bint is_ready(self, const OrderRequest *request, uint32_t user_ref_num) noexcept nogil:
        """Whether :meth:`accept` would send this now, a new order or replace under this number."""
        return True

    cdef uint32_t accept(self, const PassedOrder *passed, uint64_t t_ns) noexcept nogil:
        """The order's user reference number, or 0 when it could not be taken."""
        return 0


cdef class OrderChannel:
    """Takes orders to one venue: the order-entry gateway."""

    cdef bint ready(self) noexcept nogil:
        """Whether an order can be sent now: session up, journal and socket have room."""
        return False

    cdef int send(self, const PassedOrder *passed, uint32_t user_ref_num, uint64_t symbol,
                  uint64_t t_ns) noexcept nogil:
        """Encode, record, transmit. 0 when sent, negative when nothing left."""
        return -1


cdef class ReportSink:
    """Takes what the exchange said: the order management."""

    cdef void on_report(self, const Report *report, uint64_t t_ns) noexcept nogil:
        """One decoded outbound message of the exchange."""

    cdef void on_session(self, uint16_t venue, int state, uint64_t t_ns) noexcept nogil:
        """The order-entry session of a venue changed its state (SESSION_*)."""


cdef class OrderEventSink:
    """Takes what happened to orders: the engine, for the strategies."""

    cdef void on_order_event(self, const OrderEvent *event, uint64_t t_ns) noexcept nogil:
        """One change in an order's life."""


cdef class Recorder:
    """Takes records for the journal."""

    cdef bint record(self, uint16_t kind, uint64_t t_ns, const void *data,
                     uint32_t length) noexcept nogil:
        """Whether the record was written; False when there was no room."""
        return True

    cdef bint has_room(self, uint32_t length) noexcept nogil:
        """Whether records of ``length`` bytes in all can be written now."""
        return True
