# SPDX-License-Identifier: Apache-2.0
"""Shares times price, three cycles later."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from nic.offload.limits import NOTIONAL_BITS, PRICE_BITS, QUANTITY_BITS

MULTIPLIER_BITS = 18
PRODUCT_CYCLES = 3


class Product(wiring.Component):
    """``product`` is ``shares`` times ``price`` of three cycles before; one per cycle.

    The shares' lowest 18 bits meet the price in two multipliers of 18 bits; their highest two only
    choose among multiples of it. Inputs should come from registers.
    """

    shares: In(QUANTITY_BITS)
    price: In(PRICE_BITS)
    product: Out(NOTIONAL_BITS)

    def elaborate(self, platform: object) -> Module:
        """Multiply, add, add."""
        m = Module()
        low, high = self.shares[:MULTIPLIER_BITS], self.shares[MULTIPLIER_BITS:]
        split = MULTIPLIER_BITS
        pieces = [Signal(2 * split), Signal(PRICE_BITS)]
        above = Signal(PRICE_BITS + len(high))
        above_later = Signal.like(above)
        partial = Signal(PRICE_BITS + split)
        m.d.sync += [
            pieces[0].eq(low * self.price[:split]),
            pieces[1].eq(low * self.price[split:]),
            above.eq(Mux(high[0], self.price, 0) + (Mux(high[1], self.price, 0) << 1)),
            partial.eq(pieces[0] + Cat(Const(0, split), pieces[1])),
            above_later.eq(above),
            self.product.eq(partial + Cat(Const(0, split), above_later)),
        ]
        return m
