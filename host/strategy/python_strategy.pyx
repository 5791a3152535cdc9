# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Strategies in plain Python, behind the same calls as the compiled ones.

This is the one place where the hot thread may run the interpreter: that is what a Python strategy
costs, and ``tickwire bench`` shows how much.
"""

import sys
import traceback

from cpython.exc cimport PyErr_SetInterrupt
from libc.stdint cimport int64_t, uint8_t, uint32_t
from host.model cimport OrderEvent
from host.oms.enumerations import ORDER_STATE as ORDER
from host.strategy.strategy cimport FastStrategy

EVENT_NAMES = ("refused", "accepted", "replaced", "canceled", "executed", "rejected", "broken",
               "cancel_pending", "cancel_reject", "restated", "modified", "priority", "other")
"""Names of the order event kinds, in the order of the REPORT_* numbers."""


class TopOfBook:
    """What ``on_book`` is given: prices with four implied decimals, 0 for an empty side."""

    __slots__ = ("ask_price", "ask_shares", "bid_price", "bid_shares", "book_state", "index",
                 "last_price", "symbol", "timestamp", "trading_state")

    def __repr__(self):
        return (f"TopOfBook({self.symbol} {self.bid_shares} x {self.bid_price} / "
                f"{self.ask_price} x {self.ask_shares})")


class Strategy:
    """Base of Python strategies; override what you need.

    ``self.orders`` (:class:`host.strategy.strategy.Orders`) buys, sells, replaces and cancels; it
    is set before :meth:`on_start`. An exception stops this strategy, not the engine: from then on
    it is not called, its slices end, its new orders are refused, and the report names the error.
    What it has resting stays until it is cancelled.
    """

    orders = None

    def on_start(self):
        """The engine starts."""

    def on_book(self, top):
        """Best bid or offer, or the state, of a symbol changed; ``top`` is a TopOfBook."""

    def on_trade(self, symbol, price, shares):
        """A trade was printed."""

    def on_order(self, event):
        """One of our own orders changed; ``event`` is a dict, see ``order_event_dict``."""

    def on_timer(self, t_ns):
        """The engine's timer, about once a millisecond; ``t_ns`` is the engine's time."""

    def on_stop(self):
        """The engine stops; open orders are cancelled after this."""

    def report(self):
        """What to show at the end, as a dict of names to numbers."""
        return {}


cdef dict order_event_dict(const OrderEvent *event):
    """An order event as a dict."""
    return {
        "event": EVENT_NAMES[event.kind],
        "state": ORDER.name_of(event.state),
        "side": chr(event.side),
        "reason": event.reason,
        "user_ref_num": event.user_ref_num,
        "symbol_index": event.symbol_index,
        "quantity": event.quantity,
        "leaves_quantity": event.leaves_quantity,
        "price": event.price,
        "position": event.position,
    }


cdef class PythonStrategy(FastStrategy):
    """Calls a :class:`Strategy` from the hot thread."""

    cdef object strategy
    cdef bint is_failed
    cdef readonly str error          # the traceback that stopped it, or None

    def __init__(self, strategy, symbols=()):
        super().__init__(symbols)
        self.strategy = strategy

    cdef void failed(self) noexcept with gil:
        """An exception came out of a callback: none is called again, no new order passes."""
        self.is_failed = True
        self.orders.stop()
        self.error = traceback.format_exc()
        if isinstance(sys.exc_info()[1], KeyboardInterrupt):
            PyErr_SetInterrupt()     # it was meant for the driver, which will see it

    cdef object top_of(self, uint32_t symbol_index):
        top = TopOfBook()
        top.index = symbol_index
        top.symbol = (<bytes> (<const char *> &self.tops[symbol_index].symbol)[:8]).decode(
            "latin-1").rstrip()
        top.bid_price = self.tops[symbol_index].bid_price
        top.bid_shares = self.tops[symbol_index].bid_shares
        top.ask_price = self.tops[symbol_index].ask_price
        top.ask_shares = self.tops[symbol_index].ask_shares
        top.last_price = self.tops[symbol_index].last_price
        top.timestamp = self.tops[symbol_index].timestamp
        state = self.tops[symbol_index].trading_state
        top.trading_state = chr(state) if state else ""
        top.book_state = self.tops[symbol_index].book_state
        return top

    cdef void on_start(self) noexcept nogil:
        with gil:
            try:
                self.strategy.orders = self.orders
                self.strategy.on_start()
            except BaseException:
                self.failed()

    cdef void on_book(self, uint32_t symbol_index) noexcept nogil:
        if self.is_failed:
            return
        with gil:
            try:
                self.strategy.on_book(self.top_of(symbol_index))
            except BaseException:
                self.failed()

    cdef void on_trade(self, uint32_t symbol_index, int64_t price, int64_t shares,
                       uint8_t resting_side) noexcept nogil:
        if self.is_failed:
            return
        with gil:
            try:
                symbol = (<bytes> (<const char *> &self.tops[symbol_index].symbol)[:8])
                self.strategy.on_trade(symbol.decode("latin-1").rstrip(), price, shares)
            except BaseException:
                self.failed()

    cdef void on_order(self, const OrderEvent *event) noexcept nogil:
        if self.is_failed:
            return
        with gil:
            try:
                self.strategy.on_order(order_event_dict(event))
            except BaseException:
                self.failed()

    cdef void on_timer(self) noexcept nogil:
        if self.is_failed:
            return
        with gil:
            try:
                self.strategy.on_timer(self.orders.t_ns)
            except BaseException:
                self.failed()

    cdef void on_stop(self) noexcept nogil:
        if self.is_failed:
            return
        with gil:
            try:
                self.strategy.on_stop()
            except BaseException:
                self.failed()

    def report(self):
        """The strategy's own report, and the error that stopped it (or the report)."""
        found = {}
        try:
            found.update(self.strategy.report())
        except Exception:
            self.error = self.error or traceback.format_exc()
        if self.error:
            found["error"] = self.error.strip().splitlines()[-1]
        return found
