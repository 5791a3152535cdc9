# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The feed host's side of one strategy host: its requests, its orders, its reports."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from host.ipc.ids cimport DESK_COUNT, LINE_REFUSAL_COUNT
from host.ipc.order_line_codec cimport OrderLineReport, OrderLineRequest
from host.ipc.slot_ring cimport SlotReceiver, SlotSender
from host.metrics.histogram cimport Histogram
from host.model cimport OrderEvent, Top
from host.oms.order_table cimport Order, OrderTable
from host.risk.gate cimport RiskGate
from host.strategy.strategy cimport Orders

cdef enum:
    SEAT_ORDERS = 8192             # orders of a strategy host that may be open at once

cdef struct Handed:                # whose order a number is
    uint32_t user_ref_num
    uint32_t handle
    uint32_t sitting               # of the seat, so that a successor gets nothing of it

cdef class Numbers:
    cdef Handed *entries           # by user_ref_num modulo the size
    cdef uint32_t mask

cdef class Seat:
    cdef readonly uint16_t strategy_id
    cdef readonly object line              # None: nobody is there
    cdef readonly str name
    cdef readonly str ended_by             # why the last line ended, for people
    cdef readonly uint8_t end_reason       # LINE_REFUSAL_*, 0 while the line is open
    cdef readonly bint is_leaving          # the line is gone, its orders are not yet
    cdef list news                         # comings and goings that nobody has asked for yet
    cdef readonly Histogram latency        # request sent to request taken, ticks; of local lines
    cdef Orders orders
    cdef RiskGate gate
    cdef OrderTable table
    cdef Numbers numbers
    cdef const Top *tops
    cdef uint32_t symbol_capacity
    cdef SlotSender sender
    cdef SlotReceiver receiver
    cdef bint is_local
    cdef uint32_t reserve                  # reports that only events may fill
    cdef uint32_t sitting
    cdef uint64_t next_request
    cdef uint64_t heard_ns
    cdef uint32_t *by_handle               # user_ref_num of handle modulo SEAT_ORDERS
    cdef uint32_t *handles
    cdef uint64_t counts[DESK_COUNT]
    cdef uint64_t refusals[LINE_REFUSAL_COUNT]

    cdef uint32_t poll(self, uint32_t maximum, uint64_t t_ns) noexcept nogil
    cdef void handle_request(self, const OrderLineRequest *request, uint64_t t_ns) noexcept nogil
    cdef int number_of(self, const OrderLineRequest *request) noexcept nogil
    cdef int enter(self, const OrderLineRequest *request, uint64_t t_ns) noexcept nogil
    cdef int change(self, const OrderLineRequest *request, uint64_t t_ns) noexcept nogil
    cdef int pass_on(self, const OrderLineRequest *request, uint32_t symbol_index,
                     uint32_t user_ref_num, uint64_t t_ns) noexcept nogil
    cdef Order *open_order(self, uint32_t handle) noexcept nogil
    cdef void answer(self, const OrderLineRequest *request, int refusal) noexcept nogil
    cdef void on_event(self, const OrderEvent *event) noexcept nogil
    cdef bint send(self, OrderLineReport *report) noexcept nogil
    cdef void end(self, int reason) noexcept nogil
    cdef void listen(self, uint64_t t_ns, uint64_t silence_ns) noexcept nogil
    cdef uint32_t open_count(self) noexcept nogil
    cdef uint32_t cancel_open(self, uint64_t t_ns) noexcept nogil
