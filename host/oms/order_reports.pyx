# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""What the exchange and the session say, applied to the orders.

A message that the table of transitions forbids, or that executes or cancels more than is open, is
counted under its kind, remembered for the report, and changes nothing.

Source of the semantics: OUCH 5.0. A replace names the newest order of a chain and the chain's
total quantity; it is ignored silently when that order is no longer live, so a replace in flight
ends with its original. A cancel is answered only if it took shares off. Executed and Canceled are
incremental.
"""

from libc.string cimport memset
from host.interfaces cimport SESSION_DOWN, SESSION_ENDED, SESSION_UP
from host.model cimport (
    REPORT_ACCEPTED, REPORT_BROKEN, REPORT_CANCELED, REPORT_CANCEL_PENDING, REPORT_CANCEL_REJECT,
    REPORT_EXECUTED, REPORT_MODIFIED, REPORT_OTHER, REPORT_PRIORITY, REPORT_REJECTED,
    REPORT_REPLACED)
from host.oms.enumerations import EVENT
from host.oms.ids cimport *
from host.oms.position cimport Execution
from host.risk.ids cimport CARD_FAILURE_NUMBERS_BEHIND
from nic.offload.ids cimport GATE_MAXIMUM_PRICE
from nic.wire.ouch50_codec cimport OUCH50_ACCOUNT_QUERY_RESPONSE

cdef enum:
    LIVE = 76         # b"L", Order State of Accepted and Replaced; the other one is b"D", dead

if EVENT_ACCEPTED != REPORT_ACCEPTED or EVENT_OTHER != REPORT_OTHER:
    raise ImportError("host.oms: the events do not begin with the kinds of reports")
if (OMS_OTHER - OMS_ACCEPTED != REPORT_OTHER - REPORT_ACCEPTED
        or OMS_ILLEGAL_OTHER - OMS_ILLEGAL_ACCEPTED != REPORT_OTHER - REPORT_ACCEPTED):
    raise ImportError("host.oms: the counters do not follow the kinds of reports")


cdef inline bint is_price(int64_t price) noexcept nogil:
    """Whether a price is one that the gate could have passed."""
    return 0 < price <= GATE_MAXIMUM_PRICE


cdef class OrderReports(ReportSink):
    """The order management's side for the gateways of all venues."""

    def __init__(self, OrderTable table not None, RiskGate gate not None):
        self.table = table
        self.gate = gate

    cdef void on_report(self, const Report *report, uint64_t t_ns) noexcept nogil:
        """One decoded message of the exchange."""
        cdef Order *order
        if report.kind < REPORT_ACCEPTED or report.kind > REPORT_OTHER:
            self.table.count(OMS_ILLEGAL_OTHER)
            return
        self.table.count(OMS_ACCEPTED + report.kind - REPORT_ACCEPTED)
        if report.kind == REPORT_OTHER:
            if report.reason == OUCH50_ACCOUNT_QUERY_RESPONSE and report.venue < GATE_VENUES:
                self.exchange_next[report.venue] = report.user_ref_num
            return
        order = self.table.find(report.user_ref_num)
        if order == NULL or order.venue != report.venue:
            self.table.count(OMS_UNKNOWN_ORDER)
            if report.kind == REPORT_BROKEN and order == NULL:
                self.on_broken(NULL, report, t_ns)
        elif report.kind == REPORT_EXECUTED:
            self.on_executed(order, report, t_ns)
        elif report.kind == REPORT_ACCEPTED:
            self.on_accepted(order, report, t_ns)
        elif report.kind == REPORT_CANCELED:
            self.on_canceled(order, report, t_ns)
        elif report.kind == REPORT_REPLACED:
            self.on_replaced(order, report, t_ns)
        elif report.kind == REPORT_REJECTED:
            self.on_rejected(order, report, t_ns)
        elif report.kind == REPORT_BROKEN:
            self.on_broken(order, report, t_ns)
        elif report.kind == REPORT_CANCEL_PENDING or report.kind == REPORT_CANCEL_REJECT:
            self.on_cancel_state(order, report, t_ns)
        else:
            self.on_changed(order, report, t_ns)

    cdef void on_accepted(self, Order *order, const Report *report, uint64_t t_ns) noexcept nogil:
        """A new order is live, or was accepted and is dead at once."""
        cdef bint is_live = report.order_state == LIVE
        cdef int state = self.table.acknowledged_state(order) if is_live else ORDER_CANCELLED
        if (order.is_acknowledged or order.replaces != 0 or not is_price(report.price)
                or report.quantity > order.quantity or (is_live and report.quantity == 0)
                or not self.table.may(order, EVENT_ACCEPTED, state)):
            self.table.forbid(order, EVENT_ACCEPTED, t_ns)
            return
        order.is_acknowledged = True
        order.order_reference_number = report.order_reference_number
        order.price = report.price
        if not is_live:
            self.table.finish(order, EVENT_ACCEPTED, state, REPORT_ACCEPTED, 0, report.quantity,
                              report.price, t_ns)
            return
        order.quantity = report.quantity
        order.leaves = report.quantity
        self.table.move(order, EVENT_ACCEPTED, state, t_ns)
        self.table.exposures.on_terms(order.user_ref_num, order.leaves, order.price)
        self.table.emit(order, REPORT_ACCEPTED, 0, report.quantity, report.price, t_ns)

    cdef void on_replaced(self, Order *order, const Report *report, uint64_t t_ns) noexcept nogil:
        """A replace came to be: this number stands for the order now, or it is dead at once."""
        cdef Order *original = self.table.find(order.replaces)
        cdef bint is_live = report.order_state == LIVE
        cdef int state = ORDER_CANCELLED
        if is_live and original != NULL:
            if order.cancel_requested != CANCEL_NONE:
                state = ORDER_CANCEL_PENDING
            else:
                state = ORDER_PARTIALLY_FILLED if original.executed != 0 else ORDER_LIVE
        if (order.is_acknowledged or original == NULL or not original.is_acknowledged
                or original.replaced_by != order.user_ref_num
                or report.original_user_ref_num != original.user_ref_num
                or not is_price(report.price) or (is_live and report.quantity == 0)
                or report.quantity > order.quantity - original.executed
                or not self.table.may(original, EVENT_SUPERSEDED, ORDER_REPLACED)
                or not self.table.may(order, EVENT_REPLACED, state)):
            self.table.forbid(order, EVENT_REPLACED, t_ns)
            return
        order.is_acknowledged = True
        order.order_reference_number = report.order_reference_number
        order.price = report.price
        order.executed = original.executed
        self.table.close(original, EVENT_SUPERSEDED, ORDER_REPLACED, t_ns)
        if is_live:
            order.leaves = report.quantity
            order.quantity = order.executed + report.quantity
            self.table.move(order, EVENT_REPLACED, state, t_ns)
        else:
            self.table.close(order, EVENT_REPLACED, state, t_ns)
        self.table.exposures.on_replaced(order.user_ref_num, order.leaves, order.price)
        self.table.emit(order, REPORT_REPLACED, 0, report.quantity, report.price, t_ns)

    cdef void on_canceled(self, Order *order, const Report *report, uint64_t t_ns) noexcept nogil:
        """Shares were taken off, asked for or not."""
        cdef uint8_t cancel_before = order.cancel_requested
        cdef int state
        if cancel_before == CANCEL_SOME:
            order.cancel_requested = CANCEL_NONE
        state = self.table.acknowledged_state(order)
        if report.quantity == order.leaves:
            state = ORDER_CANCELLED
        if (not order.is_acknowledged or report.quantity == 0 or report.quantity > order.leaves
                or not self.table.may(order, EVENT_CANCELED, state)):
            order.cancel_requested = cancel_before
            self.table.forbid(order, EVENT_CANCELED, t_ns)
            return
        if state == ORDER_CANCELLED:
            self.table.finish(order, EVENT_CANCELED, state, REPORT_CANCELED, report.reason,
                              report.quantity, order.price, t_ns)
            return
        order.leaves -= report.quantity
        order.quantity -= report.quantity
        self.table.move(order, EVENT_CANCELED, state, t_ns)
        self.table.exposures.on_canceled(order.user_ref_num, report.quantity)
        self.table.emit(order, REPORT_CANCELED, report.reason, report.quantity, order.price, t_ns)

    cdef void on_executed(self, Order *order, const Report *report, uint64_t t_ns) noexcept nogil:
        """Shares were executed; legal after a cancel or replace request too."""
        cdef int state = ORDER_FILLED
        if report.quantity < order.leaves:
            state = self.table.acknowledged_state(order)
            if state == ORDER_LIVE:
                state = ORDER_PARTIALLY_FILLED
        elif order.broken_shares != 0:
            state = ORDER_BROKEN
        if (not order.is_acknowledged or report.quantity == 0 or report.quantity > order.leaves
                or not is_price(report.price) or not self.table.may(order, EVENT_EXECUTED, state)):
            self.table.forbid(order, EVENT_EXECUTED, t_ns)
            return
        order.executed += report.quantity
        order.leaves -= report.quantity
        order.executed_notional += <int64_t> report.quantity * report.price
        self.table.positions.execute(order.symbol_index, order.side, report.quantity, report.price,
                                     order.user_ref_num, report.match_number)
        self.table.exposures.on_fill(order.user_ref_num, order.symbol_index, order.side,
                                     report.quantity, report.price)
        if order.leaves == 0:
            self.table.finish(order, EVENT_EXECUTED, state, REPORT_EXECUTED, 0, report.quantity,
                              report.price, t_ns)
            return
        self.table.move(order, EVENT_EXECUTED, state, t_ns)
        self.table.emit(order, REPORT_EXECUTED, 0, report.quantity, report.price, t_ns)

    cdef void on_rejected(self, Order *order, const Report *report, uint64_t t_ns) noexcept nogil:
        """A new order, or a replace whose original stands, was refused."""
        if order.is_acknowledged or not self.table.may(order, EVENT_REJECTED, ORDER_REJECTED):
            self.table.forbid(order, EVENT_REJECTED, t_ns)
        elif order.replaces != 0:
            self.table.end_replace(order, EVENT_REJECTED, ORDER_REJECTED, report.reason, t_ns)
        else:
            self.table.finish(order, EVENT_REJECTED, ORDER_REJECTED, REPORT_REJECTED,
                              report.reason, 0, order.price, t_ns)

    cdef void on_broken(self, Order *order, const Report *report, uint64_t t_ns) noexcept nogil:
        """A trade was broken: position and profit as if it had never been; no share opens again.

        ``order`` is NULL when it is no longer in the table.
        """
        cdef int state = ORDER_NONE
        cdef Execution *execution
        if order != NULL:
            state = ORDER_BROKEN if order.state == ORDER_FILLED else order.state
            if not self.table.may(order, EVENT_BROKEN, state):
                self.table.forbid(order, EVENT_BROKEN, t_ns)
                return
        execution = self.table.positions.find(report.user_ref_num, report.match_number)
        if execution == NULL:
            self.table.count(OMS_EXECUTION_NOT_FOUND)
            return
        self.table.positions.break_trade(execution)
        self.table.exposures.on_broken(execution.symbol_index, execution.side, execution.quantity,
                                       execution.price)
        if order == NULL:
            return
        order.broken_shares += execution.quantity
        order.executed_notional -= <int64_t> execution.quantity * execution.price
        self.table.move(order, EVENT_BROKEN, state, t_ns)
        self.table.emit(order, REPORT_BROKEN, report.reason, execution.quantity, execution.price,
                        t_ns)

    cdef void on_cancel_state(self, Order *order, const Report *report,
                              uint64_t t_ns) noexcept nogil:
        """Late in a cross: the cancel waits for its end, or was refused."""
        cdef uint8_t cancel_before = order.cancel_requested
        cdef int state
        if report.kind == REPORT_CANCEL_REJECT:
            order.cancel_requested = CANCEL_NONE
        elif cancel_before == CANCEL_NONE:
            order.cancel_requested = CANCEL_SOME
        state = self.table.acknowledged_state(order)
        if not order.is_acknowledged or not self.table.may(order, report.kind, state):
            order.cancel_requested = cancel_before
            self.table.forbid(order, report.kind, t_ns)
            return
        self.table.move(order, report.kind, state, t_ns)
        if report.kind == REPORT_CANCEL_REJECT:
            self.table.exposures.on_cancel_ended(order.user_ref_num)
        self.table.emit(order, report.kind, report.reason, 0, order.price, t_ns)

    cdef void on_changed(self, Order *order, const Report *report, uint64_t t_ns) noexcept nogil:
        """Restated, modified or given another priority: shown otherwise, or of fewer shares."""
        if (not order.is_acknowledged or not self.table.may(order, report.kind, order.state)
                or (report.kind == REPORT_MODIFIED
                    and (report.quantity == 0 or report.quantity > order.leaves))):
            self.table.forbid(order, report.kind, t_ns)
            return
        if report.kind == REPORT_PRIORITY:
            order.order_reference_number = report.order_reference_number
        elif report.kind == REPORT_MODIFIED:
            order.quantity -= order.leaves - report.quantity
            order.leaves = report.quantity
            self.table.exposures.on_terms(order.user_ref_num, order.leaves, order.price)
        order.changed_ns = t_ns
        self.table.emit(order, report.kind, report.reason, report.quantity, order.price, t_ns)

    cdef void on_session(self, uint16_t venue, int state, uint64_t t_ns) noexcept nogil:
        """A venue's session changed its state; new orders are let through only while it is up."""
        if venue >= GATE_VENUES:
            return
        if state == SESSION_DOWN or state == SESSION_ENDED:
            self.gate.set_session(venue, False)
            self.exchange_next[venue] = 0
            self.session_lost(venue, t_ns)
        elif state == SESSION_UP:
            self.session_restored(venue, t_ns)
            if self.exchange_next[venue] != 0:
                self.resolve(venue, self.exchange_next[venue], t_ns)
            self.gate.set_session(venue, True)

    # The next three walk from the newest order to the oldest: what an order's end takes along
    # is its replace in flight, which is newer and behind the walk.

    cdef void session_lost(self, uint16_t venue, uint64_t t_ns) noexcept nogil:
        """Nobody knows whether the orders without an acknowledgement arrived."""
        cdef uint32_t place = self.table.last_open
        cdef Order *order
        while place != 0:
            order = &self.table.orders[place - 1]
            place = order.previous_open
            if (order.venue == venue and not order.is_acknowledged
                    and order.state != ORDER_UNKNOWN):
                self.table.move(order, EVENT_SESSION_DOWN, ORDER_UNKNOWN, t_ns)
                self.table.count(OMS_BECAME_UNKNOWN)
                self.table.emit(order, REPORT_OTHER, 0, 0, order.price, t_ns)

    cdef void session_restored(self, uint16_t venue, uint64_t t_ns) noexcept nogil:
        """The replay is complete: a cancel that it did not answer got lost."""
        cdef uint32_t place = self.table.last_open
        cdef Order *order
        while place != 0:
            order = &self.table.orders[place - 1]
            place = order.previous_open
            if (order.venue == venue and order.is_acknowledged
                    and order.cancel_requested != CANCEL_NONE):
                order.cancel_requested = CANCEL_NONE
                self.table.move(order, EVENT_SESSION_UP, self.table.acknowledged_state(order),
                                t_ns)
                self.table.count(OMS_CANCELS_LOST)
                self.table.exposures.on_cancel_ended(order.user_ref_num)
                self.table.emit(order, REPORT_CANCEL_REJECT, 0, 0, order.price, t_ns)

    cdef uint32_t resolve(self, uint16_t venue, uint32_t next_user_ref_num,
                          uint64_t t_ns) noexcept nogil:
        """Decide about unknown orders by the next number the exchange expects; how many remain."""
        cdef uint32_t place = self.table.last_open
        cdef uint32_t remaining = 0
        cdef Order *order
        while place != 0:
            order = &self.table.orders[place - 1]
            place = order.previous_open
            if order.venue != venue or order.state != ORDER_UNKNOWN:
                continue
            if order.user_ref_num < next_user_ref_num:
                remaining += 1
                self.table.count(OMS_STILL_UNKNOWN)
                continue
            self.table.count(OMS_NOT_RECEIVED)
            if order.replaces != 0:
                self.table.end_replace(order, EVENT_NOT_RECEIVED, ORDER_NOT_RECEIVED, 0, t_ns)
            else:
                self.table.finish(order, EVENT_NOT_RECEIVED, ORDER_NOT_RECEIVED, REPORT_REJECTED,
                                  0, 0, order.price, t_ns)
        if next_user_ref_num > self.table.next_user_ref_num:
            self.table.next_user_ref_num = next_user_ref_num
            # a card numbers by itself, and from 1
            self.gate.fail_card(CARD_FAILURE_NUMBERS_BEHIND, next_user_ref_num, t_ns)
        return remaining

    def report(self, kind, uint64_t t_ns=0, **values):
        """Take a message of the exchange given by its fields; ``kind`` is a name of ``EVENT``.

        ``values``: fields of ``Report`` in ``host/model.pxd``, 0 where not given.
        """
        cdef Report report
        memset(&report, 0, sizeof(report))
        report = {**report, "kind": EVENT.value(kind), **values}
        self.on_report(&report, t_ns)

    def session(self, uint16_t venue, int state, uint64_t t_ns=0):
        """Take a session's new state (SESSION_* of ``host/interfaces.pxd``)."""
        self.on_session(venue, state, t_ns)
