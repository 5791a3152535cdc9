# SPDX-License-Identifier: Apache-2.0
"""The request that the risk gate is at work on, and what it changes if it passes."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.request import BUY, Action, request_layout
from hw.risk_rows import TIME_BITS, order_layout
from nic.offload.limits import NOTIONAL_BITS, QUANTITY_BITS

MEASURE_CYCLES = 8
"""Cycles from ``takes_order`` until all that depends on the order is worked out."""


class RequestHolder(wiring.Component):
    """Holds a request; works out its change while it waits.

    ``takes``: hold ``given`` from the next cycle on, which needs no room yet.
    ``takes_order``: ``order`` (if ``is_found``) is what it replaces or cancels: symbol, side,
    strategy and venue are the order's from then on, whatever was given. ``product``: open shares
    times price, of the decision's multipliers, four cycles behind ``request`` and ``leaves``.
    ``stamps``: ``given_t_ns`` becomes the request's time.

    ``leaves``, ``shares_added``, ``adds_notional``, ``is_smaller``, ``is_known``, ``is_busy`` and
    ``is_below_executed`` are those of the view; ``held_notional`` is the order's,
    ``notional_added`` what the request adds to it.
    """

    def __init__(
        self, order_bits: int, symbol_bits: int, strategy_bits: int, venue_bits: int
    ) -> None:
        layout = request_layout(symbol_bits, strategy_bits, venue_bits)
        super().__init__(
            {
                "takes": In(1),
                "given": In(layout),
                "takes_order": In(1),
                "is_found": In(1),
                "order": In(order_layout(order_bits, symbol_bits, strategy_bits, venue_bits)),
                "product": In(NOTIONAL_BITS),
                "stamps": In(1),
                "given_t_ns": In(TIME_BITS),
                "request": Out(layout),
                "t_ns": Out(TIME_BITS),
                "leaves": Out(QUANTITY_BITS),
                "shares_added": Out(QUANTITY_BITS),
                "adds_notional": Out(1),
                "is_smaller": Out(1),
                "is_known": Out(1),
                "is_busy": Out(1),
                "is_below_executed": Out(1),
                "held_notional": Out(NOTIONAL_BITS),
                "notional_added": Out(NOTIONAL_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Registers, and the differences to the order."""
        m = Module()
        request, order = self.request, self.order
        held_leaves = Signal(QUANTITY_BITS)
        held_price = Signal.like(order.price)
        with m.If(self.takes):
            m.d.sync += [
                request.eq(self.given),
                self.leaves.eq(self.given.quantity),
                self.is_known.eq(0),
                self.is_busy.eq(0),
                self.is_below_executed.eq(0),
                self.held_notional.eq(0),
                held_leaves.eq(0),
                held_price.eq(0),
            ]
        with m.If(self.takes_order & self.is_found):
            m.d.sync += [
                request.symbol_index.eq(order.symbol_index),
                request.side.eq(order.side),
                request.strategy.eq(order.strategy),
                request.venue.eq(order.venue),
                self.is_known.eq(1),
                self.is_busy.eq(
                    order.pending.any() | order.replaces.any() | order.cancel_in_flight
                ),
                self.is_below_executed.eq(request.quantity <= order.executed),
                held_leaves.eq(order.leaves),
                held_price.eq(order.price),
            ]
            with m.If(request.action == Action.REPLACE):
                m.d.sync += [
                    self.leaves.eq(request.quantity - order.executed),
                    self.held_notional.eq(order.notional),
                ]
        with m.If(self.stamps):
            m.d.sync += self.t_ns.eq(self.given_t_ns)

        is_new = request.action == Action.NEW
        adds, adds_shares = Signal(), Signal()
        difference, more_shares = Signal(NOTIONAL_BITS), Signal(QUANTITY_BITS)
        not_further, not_above, not_below = Signal(), Signal(), Signal()
        m.d.sync += [
            adds.eq(self.product > self.held_notional),
            difference.eq(self.product - self.held_notional),
            self.adds_notional.eq(is_new | adds),
            self.notional_added.eq(Mux(adds, difference, 0)),
            adds_shares.eq(self.leaves > held_leaves),
            more_shares.eq(self.leaves - held_leaves),
            self.shares_added.eq(Mux(adds_shares, more_shares, 0)),
            not_above.eq(request.price <= held_price),
            not_below.eq(request.price >= held_price),
            not_further.eq(Mux(request.side == BUY, not_above, not_below)),
            self.is_smaller.eq(
                (request.action == Action.REPLACE)
                & self.is_known
                & ~adds
                & ~adds_shares
                & not_further
            ),
        ]
        return m
