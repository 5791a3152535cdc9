# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Order management: takes what passed the gate, numbers it, keeps it and sends it.

What the exchange answers comes in by ``reports`` (``host/oms/order_reports.pyx``).
"""

from libc.string cimport memset
from host.interfaces cimport OrderChannel, OrderEventSink
from host.model cimport ACTION_CANCEL, ACTION_REPLACE, OrderRequest, Top
from host.oms.enumerations import OMS
from host.oms.ids cimport *
from host.oms.order_table cimport CANCEL_ALL, CANCEL_NONE, CANCEL_SOME, Order
from host.risk.exposure cimport OpenOrder
from nic.offload.ids cimport RISK_ORDER_TABLE_FULL
from nic.prefetch cimport prefetch_object


cdef class OrderManager(OrderPath):
    """Orders, positions and profit; becomes the path of ``gate``.

    ``events`` is told every change. ``capacity``: orders kept, a power of two, at least the gate's;
    ``executions``: executions kept for trades that are broken later. All memory is taken here.
    Raises ``ValueError`` for a capacity that does not fit.
    """

    def __init__(self, RiskGate gate not None, OrderEventSink events=None, *,
                 uint32_t capacity=1 << 18, uint32_t executions=1 << 16):
        self.gate = gate
        self.exposures = gate.exposures
        self.table = OrderTable(gate.exposures, events, capacity, executions)
        self.reports = OrderReports(self.table, gate)
        self.channels = [None] * GATE_VENUES
        gate.path = self

    cdef uint32_t accept(self, const PassedOrder *passed, uint64_t t_ns) noexcept nogil:
        """The number of the order that was sent or cancelled, or 0."""
        cdef uint32_t user_ref_num = 0
        if (passed.request.venue < GATE_VENUES
                and self.channel_table[passed.request.venue] != NULL):
            if passed.request.action == ACTION_CANCEL:
                user_ref_num = self.send_cancel(passed, t_ns)
            else:
                user_ref_num = self.send_order(passed, t_ns)
        if user_ref_num == 0:
            self.table.count(OMS_NOT_SENT)
        return user_ref_num

    cdef bint is_ready(self, const OrderRequest *request, uint32_t user_ref_num) noexcept nogil:
        """Whether the venue's channel would take it, and the tables would."""
        cdef Order *order
        if (request.venue >= GATE_VENUES or self.channel_table[request.venue] == NULL
                or not (<OrderChannel> self.channel_table[request.venue]).ready()):
            return False
        if request.action != ACTION_CANCEL and (
                user_ref_num < self.table.next_user_ref_num
                or self.table.is_open(&self.table.orders[user_ref_num & self.table.mask])):
            return False
        if request.action != ACTION_CANCEL and request.action != ACTION_REPLACE:
            return True
        order = self.table.find(request.user_ref_num)
        return order != NULL and (self.table.is_open(order) if request.action == ACTION_CANCEL
                                  else order.replaced_by == 0)

    cdef uint32_t free_number(self) noexcept nogil:
        """The next number whose places here and in the gate hold no open order; 0: none is left."""
        cdef uint32_t number = self.table.next_user_ref_num
        cdef uint32_t _
        for _ in range(self.exposures.order_capacity):
            if number == 0:
                break      # they are used up for the day
            if (self.exposures.orders[number & self.exposures.mask].user_ref_num == 0
                    and not self.table.is_open(&self.table.orders[number & self.table.mask])):
                return number
            number += 1
            self.table.next_user_ref_num = number
            self.table.count(OMS_NUMBERS_SKIPPED)
        self.table.count(OMS_ORDER_TABLE_FULL)
        self.gate.path_reason = RISK_ORDER_TABLE_FULL
        return 0

    cdef uint32_t send_order(self, const PassedOrder *passed, uint64_t t_ns) noexcept nogil:
        """Take a new order or a replace into the table and send it.

        A card's gate numbers the orders itself; a number that was given is used up.
        """
        cdef const OrderRequest *request = &passed.request
        cdef uint32_t given = self.gate.given_number
        cdef uint32_t user_ref_num = given if given != 0 else self.free_number()
        cdef Order *order
        cdef Order *original = NULL
        if user_ref_num == 0 or (given != 0 and not self.is_ready(request, given)):
            return 0
        if request.action == ACTION_REPLACE:
            original = self.table.find(request.user_ref_num)
            if original == NULL or original.replaced_by != 0:
                return 0
        if not self.exposures.on_opened(passed, user_ref_num):
            return 0
        order = &self.table.orders[user_ref_num & self.table.mask]
        memset(order, 0, sizeof(Order))
        order.user_ref_num = user_ref_num
        order.symbol_index = request.symbol_index
        order.side = request.side
        order.time_in_force = request.time_in_force
        order.post_only = request.post_only
        order.strategy_id = request.strategy_id
        order.venue = request.venue
        order.parent = request.parent
        order.quantity = request.quantity
        order.price = request.price
        order.pass_number = passed.pass_number
        order.sent_ns = t_ns
        order.changed_ns = t_ns
        order.state = ORDER_PENDING_NEW
        self.table.next_user_ref_num = user_ref_num + 1
        if original != NULL:
            order.replaces = original.user_ref_num
            order.parent = original.parent
            original.replaced_by = user_ref_num
            self.table.move(original, EVENT_REPLACE_SENT, self.table.settled_state(original), t_ns)
        else:
            order.leaves = request.quantity
        self.table.open(order)
        if self.send(passed, user_ref_num, t_ns) == 0:
            self.table.count(OMS_ORDERS_SENT if original == NULL else OMS_REPLACES_SENT)
            self.prefetch_places(user_ref_num + 1)
            return user_ref_num
        self.table.close(order, EVENT_SEND_FAILED, ORDER_NONE, t_ns)
        self.exposures.on_unsent(passed, user_ref_num)
        order.user_ref_num = 0
        if original != NULL:
            original.replaced_by = 0
            self.table.move(original, EVENT_SEND_FAILED, self.table.settled_state(original),
                            t_ns)
        if given == 0:
            self.table.next_user_ref_num = user_ref_num
        return 0

    cdef void prefetch_places(self, uint32_t user_ref_num) noexcept nogil:
        """Bring in where the next order will be written: places are used one after the other."""
        prefetch_object(&self.table.orders[user_ref_num & self.table.mask], sizeof(Order))
        prefetch_object(&self.exposures.orders[user_ref_num & self.exposures.mask],
                        sizeof(OpenOrder))

    cdef uint32_t send_cancel(self, const PassedOrder *passed, uint64_t t_ns) noexcept nogil:
        """Send a cancel; one to a size the order is not above is sent, but changes no state."""
        cdef const OrderRequest *request = &passed.request
        cdef Order *order = self.table.find(request.user_ref_num)
        cdef uint8_t cancel_before
        if order == NULL or not self.table.is_open(order):
            return 0
        cancel_before = order.cancel_requested
        if not self.exposures.on_opened(passed, request.user_ref_num):
            return 0
        if request.quantity == 0:
            order.cancel_requested = CANCEL_ALL
        elif request.quantity >= order.quantity:
            self.table.count(OMS_CANCELS_SUPERFLUOUS)
        elif cancel_before == CANCEL_NONE:
            order.cancel_requested = CANCEL_SOME
        self.table.move(order, EVENT_CANCEL_SENT, self.table.settled_state(order), t_ns)
        if self.send(passed, request.user_ref_num, t_ns) == 0:
            self.table.count(OMS_CANCELS_SENT)
            return request.user_ref_num
        self.exposures.on_unsent(passed, request.user_ref_num)
        order.cancel_requested = cancel_before
        self.table.move(order, EVENT_SEND_FAILED, self.table.settled_state(order), t_ns)
        return 0

    cdef int send(self, const PassedOrder *passed, uint32_t user_ref_num,
                  uint64_t t_ns) noexcept nogil:
        """Hand a passed order to its venue's channel."""
        return (<OrderChannel> self.channel_table[passed.request.venue]).send(
            passed, user_ref_num, self.gate.tops[passed.request.symbol_index].symbol, t_ns)

    cdef uint32_t cancel_open(self, uint64_t t_ns) noexcept nogil:
        """Ask the gate to cancel every open order, newest first; how many cancels were sent."""
        cdef OrderRequest request
        cdef uint32_t place = self.table.last_open
        cdef uint32_t number, sent = 0
        cdef Order *order
        while place != 0:
            order = &self.table.orders[place - 1]
            place = order.previous_open
            number = self.table.orders[place - 1].user_ref_num if place != 0 else 0
            if order.cancel_requested == CANCEL_ALL:
                continue
            memset(&request, 0, sizeof(request))
            request.action = ACTION_CANCEL
            request.user_ref_num = order.user_ref_num
            request.venue = order.venue
            if self.gate.submit(&request, t_ns) != 0:
                sent += 1
            # an answer within the call may have closed the next one
            if place != 0 and (self.table.orders[place - 1].user_ref_num != number
                               or not self.table.is_open(&self.table.orders[place - 1])):
                place = self.table.last_open
        return sent

    def set_channel(self, uint32_t venue, OrderChannel channel not None):
        """Send a venue's orders by this channel; raises ``IndexError`` for an unknown venue."""
        if venue >= GATE_VENUES:
            raise IndexError(f"no venue {venue}")
        self.channels[venue] = channel
        self.channel_table[venue] = <PyObject *> channel

    def set_events(self, OrderEventSink events):
        """Tell every change to this sink, or to nobody (``None``)."""
        self.table.events = events

    def set_next_user_ref_num(self, uint32_t user_ref_num):
        """Go on numbering from here; raises ``ValueError`` when the number was passed already."""
        if user_ref_num < self.table.next_user_ref_num:
            raise ValueError(f"{user_ref_num} is below {self.table.next_user_ref_num}")
        self.table.next_user_ref_num = user_ref_num

    def resolve_unknown(self, uint32_t next_user_ref_num, *, uint16_t venue=0, uint64_t t_ns=0):
        """Decide about a venue's unknown orders once the replay is complete.

        ``next_user_ref_num`` is the exchange's answer to an Account Query: an unknown order from
        that number on was not received. Done by itself when a session comes up after such an
        answer. Returns how many remain unknown: their number was consumed without an answer.
        """
        return self.reports.resolve(venue, next_user_ref_num, t_ns)

    def cancel_all(self, uint64_t t_ns):
        """Cancel every open order, through the gate; how many cancels were sent."""
        return self.cancel_open(t_ns)

    def order(self, uint32_t user_ref_num):
        """An order as a dict, or ``None`` when the table does not hold it."""
        cdef Order *order = self.table.find(user_ref_num)
        return None if order == NULL else self.table.order_dict(order, self.gate.tops)

    def orders(self):
        """Every order that the table holds, oldest number first, as dicts: an iterator."""
        return map(self.order, self.table.all_numbers())

    def open_orders(self):
        """The open orders in the order they were sent, as a list of dicts."""
        return [self.order(number) for number in self.table.open_numbers()]

    @property
    def open_order_count(self):
        """Open orders, replaces in flight among them."""
        return self.table.open_order_count

    @property
    def next_user_ref_num(self):
        """The number that the next order will bear, if its place is free."""
        return self.table.next_user_ref_num

    def positions(self):
        """Symbol index to position, for every symbol that was executed.

        See ``host.oms.position.Positions.position``. The mark is what closing would get: the best
        bid of a long position, the best offer of a short one, the last trade where that side is
        empty.
        """
        return {
            i: self.table.positions.position(i, self.mark_price(i))
            for i in range(self.table.positions.symbol_capacity)
            if self.table.positions.positions[<uint32_t> i].executions
        }

    def mark_price(self, uint32_t symbol_index):
        """Price that values a symbol's position now; 0 when there is none, or no position."""
        cdef const Top *top = &self.gate.tops[symbol_index]
        cdef int64_t shares = self.table.positions.positions[symbol_index].shares
        if shares == 0 or symbol_index >= self.gate.symbol_count:
            return 0
        return (top.bid_price if shares > 0 else top.ask_price) or top.last_price

    def counters(self):
        """Everything counted (:data:`~host.oms.enumerations.OMS`)."""
        return OMS.as_dict(self.table.counts)

    def illegal_transitions(self):
        """The latest illegal transitions, oldest first: number, state and event by name, time."""
        return self.table.illegal_transitions()
