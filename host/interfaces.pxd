# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The narrow interfaces between the stages: each stage knows only the next one by these."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from host.model cimport Intent, OrderEvent, OrderRequest, PassedOrder, Report

cdef enum:                    # how an order-entry session stands
    SESSION_DOWN = 0          # no connection, or not logged in: nothing may be sent
    SESSION_UP = 1            # logged in and every replayed message taken
    SESSION_REPLAYING = 2     # logged in, the missed sequenced messages are coming
    SESSION_ENDED = 3         # the exchange ended the session; it can't be joined again

cdef enum:                    # why books are reset
    RESTART_PUBLISHER = 1     # same session, sequence back to 1
    RESTART_SESSION = 2       # another session

cdef class MessageSink:
    cdef void prefetch(self, const uint8_t *message, uint32_t length) noexcept nogil
    cdef void on_message(self, const uint8_t *message, uint32_t length,
                         uint64_t sequence_number) noexcept nogil
    cdef void on_lost(self, uint64_t first, uint64_t last) noexcept nogil
    cdef void on_restart(self, int reason) noexcept nogil
    cdef void on_stale(self, bint is_stale) noexcept nogil
    cdef void on_end_of_session(self) noexcept nogil

cdef class RequestSink:
    cdef int send_request(self, const uint8_t *data, uint32_t length) noexcept nogil

cdef class IntentSink:
    cdef uint32_t intend(self, const Intent *intent, uint64_t t_ns) noexcept nogil
    cdef void stop_strategy(self, uint16_t strategy_id) noexcept nogil

cdef class OrderEntry:
    cdef uint32_t submit(self, const OrderRequest *request, uint64_t t_ns) noexcept nogil

cdef class OrderPath:
    cdef bint is_ready(self, const OrderRequest *request, uint32_t user_ref_num) noexcept nogil
    cdef uint32_t accept(self, const PassedOrder *passed, uint64_t t_ns) noexcept nogil

cdef class OrderChannel:
    cdef bint ready(self) noexcept nogil
    cdef int send(self, const PassedOrder *passed, uint32_t user_ref_num, uint64_t symbol,
                  uint64_t t_ns) noexcept nogil

cdef class ReportSink:
    cdef void on_report(self, const Report *report, uint64_t t_ns) noexcept nogil
    cdef void on_session(self, uint16_t venue, int state, uint64_t t_ns) noexcept nogil

cdef class OrderEventSink:
    cdef void on_order_event(self, const OrderEvent *event, uint64_t t_ns) noexcept nogil

cdef class Recorder:
    cdef bint record(self, uint16_t kind, uint64_t t_ns, const void *data,
                     uint32_t length) noexcept nogil
    cdef bint has_room(self, uint32_t length) noexcept nogil
