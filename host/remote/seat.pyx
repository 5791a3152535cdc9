# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The feed host's side of one strategy host: its requests, its orders, its reports.

A strategy host names its orders by handles; here they become numbers of the order management and
back, so that nobody can name another one's order. Everything that comes is checked before it is
believed, and what is wrong is counted under its own name and refused. What is right goes the way of
every order: execution, risk gate, order management.

A line ends when its peer goes away, when it leaves its reports until no other one fits, when it
says nothing for too long, or when its ring was tampered with. The seat is free again when no order
of it is open any more.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memset
from host.ipc.ids cimport *
from host.ipc.order_line_codec cimport (
    ORDER_LINE_REPORT_LENGTH, ORDER_LINE_REQUEST_LENGTH, order_line_report_encode,
    order_line_request_decode)
from host.ipc.slot_ring cimport SLOT_LOST, SLOT_NONE
from host.model cimport (
    ACTION_CANCEL, ACTION_NEW, ACTION_REPLACE, ALGORITHM_DIRECT, Intent, OrderRequest)
from host.oms.order_table cimport CANCEL_ALL
from nic.clock cimport rdtsc

from host.ipc.enumerations import DESK, LINE_REFUSAL

cdef enum:
    RESERVE_PARTS = 4      # of the ring of reports, one part is for events only


cdef class Numbers:
    """Whose orders the latest numbers are; ``size``: a power of two, at least the open orders."""

    def __cinit__(self, uint32_t size):
        self.mask = size - 1
        self.entries = <Handed *> calloc(size, sizeof(Handed))
        if self.entries == NULL:
            raise MemoryError("remote: no memory for the numbers of orders")

    def __dealloc__(self):
        free(self.entries)


