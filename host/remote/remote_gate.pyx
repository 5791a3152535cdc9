# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The way of a strategy host's orders: to the risk gate of the feed host, and what comes back.

To execution this is the gate: it takes an order request and gives a handle at once. Whether the
order passed is known a moment later, so a refusal comes as an order event: of kind 0 for a new
order or a replace (the order that was to be replaced stands), as a refused cancel for a cancel. Its
reason is the feed host's risk gate's, or ``REFUSED_BEFORE_THE_GATE`` and the number of the line's
refusal. Everything else a strategy sees is as if the gate were here.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memset
from host.ipc.ids cimport *
from host.ipc.order_line_codec cimport (
    ORDER_LINE_REPORT_LENGTH, ORDER_LINE_REQUEST_LENGTH, order_line_report_decode,
    order_line_request_encode)
from host.ipc.slot_ring cimport SLOT_NONE, SLOT_TAKEN
from host.model cimport (
    ACTION_CANCEL, ACTION_NEW, ACTION_REPLACE, OrderEvent, REPORT_ACCEPTED, REPORT_CANCEL_REJECT,
    REPORT_OTHER, REPORT_REPLACED)
from host.oms.ids cimport ORDER_COUNT, ORDER_PENDING_NEW, ORDER_REJECTED, ORDER_REPLACED
from nic.clock cimport rdtsc

from host.ipc.enumerations import LINE_REFUSAL, REMOTE_GATE
from host.oms.transitions import open_mask
from nic.offload.enumerations import RISK

cdef enum:
    BEFORE_THE_GATE = 256
    LARGEST_HANDLE = 0x7FFFFFFF        # above them execution numbers its schedules
    ALIVE_NS = 100_000_000             # who has nothing to say says that it lives

REFUSED_BEFORE_THE_GATE = BEFORE_THE_GATE
"""Added to the number of ``LINE_REFUSAL`` in the reason of an order event."""


