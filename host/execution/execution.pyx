# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Execution: turns intents into orders, direct or in slices, and chooses the venue.

A direct intent is one order request. A sliced one (TWAP) is a schedule: equal parts at equal times,
the first at once, the last after the duration; what a refused slice could not send is spread over
the following ones. A timer sends one slice of a schedule at the most: after a silence they do not
leave all at once. Slices are immediate-or-cancel or day orders as the intent says. The venue of a
symbol is set by configuration.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memset
from host.execution.enumerations import EXECUTION
from host.execution.ids cimport *
from host.model cimport (
    ACTION_CANCEL, ACTION_NEW, ALGORITHM_TWAP, STAGE_INTENT, TIME_IN_FORCE_IOC, TRACE_NO_PACKET)
from nic.clock cimport rdtsc


cdef class Execution(IntentSink):
    """Works intents; ``gate`` takes the order requests."""

    def __cinit__(self, OrderEntry gate not None, uint32_t symbol_capacity, stages=None):
        self.gate = gate
        self.symbol_capacity = symbol_capacity
        self.stages = stages
        self.venues = <uint16_t *> calloc(symbol_capacity, sizeof(uint16_t))
        self.children = <uint32_t *> calloc(SCHEDULES * SLICES, sizeof(uint32_t))
        if self.venues == NULL or self.children == NULL:
            raise MemoryError("execution: no memory for venues and slices")

    def __dealloc__(self):
        free(self.venues)
        free(self.children)

    cdef uint32_t intend(self, const Intent *intent, uint64_t t_ns) noexcept nogil:
        cdef uint32_t handle
        self.counts[EXECUTION_INTENTS] += 1
        if intent.symbol_index >= self.symbol_capacity:
            self.counts[EXECUTION_BAD_INTENTS] += 1
            return 0
        if intent.handle & SCHEDULE_HANDLE:
            return self.change_schedule(intent, t_ns)
        if intent.algorithm == ALGORITHM_TWAP and intent.action == ACTION_NEW:
            return self.start_schedule(intent, t_ns)
        handle = self.request(intent, intent.quantity, 0, t_ns)
        self.counts[EXECUTION_DIRECT if handle != 0 else EXECUTION_REFUSED] += 1
        return handle

    cdef uint32_t request(self, const Intent *intent, uint32_t quantity, uint32_t parent,
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
            return 0
        if (self.stages is not None and self.trace != NULL
                and self.trace.line != TRACE_NO_PACKET):
            self.stages.record(self.trace)
        return user_ref_num

    cdef uint32_t start_schedule(self, const Intent *intent, uint64_t t_ns) noexcept nogil:
        cdef uint32_t number
        cdef Schedule *schedule
        if not 0 < intent.slices <= SLICES or intent.quantity == 0:
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
                schedule.end_ns = t_ns + intent.duration_ns
                schedule.child_count = 0
                schedule.is_active = True
                self.active_schedules += 1
                self.counts[EXECUTION_SCHEDULES_STARTED] += 1
                schedule.handle = <uint32_t> (
                    SCHEDULE_HANDLE | number
                    | self.counts[EXECUTION_SCHEDULES_STARTED] * SCHEDULES & (SCHEDULE_HANDLE - 1))
                self.send_slice(number, t_ns)
                return schedule.handle
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
            sent = self.request(&schedule.intent, quantity, schedule.handle, t_ns)
            if sent != 0:
                self.children[number * SLICES + schedule.child_count] = sent
                schedule.child_count += 1
                schedule.remaining_shares -= quantity
                self.counts[EXECUTION_SLICES_SENT] += 1
            else:
                self.counts[EXECUTION_SLICES_REFUSED] += 1
        schedule.slices_left -= 1
        schedule.next_ns = schedule.end_ns - schedule.interval_ns * (schedule.slices_left - 1)
        if schedule.slices_left == 0 or schedule.remaining_shares == 0:
            self.end_schedule(number)

    cdef void end_schedule(self, uint32_t number) noexcept nogil:
        self.schedules[number].is_active = False
        self.active_schedules -= 1
        self.counts[EXECUTION_SCHEDULES_DONE] += 1

    cdef uint32_t change_schedule(self, const Intent *intent, uint64_t t_ns) noexcept nogil:
        """Cancel a schedule: nothing more is sent, what may rest of it is cancelled."""
        cdef uint32_t number = intent.handle % SCHEDULES
        cdef Schedule *schedule = &self.schedules[number]
        cdef Intent cancel = intent[0]
        cdef uint32_t child
        if (intent.action != ACTION_CANCEL or schedule.handle != intent.handle
                or schedule.intent.strategy_id != intent.strategy_id):
            self.counts[EXECUTION_BAD_INTENTS] += 1
            return 0
        if schedule.is_active:
            self.end_schedule(number)
        cancel.symbol_index = schedule.intent.symbol_index
        # of immediate-or-cancel orders only the newest can be open
        child = 0
        if schedule.intent.time_in_force == TIME_IN_FORCE_IOC and schedule.child_count > 0:
            child = schedule.child_count - 1
        while child < schedule.child_count:
            cancel.handle = self.children[number * SLICES + child]
            self.request(&cancel, 0, schedule.handle, t_ns)
            child += 1
        schedule.child_count = 0
        return intent.handle

    cdef void on_timer(self, uint64_t t_ns) noexcept nogil:
        """Send the slices that are due."""
        cdef uint32_t number
        if self.active_schedules == 0:
            return
        for number in range(SCHEDULES):
            if self.schedules[number].is_active and t_ns >= self.schedules[number].next_ns:
                self.send_slice(number, t_ns)

    cdef void stop_strategy(self, uint16_t strategy_id) noexcept nogil:
        """End every schedule of a strategy."""
        cdef uint32_t number
        for number in range(SCHEDULES):
            if (self.schedules[number].is_active
                    and self.schedules[number].intent.strategy_id == strategy_id):
                self.end_schedule(number)

    cdef void cancel_schedules(self) noexcept nogil:
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
