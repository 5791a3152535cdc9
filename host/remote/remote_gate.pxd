# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The way of a strategy host's orders: to the risk gate of the feed host, and what comes back."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.interfaces cimport OrderEntry, OrderEventSink
from host.ipc.ids cimport LINE_REFUSAL_COUNT, REMOTE_GATE_COUNT
from host.ipc.order_line_codec cimport OrderLineReport, OrderLineRequest
from host.ipc.slot_ring cimport SlotReceiver, SlotSender
from host.metrics.histogram cimport Histogram
from host.model cimport OrderRequest, Top

cdef enum:
    LOCAL_ORDERS = 8192            # that may be open at once; at most the seat's
    WAITING_REQUESTS = 8192        # that may be unanswered at once

cdef struct LocalOrder:
    int64_t price
    uint32_t handle                # 0: the place was never used
    uint32_t symbol_index
    uint32_t quantity
    uint32_t leaves
    uint32_t replaces              # handle of the order it is to replace, until that is answered
    uint32_t user_ref_num          # of the wire, once the feed host said so
    uint16_t strategy_id
    uint8_t side
    uint8_t state                  # ORDER_*
    bint is_open

cdef struct Waiting:               # for its answer
    uint64_t sent_tsc
    uint32_t handle
    uint8_t action                 # LINE_ACTION_*

cdef class RemoteGate(OrderEntry):
    cdef readonly bint is_open             # the feed host said so, and no end was heard
    cdef readonly uint8_t end_reason       # LINE_REFUSAL_* that the feed host gave
    cdef readonly uint16_t strategy_number     # that the feed host gave
    cdef readonly uint32_t open_orders
    cdef readonly Histogram round_trip     # request sent to its answer, ticks
    cdef OrderEventSink events
    cdef const Top *tops
    cdef int64_t *positions                # by symbol index, as the feed host said
    cdef uint32_t symbol_capacity
    cdef SlotSender sender
    cdef SlotReceiver receiver
    cdef LocalOrder *orders                # by handle modulo LOCAL_ORDERS
    cdef Waiting *waiting                  # by request number modulo WAITING_REQUESTS
    cdef uint32_t open_states
    cdef uint32_t next_handle
    cdef uint64_t next_request
    cdef uint64_t next_answer
    cdef uint64_t spoken_ns                # when something was last sent
    cdef uint64_t counts[REMOTE_GATE_COUNT]
    cdef uint64_t refusals[LINE_REFUSAL_COUNT]
    cdef uint64_t gate_reasons[256]

    cdef void bind_tops(self, const Top *tops, uint32_t symbol_capacity)
    cdef uint32_t take_handle(self) noexcept nogil
    cdef LocalOrder *find(self, uint32_t handle) noexcept nogil
    cdef bint send(self, OrderLineRequest *request, uint64_t t_ns) noexcept nogil
    cdef uint32_t poll(self, uint32_t maximum, uint64_t t_ns) noexcept nogil
    cdef void on_answer(self, const OrderLineReport *report, uint64_t t_ns) noexcept nogil
    cdef void on_event(self, const OrderLineReport *report, uint64_t t_ns) noexcept nogil
    cdef void turned_down(self, uint8_t action, uint32_t handle, uint16_t reason,
                          uint64_t t_ns) noexcept nogil
    cdef void emit(self, const LocalOrder *order, uint8_t kind, uint16_t reason, uint32_t quantity,
                   int64_t price, uint64_t t_ns) noexcept nogil
    cdef void close_order(self, LocalOrder *order, uint8_t state) noexcept nogil
    cdef void on_timer(self, uint64_t t_ns) noexcept nogil
    cdef uint32_t cancel_open(self, uint64_t t_ns) noexcept nogil
