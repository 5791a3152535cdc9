# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""What the exchange says: sequenced OUCH 5.0 messages, recorded and decoded to reports."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from host.gateway.ids cimport MESSAGE_COUNT
from host.gateway.soupbintcp cimport PacketSink, SoupBinTCPClient
from host.interfaces cimport Recorder, ReportSink
from host.model cimport Report

cdef bint decode_report(const uint8_t *message, Report *report) noexcept nogil


cdef class OuchReports(PacketSink):
    cdef readonly int session_state        # SESSION_*
    cdef SoupBinTCPClient client
    cdef Recorder recorder
    cdef ReportSink sink
    cdef uint64_t *counts          # of the client: one table for session and channel
    cdef readonly uint16_t venue
    cdef readonly uint32_t next_user_ref_num   # of the last account query response, 0 before it
    cdef uint64_t query_timeout_ns
    cdef uint64_t query_sent_ns
    cdef uint32_t answers_awaited          # account query responses until the replay is over
    cdef uint32_t queries_unanswered       # upper bound, over all connections of the session
    cdef uint8_t *record_buffer            # body of an inbound record
    cdef uint64_t message_counts[MESSAGE_COUNT]

    cdef void on_timer(self, uint64_t t_ns) noexcept nogil
    cdef void change(self, int state, int reason, uint64_t t_ns) noexcept nogil
    cdef void record_inbound(self, const uint8_t *message, uint32_t length,
                             uint64_t sequence_number, uint64_t t_ns) noexcept nogil
    cdef bint send_query(self, uint64_t t_ns) noexcept nogil
    cdef void take_answer(self, uint64_t t_ns) noexcept nogil
