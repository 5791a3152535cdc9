# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The orders, the list of the open ones, and the rules by which their states change.

Numbers (``user_ref_num``) count up from 1 over all venues; an order's place in the table is its
number modulo the capacity, so that the newest orders are kept, open ones always. What may happen to
an order in which state stands in ``host/oms/transitions.py``.
"""

from libc.string cimport memset
from host.book.pages cimport pages_close, pages_open
from host.model cimport OrderEvent, REPORT_REJECTED, Top
from host.oms.enumerations import EVENT, ORDER_STATE
from host.oms.ids cimport *
from host.oms.transitions import masks, open_mask


cdef class OrderTable:
    """Orders and positions, and what every change of an order brings with it.

    ``exposures`` of the gate and ``events`` (or nobody) are told of each change. ``capacity``:
    orders kept, a power of two, at least the gate's; ``executions``: executions kept for trades
    that are broken later. All memory is taken here. Raises ``ValueError`` for a capacity that
    does not fit.
    """

    def __cinit__(self, Exposures exposures not None, OrderEventSink events, uint32_t capacity,
                  uint32_t executions):
        if capacity & (capacity - 1) or capacity < exposures.order_capacity:
            raise ValueError("capacity must be a power of two, at least the gate's")
        self.exposures = exposures
        self.events = events
        self.positions = Positions(exposures.symbol_capacity, executions)
        self.capacity = capacity
        self.mask = capacity - 1
        self.next_user_ref_num = 1
        self.orders = <Order *> pages_open(capacity * sizeof(Order), True)
        if self.orders == NULL:
            raise MemoryError("oms: no memory for the orders")
        for state, row in enumerate(masks()):
            for event, bits in enumerate(row):
                self.legal[<int> state][<int> event] = bits
        self.open_states = open_mask()

    def __dealloc__(self):
        pages_close(self.orders, self.capacity * sizeof(Order))

    cdef Order *find(self, uint32_t user_ref_num) noexcept nogil:
        """The order of a number, open or not; NULL when it is not (or no longer) in the table."""
        cdef Order *order = &self.orders[user_ref_num & self.mask]
        if user_ref_num == 0 or order.user_ref_num != user_ref_num:
            return NULL
        return order

    cdef void count(self, int counter) noexcept nogil:
        """Add one to a counter (OMS_*)."""
        self.counts[counter] += 1

    cdef bint is_open(self, const Order *order) noexcept nogil:
        """Whether the order may still execute."""
        return self.open_states >> order.state & 1

    cdef bint may(self, const Order *order, int event, int state) noexcept nogil:
        """Whether the table of transitions lets the event take the order to the state."""
        return self.legal[order.state][event] >> state & 1

    cdef void forbid(self, const Order *order, int event, uint64_t t_ns) noexcept nogil:
        """Count and remember an illegal transition."""
        cdef IllegalTransition *place = &self.illegal[self.illegal_count % ILLEGAL_KEPT]
        if event <= EVENT_OTHER:
            self.counts[OMS_ILLEGAL_ACCEPTED + event - EVENT_ACCEPTED] += 1
        else:
            self.counts[OMS_ILLEGAL_INTERNAL] += 1
        self.illegal_count += 1
        place.t_ns = t_ns
        place.user_ref_num = order.user_ref_num
        place.state = order.state
        place.event = event

    cdef void move(self, Order *order, int event, int state, uint64_t t_ns) noexcept nogil:
        """Bring the order to a state. An illegal one is a defect of ours: the exchange's are asked
        for by :meth:`may` before anything changes."""
        if not self.may(order, event, state):
            self.forbid(order, event, t_ns)
        order.state = state
        order.changed_ns = t_ns

    cdef int acknowledged_state(self, const Order *order) noexcept nogil:
        """State of an acknowledged open order, from what is in flight and what was executed."""
        if order.cancel_requested != CANCEL_NONE:
            return ORDER_CANCEL_PENDING
        if order.replaced_by != 0:
            return ORDER_REPLACE_PENDING
        return ORDER_PARTIALLY_FILLED if order.executed != 0 else ORDER_LIVE

    cdef int settled_state(self, const Order *order) noexcept nogil:
        """State of an open order, acknowledged or not."""
        if order.is_acknowledged:
            return self.acknowledged_state(order)
        if order.state == ORDER_UNKNOWN:
            return ORDER_UNKNOWN
        if order.cancel_requested != CANCEL_NONE:
            return ORDER_CANCEL_PENDING
        return ORDER_REPLACE_PENDING if order.replaced_by != 0 else ORDER_PENDING_NEW

    cdef void open(self, Order *order) noexcept nogil:
        """Append the order to the list of open ones."""
        cdef uint32_t place = <uint32_t> (order - self.orders) + 1
        order.previous_open = self.last_open
        order.next_open = 0
        if self.last_open != 0:
            self.orders[self.last_open - 1].next_open = place
        else:
            self.first_open = place
        self.last_open = place
        self.open_order_count += 1

    cdef void close(self, Order *order, int event, int state, uint64_t t_ns) noexcept nogil:
        """Take the order from the list of open ones; nothing of it is left."""
        if order.previous_open != 0:
            self.orders[order.previous_open - 1].next_open = order.next_open
        else:
            self.first_open = order.next_open
        if order.next_open != 0:
            self.orders[order.next_open - 1].previous_open = order.previous_open
        else:
            self.last_open = order.previous_open
        order.previous_open = 0
        order.next_open = 0
        order.leaves = 0
        self.move(order, event, state, t_ns)
        self.open_order_count -= 1

    cdef void finish(self, Order *order, int event, int state, int kind, uint16_t reason,
                     uint32_t quantity, int64_t price, uint64_t t_ns) noexcept nogil:
        """The order ended; a replace in flight was or will be ignored."""
        cdef Order *pending = self.find(order.replaced_by)
        self.close(order, event, state, t_ns)
        order.reason = reason
        self.exposures.on_closed(order.user_ref_num)
        if pending != NULL:
            self.close(pending, EVENT_ORIGINAL_ENDED, ORDER_IGNORED, t_ns)
            self.counts[OMS_REPLACES_IGNORED] += 1
        self.emit(order, kind, reason, quantity, price, t_ns)
        if pending != NULL:
            self.emit(pending, REPORT_REJECTED, 0, 0, pending.price, t_ns)

    cdef void end_replace(self, Order *order, int event, int state, uint16_t reason,
                          uint64_t t_ns) noexcept nogil:
        """A replace in flight will not be; its original stands."""
        cdef Order *original = self.find(order.replaces)
        self.close(order, event, state, t_ns)
        order.reason = reason
        self.exposures.on_replace_ended(order.user_ref_num)
        original.replaced_by = 0
        self.move(original, EVENT_REPLACE_ENDED, self.settled_state(original), t_ns)
        self.emit(order, REPORT_REJECTED, reason, 0, order.price, t_ns)

    cdef void emit(self, const Order *order, int kind, uint16_t reason, uint32_t quantity,
                   int64_t price, uint64_t t_ns) noexcept nogil:
        """Tell what happened, after everything is in its new state."""
        cdef OrderEvent event
        if self.events is None:
            return
        memset(&event, 0, sizeof(event))
        event.kind = kind
        event.state = order.state
        event.side = order.side
        event.reason = reason
        event.strategy_id = order.strategy_id
        event.user_ref_num = order.user_ref_num
        event.symbol_index = order.symbol_index
        event.quantity = quantity
        event.leaves_quantity = order.leaves
        event.price = price
        event.position = self.positions.positions[order.symbol_index].shares
        self.events.on_order_event(&event, t_ns)

    cdef dict order_dict(self, const Order *order, const Top *tops):
        """An order for Python; ``executed_notional`` and ``broken_shares`` are of its number."""
        cdef const char *symbol = <const char *> &tops[order.symbol_index].symbol
        return {
            "user_ref_num": order.user_ref_num,
            "state": ORDER_STATE.name_of(order.state),
            "side": chr(order.side),
            "symbol": symbol[:8].decode("latin-1").rstrip(),
            "symbol_index": order.symbol_index,
            "quantity": order.quantity,
            "leaves_quantity": order.leaves,
            "executed_quantity": order.executed,
            "executed_notional": order.executed_notional,
            "broken_shares": order.broken_shares,
            "price": order.price,
            "time_in_force": chr(order.time_in_force),
            "post_only": bool(order.post_only),
            "venue": order.venue,
            "strategy_id": order.strategy_id,
            "parent": order.parent,
            "replaces": order.replaces,
            "replaced_by": order.replaced_by,
            "order_reference_number": order.order_reference_number,
            "reason": order.reason,
            "pass_number": order.pass_number,
            "sent_ns": order.sent_ns,
            "changed_ns": order.changed_ns,
        }

    cdef list all_numbers(self):
        """Numbers of every order in the table, oldest first."""
        return sorted(filter(None, [self.orders[i].user_ref_num for i in range(self.capacity)]))

    cdef list open_numbers(self):
        """Numbers of the open orders in the order they were sent."""
        cdef uint32_t place = self.first_open
        found = []
        while place != 0:
            found.append(self.orders[place - 1].user_ref_num)
            place = self.orders[place - 1].next_open
        return found

    def illegal_transitions(self):
        """The latest illegal transitions, oldest first: number, state and event by name, time."""
        first = self.illegal_count - ILLEGAL_KEPT if self.illegal_count > ILLEGAL_KEPT else 0
        return [
            {
                "user_ref_num": kept["user_ref_num"],
                "state": ORDER_STATE.name_of(kept["state"]),
                "event": EVENT.name_of(kept["event"]),
                "t_ns": kept["t_ns"],
            }
            for kept in [self.illegal[i % ILLEGAL_KEPT] for i in range(first, self.illegal_count)]
        ]