cdef class Seat:
    """A place for one strategy host; its orders bear ``strategy_id``."""

    def __cinit__(self, uint16_t strategy_id, Numbers numbers not None, RiskGate gate not None,
                  OrderTable table not None):
        self.strategy_id = strategy_id
        self.numbers = numbers
        self.gate = gate
        self.table = table
        self.latency = Histogram()
        self.name = ""
        self.ended_by = ""
        self.news = []
        self.by_handle = <uint32_t *> calloc(SEAT_ORDERS, sizeof(uint32_t))
        self.handles = <uint32_t *> calloc(SEAT_ORDERS, sizeof(uint32_t))
        if self.by_handle == NULL or self.handles == NULL:
            raise MemoryError("remote: no memory for the orders of a strategy host")

    def __dealloc__(self):
        free(self.by_handle)
        free(self.handles)

    # ------------------------------------------------------------------ coming and going

    def is_free(self):
        """Whether somebody may sit down."""
        return self.line is None and not self.is_leaving

    def sit(self, line):
        """Open a line: ``line`` has ``sender``, ``receiver``, ``peer``, ``is_local``."""
        cdef OrderLineReport report
        self.line = line
        self.sender = line.sender
        self.receiver = line.receiver
        self.is_local = line.is_local
        self.name = line.peer
        self.ended_by = ""
        self.end_reason = LINE_REFUSAL_NONE
        self.sitting += 1
        self.next_request = 1
        self.heard_ns = 0
        self.reserve = self.sender.room() // RESERVE_PARTS
        memset(self.by_handle, 0, SEAT_ORDERS * sizeof(uint32_t))
        memset(self.handles, 0, SEAT_ORDERS * sizeof(uint32_t))
        self.counts[DESK_JOINED] += 1
        memset(&report, 0, sizeof(report))
        report.kind = LINE_REPORT_OPENED
        report.user_ref_num = self.strategy_id
        self.send(&report)
        self.news.append({"strategy": self.strategy_id, "name": self.name, "joined": True})

    cdef void end(self, int reason) noexcept nogil:
        """Take nothing more from the line, and say so to who may still be there. Once."""
        cdef OrderLineReport report
        if self.end_reason != LINE_REFUSAL_NONE or self.receiver is None:
            return
        memset(&report, 0, sizeof(report))
        report.kind = LINE_REPORT_CLOSED
        report.refusal = <uint8_t> reason
        self.send(&report)
        self.end_reason = <uint8_t> reason
        self.refusals[reason] += 1
        self.counts[DESK_LEFT] += 1

    cdef void listen(self, uint64_t t_ns, uint64_t silence_ns) noexcept nogil:
        """End a line from which nothing was heard for longer than ``silence_ns``."""
        if self.heard_ns == 0:
            self.heard_ns = t_ns
        elif t_ns > self.heard_ns and t_ns - self.heard_ns > silence_ns:
            self.end(LINE_REFUSAL_SILENT)

    def leave(self, int reason, str why=""):
        """End the line and let go of it; the seat is taken until its orders are gone."""
        if self.line is None:
            return
        self.end(reason)
        self.ended_by = why or LINE_REFUSAL.name_of(self.end_reason)
        self.sender = None
        self.receiver = None
        line, self.line = self.line, None
        self.news.append({"strategy": self.strategy_id, "name": self.name, "joined": False,
                          "ended_by": self.ended_by})
        self.is_leaving = True
        line.close()

    def take_news(self):
        """Who came and who went since the last call, oldest first, as dicts."""
        news, self.news = self.news, []
        return news

    def service(self, uint64_t t_ns, bint cancels):
        """Let go of a line that ended; then, with ``cancels``, cancel what its orders still are."""
        if self.line is not None:
            if self.end_reason == LINE_REFUSAL_NONE:
                why = self.line.failure()
                if why:
                    self.leave(LINE_REFUSAL_WENT_AWAY, why)
            else:
                self.leave(self.end_reason)
        if self.is_leaving:
            if cancels:
                self.counts[DESK_ORDERS_CANCELLED] += self.cancel_open(t_ns)
            self.is_leaving = self.open_count() > 0

    # ------------------------------------------------------------------ requests

    cdef uint32_t poll(self, uint32_t maximum, uint64_t t_ns) noexcept nogil:
        """Take up to ``maximum`` requests; how many. While its reports wait, a host waits."""
        cdef OrderLineRequest request
        cdef uint8_t slot[ORDER_LINE_REQUEST_LENGTH]
        cdef uint32_t count = 0
        cdef int result
        if self.receiver is None or self.end_reason != LINE_REFUSAL_NONE:
            return 0
        while count < maximum:
            if self.sender.room() <= self.reserve:
                if self.sender.misled:
                    self.end(LINE_REFUSAL_FALSE_CREDIT)
                break
            result = self.receiver.take(slot)
            if result == SLOT_NONE:
                break
            if result == SLOT_LOST:
                self.end(LINE_REFUSAL_LOST_SLOTS)
                break
            order_line_request_decode(slot, &request)
            self.heard_ns = t_ns
            count += 1
            self.handle_request(&request, t_ns)
            if self.end_reason != LINE_REFUSAL_NONE:
                break
        return count

    cdef void handle_request(self, const OrderLineRequest *request,
                             uint64_t t_ns) noexcept nogil:
        """Check one request, do what it wants, answer."""
        cdef int refusal
        if (request.action == LINE_ACTION_ALIVE
                and request.length == ORDER_LINE_REQUEST_LENGTH):
            self.counts[DESK_ALIVE] += 1
            return
        self.counts[DESK_REQUESTS] += 1
        if self.is_local and request.sent_tsc:
            self.latency.record(rdtsc() - request.sent_tsc)
        refusal = self.number_of(request)
        if refusal == LINE_REFUSAL_NONE:
            if request.action == LINE_ACTION_NEW:
                refusal = self.enter(request, t_ns)
            elif request.action == LINE_ACTION_REPLACE or request.action == LINE_ACTION_CANCEL:
                refusal = self.change(request, t_ns)
            else:
                refusal = LINE_REFUSAL_UNKNOWN_ACTION
        if refusal == LINE_REFUSAL_NONE:
            self.counts[DESK_TAKEN] += 1
        else:
            self.refusals[refusal] += 1
        self.answer(request, refusal)

    cdef int number_of(self, const OrderLineRequest *request) noexcept nogil:
        """Whether it is the next request, and what it should be; behind a hole it goes on."""
        cdef uint64_t expected = self.next_request
        if request.length != ORDER_LINE_REQUEST_LENGTH:
            if request.request_number == expected:
                self.next_request = expected + 1
            return LINE_REFUSAL_WRONG_LENGTH
        self.next_request = request.request_number + 1
        return (LINE_REFUSAL_NONE if request.request_number == expected
                else LINE_REFUSAL_SEQUENCE_GAP)

    cdef int enter(self, const OrderLineRequest *request, uint64_t t_ns) noexcept nogil:
        """A new order."""
        if not self.orders.enabled or self.orders.is_stopped:
            return LINE_REFUSAL_NOT_TRADING
        if (request.symbol_index >= self.symbol_capacity or request.symbol == 0
                or self.tops[request.symbol_index].symbol != request.symbol):
            return LINE_REFUSAL_UNKNOWN_SYMBOL
        return self.pass_on(request, request.symbol_index, 0, t_ns)

    cdef int change(self, const OrderLineRequest *request, uint64_t t_ns) noexcept nogil:
        """A replace or a cancel of an own order."""
        cdef bint is_replace = request.action == LINE_ACTION_REPLACE
        cdef Order *order = self.open_order(
            request.original_handle if is_replace else request.handle)
        if is_replace and (not self.orders.enabled or self.orders.is_stopped):
            return LINE_REFUSAL_NOT_TRADING
        if order == NULL:
            return LINE_REFUSAL_UNKNOWN_ORDER
        return self.pass_on(request, order.symbol_index, order.user_ref_num, t_ns)

    cdef int pass_on(self, const OrderLineRequest *request, uint32_t symbol_index,
                     uint32_t user_ref_num, uint64_t t_ns) noexcept nogil:
        """Hand an intent to execution and remember the order that came of it."""
        cdef Intent intent
        cdef Handed *entry
        cdef uint32_t place = request.handle % SEAT_ORDERS
        memset(&intent, 0, sizeof(intent))
        if request.action == LINE_ACTION_CANCEL:
            intent.action = ACTION_CANCEL
        else:
            if (request.handle == 0 or self.handles[place] == request.handle
                    or self.open_order(self.handles[place]) != NULL):
                return LINE_REFUSAL_BAD_HANDLE
            intent.action = (ACTION_REPLACE if request.action == LINE_ACTION_REPLACE
                             else ACTION_NEW)
        intent.algorithm = ALGORITHM_DIRECT
        intent.strategy_id = self.strategy_id
        intent.side = request.side
        intent.time_in_force = request.time_in_force
        intent.post_only = request.post_only
        intent.symbol_index = symbol_index
        intent.quantity = request.quantity
        intent.price = request.price
        intent.handle = user_ref_num
        user_ref_num = self.orders.execution.intend(&intent, t_ns)
        if user_ref_num == 0:
            self.orders.refused += 1
            return LINE_REFUSAL_GATE
        self.orders.intents += 1
        if request.action != LINE_ACTION_CANCEL:
            self.by_handle[place] = user_ref_num
            self.handles[place] = request.handle
            entry = &self.numbers.entries[user_ref_num & self.numbers.mask]
            entry.user_ref_num = user_ref_num
            entry.handle = request.handle
            entry.sitting = self.sitting
        return LINE_REFUSAL_NONE

    cdef Order *open_order(self, uint32_t handle) noexcept nogil:
        """The open order of a handle, or NULL."""
        cdef uint32_t place = handle % SEAT_ORDERS
        cdef Order *order
        if handle == 0 or self.handles[place] != handle:
            return NULL
        order = self.table.find(self.by_handle[place])
        return order if order != NULL and self.table.is_open(order) else NULL

    # ------------------------------------------------------------------ reports

    cdef void answer(self, const OrderLineRequest *request, int refusal) noexcept nogil:
        """Say what became of a request."""
        cdef OrderLineReport report
        memset(&report, 0, sizeof(report))
        report.kind = LINE_REPORT_TAKEN if refusal == LINE_REFUSAL_NONE else LINE_REPORT_REFUSED
        report.action = request.action
        report.refusal = <uint8_t> refusal
        report.handle = request.handle
        report.request_number = request.request_number
        report.symbol_index = request.symbol_index
        if request.symbol_index < self.symbol_capacity:
            report.position = self.table.positions.positions[request.symbol_index].shares
        if refusal == LINE_REFUSAL_NONE:
            report.user_ref_num = self.by_handle[request.handle % SEAT_ORDERS]
        elif refusal == LINE_REFUSAL_GATE:
            report.reason = <uint16_t> self.gate.last_reason
        self.send(&report)

    cdef void on_event(self, const OrderEvent *event) noexcept nogil:
        """Something happened to an order of this seat."""
        cdef OrderLineReport report
        cdef Handed *entry = &self.numbers.entries[event.user_ref_num & self.numbers.mask]
        if (self.receiver is None or self.end_reason != LINE_REFUSAL_NONE
                or entry.user_ref_num != event.user_ref_num or entry.sitting != self.sitting):
            self.counts[DESK_REPORTS_DROPPED] += 1
            return
        memset(&report, 0, sizeof(report))
        report.kind = LINE_REPORT_EVENT
        report.event = event.kind
        report.state = event.state
        report.side = event.side
        report.reason = event.reason
        report.handle = entry.handle
        report.user_ref_num = event.user_ref_num
        report.symbol_index = event.symbol_index
        report.quantity = event.quantity
        report.leaves_quantity = event.leaves_quantity
        report.price = event.price
        report.position = event.position
        self.send(&report)

    cdef bint send(self, OrderLineReport *report) noexcept nogil:
        """Send one report; a line that has no room for it is at its end."""
        cdef uint8_t slot[ORDER_LINE_REPORT_LENGTH]
        report.length = ORDER_LINE_REPORT_LENGTH
        order_line_report_encode(report, slot)
        if self.sender.put(slot):
            self.counts[DESK_REPORTS] += 1
            return True
        self.counts[DESK_REPORTS_DROPPED] += 1
        if report.kind != LINE_REPORT_CLOSED:
            self.end(LINE_REFUSAL_FALSE_CREDIT if self.sender.misled else LINE_REFUSAL_TOO_SLOW)
        return False

    # ------------------------------------------------------------------ orders

    cdef uint32_t open_count(self) noexcept nogil:
        """Open orders of this seat, replaces in flight among them."""
        cdef uint32_t place = self.table.last_open
        cdef uint32_t count = 0
        while place != 0:
            count += self.table.orders[place - 1].strategy_id == self.strategy_id
            place = self.table.orders[place - 1].previous_open
        return count

    cdef uint32_t cancel_open(self, uint64_t t_ns) noexcept nogil:
        """Ask the gate to cancel every open order of this seat; how many cancels were sent."""
        cdef OrderRequest request
        cdef uint32_t place = self.table.last_open
        cdef uint32_t number, sent = 0
        cdef Order *order
        while place != 0:
            order = &self.table.orders[place - 1]
            place = order.previous_open
            number = self.table.orders[place - 1].user_ref_num if place != 0 else 0
            if order.strategy_id != self.strategy_id or order.cancel_requested == CANCEL_ALL:
                continue
            memset(&request, 0, sizeof(request))
            request.action = ACTION_CANCEL
            request.user_ref_num = order.user_ref_num
            request.venue = order.venue
            sent += self.gate.submit(&request, t_ns) != 0
            # an answer within the call may have closed the next one
            if place != 0 and (self.table.orders[place - 1].user_ref_num != number
                               or not self.table.is_open(&self.table.orders[place - 1])):
                place = self.table.last_open
        return sent

    def report(self):
        """Who sits here, what was counted of everybody who did, refusals by name."""
        counted = LINE_REFUSAL.as_dict(self.refusals)
        return {
            "name": self.name,
            "strategy": self.strategy_id,
            "state": ("open" if self.line is not None
                      else "leaving" if self.is_leaving else "free"),
            "ended_by": self.ended_by,
            "open_orders": self.open_count(),
            **DESK.as_dict(self.counts),
            "refusals": {name: count for name, count in counted.items() if count},
        }
