# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""OUCH 5.0 order entry over a SoupBinTCP session."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from host.gateway.reports cimport OuchReports
from host.gateway.soupbintcp cimport SoupBinTCPClient
from host.interfaces cimport OrderChannel, Recorder
from host.model cimport OrderRequest, PassedOrder, Trace
from host.risk.seal cimport SealChecker

cdef enum:
    TEMPLATE_BYTES = 256       # record body and packet of one message, the longest with room


cdef class OuchChannel(OrderChannel):
    cdef readonly SoupBinTCPClient client
    cdef readonly OuchReports reports
    cdef Trace *trace              # STAGE_SENT is stamped when not NULL
    cdef SealChecker seal
    cdef Recorder recorder
    cdef uint64_t *counts          # of the client: one table for session and channel
    cdef readonly uint16_t venue
    cdef uint32_t journal_reserve_bytes
    cdef uint32_t firm_bytes       # of the option tag in the enter order template
    cdef uint8_t enter_template[TEMPLATE_BYTES]
    cdef uint8_t replace_template[TEMPLATE_BYTES]
    cdef uint8_t cancel_template[TEMPLATE_BYTES]

    cdef bint ready(self) noexcept nogil
    cdef int send(self, const PassedOrder *passed, uint32_t user_ref_num, uint64_t symbol,
                  uint64_t t_ns) noexcept nogil
    cdef void poll(self, uint64_t t_ns) noexcept nogil
    cdef void on_timer(self, uint64_t t_ns) noexcept nogil
    cdef bint needs_driver(self, uint64_t t_ns) noexcept nogil
    cdef void logout(self, uint64_t t_ns) noexcept nogil
    cdef uint32_t encode_enter(self, const OrderRequest *request, uint32_t user_ref_num,
                               uint64_t symbol) noexcept nogil
    cdef uint32_t encode_replace(self, const OrderRequest *request,
                                 uint32_t user_ref_num) noexcept nogil
    cdef uint32_t encode_cancel(self, const OrderRequest *request) noexcept nogil
    cdef int refuse(self, int reason, int counter) noexcept nogil
