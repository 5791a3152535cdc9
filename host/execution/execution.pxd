# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Execution: intents in, order requests out."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.execution.ids cimport EXECUTION_COUNT
from host.interfaces cimport IntentSink, OrderEntry
from host.metrics.stages cimport StageClock
from host.model cimport Intent, OrderEvent, OrderRequest, Trace

cdef enum:
    SCHEDULE_HANDLE = 0x80000000   # set in the handle of a sliced intent
    SCHEDULES = 256                # sliced intents at work at once
    SLICES = 1024                  # slices of one

cdef struct Schedule:
    Intent intent
    uint32_t handle                # another one each time that the place is used
    uint32_t remaining_shares      # not yet sent
    uint32_t slices_left
    uint32_t child_count
    uint64_t next_ns
    uint64_t end_ns                # when the last slice is due
    uint64_t interval_ns
    bint is_active


@cython.final
cdef class Execution(IntentSink):
    cdef OrderEntry gate
    cdef Trace *trace
    cdef StageClock stages         # None: nothing is measured
    cdef uint16_t *venues          # order-entry session per symbol index
    cdef uint32_t symbol_capacity
    cdef Schedule schedules[SCHEDULES]
    cdef uint32_t *children        # orders sent, SLICES per schedule
    cdef uint32_t active_schedules
    cdef uint64_t counts[EXECUTION_COUNT]

    cdef uint32_t request(self, const Intent *intent, uint32_t quantity, uint32_t parent,
                          uint64_t t_ns) noexcept nogil
    cdef uint32_t start_schedule(self, const Intent *intent, uint64_t t_ns) noexcept nogil
    cdef void send_slice(self, uint32_t number, uint64_t t_ns) noexcept nogil
    cdef void end_schedule(self, uint32_t number) noexcept nogil
    cdef uint32_t change_schedule(self, const Intent *intent, uint64_t t_ns) noexcept nogil
    cdef void on_timer(self, uint64_t t_ns) noexcept nogil
    cdef void cancel_schedules(self) noexcept nogil
