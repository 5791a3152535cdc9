# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""What the exchange and the session say, applied to the orders."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.interfaces cimport ReportSink
from host.model cimport Report
from host.oms.order_table cimport CANCEL_NONE, CANCEL_SOME, Order, OrderTable
from host.risk.gate cimport RiskGate
from nic.offload.ids cimport GATE_VENUES


@cython.final
cdef class OrderReports(ReportSink):
    cdef OrderTable table
    cdef RiskGate gate
    cdef uint32_t exchange_next[GATE_VENUES]   # number an account query was answered with, or 0

    cdef uint32_t resolve(self, uint16_t venue, uint32_t next_user_ref_num,
                          uint64_t t_ns) noexcept nogil
    cdef void on_accepted(self, Order *order, const Report *report, uint64_t t_ns) noexcept nogil
    cdef void on_replaced(self, Order *order, const Report *report, uint64_t t_ns) noexcept nogil
    cdef void on_canceled(self, Order *order, const Report *report, uint64_t t_ns) noexcept nogil
    cdef void on_executed(self, Order *order, const Report *report, uint64_t t_ns) noexcept nogil
    cdef void on_rejected(self, Order *order, const Report *report, uint64_t t_ns) noexcept nogil
    cdef void on_broken(self, Order *order, const Report *report, uint64_t t_ns) noexcept nogil
    cdef void on_cancel_state(self, Order *order, const Report *report,
                              uint64_t t_ns) noexcept nogil
    cdef void on_changed(self, Order *order, const Report *report, uint64_t t_ns) noexcept nogil
    cdef void session_lost(self, uint16_t venue, uint64_t t_ns) noexcept nogil
    cdef void session_restored(self, uint16_t venue, uint64_t t_ns) noexcept nogil
