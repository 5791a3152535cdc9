# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Order management: takes what passed the gate, numbers it, keeps it and sends it."""

cimport cython
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.interfaces cimport OrderPath
from host.model cimport PassedOrder
from host.oms.order_reports cimport OrderReports
from host.oms.order_table cimport OrderTable
from host.risk.exposure cimport Exposures
from host.risk.gate cimport RiskGate
from nic.offload.ids cimport GATE_VENUES


@cython.final
cdef class OrderManager(OrderPath):
    cdef RiskGate gate
    cdef Exposures exposures
    cdef OrderTable table
    cdef readonly OrderReports reports
    cdef list channels             # keeps alive what channel_table points to
    cdef PyObject *channel_table[GATE_VENUES]

    cdef uint32_t cancel_open(self, uint64_t t_ns) noexcept nogil
    cdef uint32_t free_number(self) noexcept nogil
    cdef uint32_t send_order(self, const PassedOrder *passed, uint64_t t_ns) noexcept nogil
    cdef void prefetch_places(self, uint32_t user_ref_num) noexcept nogil
    cdef uint32_t send_cancel(self, const PassedOrder *passed, uint64_t t_ns) noexcept nogil
    cdef int send(self, const PassedOrder *passed, uint32_t user_ref_num,
                  uint64_t t_ns) noexcept nogil
