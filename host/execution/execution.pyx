# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Execution: turns intents into orders, direct or in slices, and chooses the venue.

A direct intent is one order request. A sliced one (TWAP) is a schedule: equal parts at equal times, the
first at once, the last after the duration; what a refused slice could not send is spread over the
following ones. Slices are immediate-or-cancel or day orders as the intent says. The venue of a symbol
is set by configuration.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memset
from host.execution.enumerations import EXECUTION
from host.execution.ids cimport *
from host.model cimport (
    ACTION_CANCEL, ACTION_NEW, ALGORITHM_TWAP, STAGE_INTENT, TRACE_NO_PACKET)
from nic.clock cimport rdtsc


cdef class Execution(IntentSink):
    """Works intents; ``gate`` takes the order requests."""

    def __cinit__(self, OrderEntry gate not None, uint32_t symbol_capacity, stages=None):
        self.gate = gate
        self.symbol_capacity = symbol_capacity
        self.stages = stages
        self.venues = <uint16_t *> calloc(symbol_capacity, sizeof(uint16_t))
        if self.venues == NULL:
            raise MemoryError("execution: no memory for the venues of the symbols")

    def __dealloc__(self):
        free(self.venues)

    cdef uint32_t intend(self, const Intent *intent, uint64_t t_ns) noexcept nogil:
        self.counts[EXECUTION_INTENTS] += 1
        if intent.symbol_index >= self.symbol_capacity:
            self.counts[EXECUTION_BAD_INTENTS] += 1
            return 0
        if intent.handle & SCHEDULE_HANDLE:
            return self.change_schedule(intent, t_ns)
        if intent.algorithm == ALGORITHM_TWAP and intent.action == ACTION_NEW:
            return self.start_schedule(intent, t_ns)
        return self.direct(intent, intent.quantity, 0, t_ns)

    cdef uint32_t direct(self, const Intent *intent, uint32_t quantity, uint32_t parent,
                         uint64_t t_ns) noexcept nogil:
        """One order request to the gate."""
        cdef OrderRequest request
        cdef uint32_t user_ref_num
        memset(&request, 0, sizeof(request))
        request.action = intent.action
        request.side = intent.side
        request.time_in_force = intent.time_in_force
        request.post_only = intent.post_only
        request.strategy_id = intent.strategy_id
        request.venue = self.venues[intent.symbol_index]
        request.symbol_index = intent.symbol_index
        request.quantity = quantity
        request.user_ref_num = intent.handle
        request.parent = parent
        request.price = intent.price
        if self.trace != NULL:
            self.trace.stamps[STAGE_INTENT] = rdtsc()
        user_ref_num = self.gate.submit(&request, t_ns)
        if user_ref_num == 0:
            self.counts[EXECUTION_REFUSED] += 1
            return 0
        self.counts[EXECUTION_DIRECT] += 1
        if (self.stages is not None and self.trace != NULL
                and self.trace.line != TRACE_NO_PACKET):
            self.stages.record(self.trace)
        return user_ref_num

    cdef uint32_t start_schedule(self, const Intent *intent, uint64_t t_ns) noexcept nogil:
        cdef uint32_t number
        cdef Schedule *schedule
        if intent.slices == 0 or intent.quantity == 0:
            self.counts[EXECUTION_BAD_INTENTS] += 1
            return 0
        for number in range(SCHEDULES):
            schedule = &self.schedules[number]
            if not schedule.is_active:
                schedule.intent = intent[0]
                schedule.intent.handle = 0
                schedule.remaining_shares = intent.quantity
                schedule.slices_left = intent.slices
                schedule.interval_ns = intent.duration_ns
                if intent.slices > 1:
                    schedule.interval_ns = intent.duration_ns // (intent.slices - 1)
                schedule.next_ns = t_ns
                schedule.child = 0
                schedule.is_active = True
                self.active_schedules += 1
                self.counts[EXECUTION_SCHEDULES_STARTED] += 1
                self.send_slice(number, t_ns)
                return <uint32_t> SCHEDULE_HANDLE | number
        self.counts[EXECUTION_SCHEDULES_FULL] += 1
        return 0

    cdef void send_slice(self, uint32_t number, uint64_t t_ns) noexcept nogil:
        """Send the slice that is due: an equal part of what remains."""
        cdef Schedule *schedule = &self.schedules[number]
        cdef uint32_t quantity, sent
        quantity = ((schedule.remaining_shares + schedule.slices_left - 1)
                    // schedule.slices_left)
        sent = 0
        if quantity > 0:
            sent = self.direct(&schedule.intent, quantity, number + 1, t_ns)
            if sent != 0:
                schedule.child = sent
                schedule.remaining_shares -= quantity
                self.counts[EXECUTION_SLICES_SENT] += 1
            else:
                self.counts[EXECUTION_SLICES_REFUSED] += 1
        schedule.slices_left -= 1
        schedule.next_ns += schedule.interval_ns
        if schedule.slices_left == 0 or schedule.remaining_shares == 0:
            self.end_schedule(number)

    cdef void end_schedule(self, uint32_t number) noexcept nogil:
        self.schedules[number].is_active = False
        self.active_schedules -= 1
        self.counts[EXECUTION_SCHEDULES_DONE] += 1

    cdef uint32_t change_schedule(self, const Intent *intent, uint64_t t_ns) noexcept nogil:
        """Cancel a schedule: nothing more is sent, its newest child order is cancelled."""
        cdef uint32_t number = intent.handle & ~(<uint32_t> SCHEDULE_HANDLE)
        cdef Intent cancel
        if (intent.action != ACTION_CANCEL or number >= SCHEDULES
                or self.schedules[number].intent.strategy_id != intent.strategy_id):
            self.counts[EXECUTION_BAD_INTENTS] += 1
            return 0
        if self.schedules[number].is_active:
            self.end_schedule(number)
        if self.schedules[number].child != 0:
            cancel = intent[0]
            cancel.handle = self.schedules[number].child
            cancel.symbol_index = self.schedules[number].intent.symbol_index
            cancel.quantity = 0
            self.direct(&cancel, 0, number + 1, t_ns)
        return intent.handle

    cdef void on_timer(self, uint64_t t_ns) noexcept nogil:
        """Send the slices that are due."""
        cdef uint32_t number
        if self.active_schedules == 0:
            return
        for number in range(SCHEDULES):
            if self.schedules[number].is_active and t_ns >= self.schedules[number].next_ns:
                self.send_slice(number, t_ns)

    cdef void cancel_schedules(self, uint64_t t_ns) noexcept nogil:
        """End every schedule; their child orders are the order management's to cancel."""
        cdef uint32_t number
        for number in range(SCHEDULES):
            if self.schedules[number].is_active:
                self.end_schedule(number)

    def set_venue(self, symbol_index, venue):
        """Send orders of one symbol (or of all, where it is None) to the session ``venue``."""
        cdef uint32_t index
        if symbol_index is None:
            for index in range(self.symbol_capacity):
                self.venues[index] = venue
        elif 0 <= symbol_index < self.symbol_capacity:
            self.venues[symbol_index] = venue
        else:
            raise ValueError(f"execution: symbol index {symbol_index} is out of range")

    def counters(self):
        """Counters by name, and the schedules now at work."""
        found = EXECUTION.as_dict([self.counts[i] for i in range(EXECUTION_COUNT)])
        found["schedules_active"] = self.active_schedules
        return found