cdef class RemoteGate(OrderEntry):
    """Sends order requests on a line; ``line`` has ``sender`` and ``receiver``.

    ``events`` (Cython) is told what happens to the orders.
    """

    def __cinit__(self, line not None):
        self.sender = line.sender
        self.receiver = line.receiver
        self.round_trip = Histogram()
        self.orders = <LocalOrder *> calloc(LOCAL_ORDERS, sizeof(LocalOrder))
        self.waiting = <Waiting *> calloc(WAITING_REQUESTS, sizeof(Waiting))
        if self.orders == NULL or self.waiting == NULL:
            raise MemoryError("remote: no memory for the orders")
        self.open_states = open_mask()
        self.next_handle = 1
        self.next_request = 1
        self.next_answer = 1

    def __dealloc__(self):
        free(self.orders)
        free(self.waiting)
        free(self.positions)

    cdef void bind_tops(self, const Top *tops, uint32_t symbol_capacity):
        """Read the symbols of orders from here."""
        free(self.positions)
        self.positions = <int64_t *> calloc(symbol_capacity, sizeof(int64_t))
        if self.positions == NULL:
            raise MemoryError("remote: no memory for the positions")
        self.tops = tops
        self.symbol_capacity = symbol_capacity

    # ------------------------------------------------------------------ requests

    cdef LocalOrder *find(self, uint32_t handle) noexcept nogil:
        """The order of a handle, open or not; NULL when it is not kept (any more)."""
        cdef LocalOrder *order = &self.orders[handle % LOCAL_ORDERS]
        return order if handle != 0 and order.handle == handle else NULL

    cdef uint32_t take_handle(self) noexcept nogil:
        """The next handle whose place holds no open order; 0 when there is none."""
        cdef uint32_t handle, _
        for _ in range(LOCAL_ORDERS):
            handle = self.next_handle
            self.next_handle = handle + 1 if handle < LARGEST_HANDLE else 1
            if not self.orders[handle % LOCAL_ORDERS].is_open:
                return handle
        return 0

    cdef uint32_t submit(self, const OrderRequest *request, uint64_t t_ns) noexcept nogil:
        """The order's handle (of a cancel the one it named), or 0 when nothing was sent."""
        cdef OrderLineRequest said
        cdef LocalOrder *order
        cdef LocalOrder *named = NULL
        memset(&said, 0, sizeof(said))
        if request.action != ACTION_NEW:
            named = self.find(request.user_ref_num)
            if named == NULL or not named.is_open:
                self.counts[REMOTE_GATE_NOT_SENT] += 1
                return 0
        said.quantity = request.quantity
        if request.action == ACTION_CANCEL:
            said.action = LINE_ACTION_CANCEL
            said.handle = named.handle
            said.symbol_index = named.symbol_index
            if not self.send(&said, t_ns):
                return 0
            return named.handle
        said.action = LINE_ACTION_REPLACE if request.action == ACTION_REPLACE else LINE_ACTION_NEW
        said.side = request.side
        said.time_in_force = request.time_in_force
        said.post_only = request.post_only
        said.price = request.price
        said.symbol_index = request.symbol_index
        if named != NULL:
            said.original_handle = named.handle
            said.side = named.side
            said.symbol_index = named.symbol_index
        if said.symbol_index < self.symbol_capacity:
            said.symbol = self.tops[said.symbol_index].symbol
            said.handle = self.take_handle()
        if said.handle == 0:
            self.counts[REMOTE_GATE_NOT_SENT] += 1
            return 0
        if not self.send(&said, t_ns):
            return 0
        order = &self.orders[said.handle % LOCAL_ORDERS]
        memset(order, 0, sizeof(LocalOrder))
        order.handle = said.handle
        order.symbol_index = said.symbol_index
        order.quantity = request.quantity
        order.leaves = request.quantity if named == NULL else 0
        order.replaces = said.original_handle
        order.price = request.price
        order.strategy_id = request.strategy_id
        order.side = said.side
        order.state = ORDER_PENDING_NEW
        order.is_open = True
        self.open_orders += 1
        return said.handle

    cdef bint send(self, OrderLineRequest *request, uint64_t t_ns) noexcept nogil:
        """Number and send a request; False when it can't be sent now."""
        cdef Waiting *waiting = &self.waiting[self.next_request % WAITING_REQUESTS]
        cdef uint8_t slot[ORDER_LINE_REQUEST_LENGTH]
        request.length = ORDER_LINE_REQUEST_LENGTH
        request.sent_tsc = rdtsc()
        if request.action != LINE_ACTION_ALIVE:
            request.request_number = self.next_request
            if not self.is_open or self.next_request - self.next_answer >= WAITING_REQUESTS:
                self.counts[REMOTE_GATE_NOT_SENT] += 1
                return False
        order_line_request_encode(request, slot)
        if not self.sender.put(slot):
            self.counts[REMOTE_GATE_NOT_SENT] += request.action != LINE_ACTION_ALIVE
            return False
        self.spoken_ns = t_ns
        if request.action != LINE_ACTION_ALIVE:
            waiting.action = request.action
            waiting.handle = request.handle
            waiting.sent_tsc = request.sent_tsc
            self.next_request += 1
            self.counts[REMOTE_GATE_REQUESTS] += 1
        return True

    cdef void on_timer(self, uint64_t t_ns) noexcept nogil:
        """Say that we live, when nothing else was said."""
        cdef OrderLineRequest alive
        if self.is_open and t_ns - self.spoken_ns >= ALIVE_NS:
            memset(&alive, 0, sizeof(alive))
            alive.action = LINE_ACTION_ALIVE
            self.send(&alive, t_ns)

    cdef uint32_t cancel_open(self, uint64_t t_ns) noexcept nogil:
        """Ask for a cancel of every open order; how many were sent."""
        cdef OrderRequest request
        cdef uint32_t place, sent = 0
        for place in range(LOCAL_ORDERS):
            if self.orders[place].is_open:
                memset(&request, 0, sizeof(request))
                request.action = ACTION_CANCEL
                request.user_ref_num = self.orders[place].handle
                sent += self.submit(&request, t_ns) != 0
        return sent

    # ------------------------------------------------------------------ reports

    cdef uint32_t poll(self, uint32_t maximum, uint64_t t_ns) noexcept nogil:
        """Take up to ``maximum`` reports; how many."""
        cdef OrderLineReport report
        cdef uint8_t slot[ORDER_LINE_REPORT_LENGTH]
        cdef uint32_t count = 0
        cdef int result = SLOT_NONE
        while count < maximum:
            result = self.receiver.take(slot)
            if result != SLOT_TAKEN:
                break
            count += 1
            order_line_report_decode(slot, &report)
            if report.symbol_index < self.symbol_capacity and (
                    report.kind == LINE_REPORT_EVENT or report.kind == LINE_REPORT_REFUSED):
                self.positions[report.symbol_index] = report.position
            if report.kind == LINE_REPORT_EVENT:
                self.on_event(&report, t_ns)
            elif report.kind == LINE_REPORT_TAKEN or report.kind == LINE_REPORT_REFUSED:
                self.on_answer(&report, t_ns)
            elif report.kind == LINE_REPORT_OPENED:
                self.strategy_number = <uint16_t> report.user_ref_num
                self.is_open = True
            elif report.kind == LINE_REPORT_CLOSED:
                self.end_reason = report.refusal
                self.is_open = False
            else:
                self.counts[REMOTE_GATE_UNKNOWN] += 1
        if result < 0 and self.end_reason == LINE_REFUSAL_NONE:
            self.end_reason = LINE_REFUSAL_LOST_SLOTS
            self.is_open = False
        return count

    cdef void on_answer(self, const OrderLineReport *report, uint64_t t_ns) noexcept nogil:
        """A request was taken or refused; those before it that have no answer never will."""
        cdef uint64_t number = report.request_number
        cdef Waiting *waiting
        cdef LocalOrder *order
        if not self.next_answer <= number < self.next_request:
            self.counts[REMOTE_GATE_UNKNOWN] += 1
            return
        while self.next_answer < number:
            waiting = &self.waiting[self.next_answer % WAITING_REQUESTS]
            self.next_answer += 1
            self.counts[REMOTE_GATE_LOST_ANSWERS] += 1
            self.turned_down(waiting.action, waiting.handle,
                             BEFORE_THE_GATE + LINE_REFUSAL_SEQUENCE_GAP, t_ns)
        waiting = &self.waiting[number % WAITING_REQUESTS]
        self.next_answer = number + 1
        self.round_trip.record(rdtsc() - waiting.sent_tsc)
        if report.kind == LINE_REPORT_TAKEN:
            self.counts[REMOTE_GATE_TAKEN] += 1
            order = self.find(waiting.handle)
            if order != NULL:
                order.user_ref_num = report.user_ref_num
            return
        self.counts[REMOTE_GATE_REFUSED] += 1
        if report.refusal < LINE_REFUSAL_COUNT:
            self.refusals[report.refusal] += 1
        if report.refusal == LINE_REFUSAL_GATE:
            self.gate_reasons[report.reason & 255] += 1
            self.turned_down(waiting.action, waiting.handle, report.reason, t_ns)
        else:
            self.turned_down(waiting.action, waiting.handle, BEFORE_THE_GATE + report.refusal,
                             t_ns)

    cdef void turned_down(self, uint8_t action, uint32_t handle, uint16_t reason,
                          uint64_t t_ns) noexcept nogil:
        """What was asked for will not be: the strategy is told."""
        cdef LocalOrder *order = self.find(handle)
        if order == NULL or not order.is_open:
            return
        if action == LINE_ACTION_CANCEL:
            self.emit(order, REPORT_CANCEL_REJECT, reason, 0, order.price, t_ns)
            return
        self.close_order(order, ORDER_REJECTED)
        self.emit(order, 0, reason, 0, order.price, t_ns)

    cdef void on_event(self, const OrderLineReport *report, uint64_t t_ns) noexcept nogil:
        """Something happened to an order."""
        cdef LocalOrder *order = self.find(report.handle)
        cdef LocalOrder *original
        if (order == NULL or not REPORT_ACCEPTED <= report.event <= REPORT_OTHER
                or report.state >= ORDER_COUNT):
            self.counts[REMOTE_GATE_UNKNOWN] += 1
            return
        self.counts[REMOTE_GATE_EVENTS] += 1
        order.leaves = report.leaves_quantity
        order.state = report.state
        order.price = report.price if report.event == REPORT_REPLACED else order.price
        if report.event == REPORT_REPLACED:
            original = self.find(order.replaces)
            if original != NULL and original.is_open:
                self.close_order(original, ORDER_REPLACED)
        if order.is_open and not self.open_states >> report.state & 1:
            self.close_order(order, report.state)
        self.emit(order, report.event, report.reason, report.quantity, report.price, t_ns)

    cdef void close_order(self, LocalOrder *order, uint8_t state) noexcept nogil:
        """The order is not open any more."""
        order.is_open = False
        order.leaves = 0
        order.state = state
        self.open_orders -= 1

    cdef void emit(self, const LocalOrder *order, uint8_t kind, uint16_t reason, uint32_t quantity,
                   int64_t price, uint64_t t_ns) noexcept nogil:
        """Tell the strategy, after everything is in its new state."""
        cdef OrderEvent event
        if self.events is None:
            return
        memset(&event, 0, sizeof(event))
        event.kind = kind
        event.state = order.state
        event.side = order.side
        event.reason = reason
        event.strategy_id = order.strategy_id
        event.user_ref_num = order.handle
        event.symbol_index = order.symbol_index
        event.quantity = quantity
        event.leaves_quantity = order.leaves
        event.price = price
        event.position = self.positions[order.symbol_index]
        self.events.on_order_event(&event, t_ns)

    # ------------------------------------------------------------------ from Python

    def cancel_all(self, uint64_t t_ns):
        """Ask for a cancel of every open order; how many were sent."""
        return self.cancel_open(t_ns)

    def take(self, uint64_t t_ns):
        """Take what reports are there; how many."""
        return self.poll(1 << 16, t_ns)

    def timer(self, uint64_t t_ns):
        """:meth:`on_timer`, for tests."""
        self.on_timer(t_ns)

    def disconnect(self):
        """The line is gone: nothing is sent any more."""
        self.is_open = False
        if self.end_reason == LINE_REFUSAL_NONE:
            self.end_reason = LINE_REFUSAL_WENT_AWAY

    def ended_by(self):
        """Why the line ended, by the names of ``LINE_REFUSAL``; empty while it did not."""
        if self.end_reason == LINE_REFUSAL_NONE:
            return ""
        if self.end_reason >= LINE_REFUSAL_COUNT:
            return f"reason_{self.end_reason}"
        return LINE_REFUSAL.name_of(self.end_reason)

    def counters(self):
        """Everything counted (:data:`~host.ipc.enumerations.REMOTE_GATE`), and open orders."""
        return {**REMOTE_GATE.as_dict(self.counts), "open_orders": self.open_orders}

    def refused(self):
        """Refusals by name; those of the risk gate by the names of ``RISK``."""
        names = {entry.value: entry.name for entry in RISK.entries}
        found = {name: count for name, count in LINE_REFUSAL.as_dict(self.refusals).items()
                 if count and name != "gate"}
        for reason in range(256):
            if self.gate_reasons[reason]:
                found[names.get(reason, f"risk_{reason}")] = self.gate_reasons[reason]
        return found
