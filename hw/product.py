# SPDX-License-Identifier: Apache-2.0
"""Shares times price, four cycles later."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from nic.offload.limits import NOTIONAL_BITS, PRICE_BITS, QUANTITY_BITS

MULTIPLIER_BITS = 18
PRODUCT_CYCLES = 4


class Product(wiring.Component):
    """``product`` is ``shares`` times ``price`` of four cycles before; one per cycle.

    The shares' lowest 18 bits meet the price in two multipliers of 18 bits; their highest two only
    choose among multiples of it. The inputs' registers, without reset, can be the multipliers' own.
    """

    shares: In(QUANTITY_BITS)
    price: In(PRICE_BITS)
    product: Out(NOTIONAL_BITS)

    def elaborate(self, platform: object) -> Module:
        """Take, multiply, add, add."""
        m = Module()
        shares = Signal(QUANTITY_BITS, reset_less=True)
        price = Signal(PRICE_BITS, reset_less=True)
        m.d.sync += [shares.eq(self.shares), price.eq(self.price)]
        low, high = shares[:MULTIPLIER_BITS], shares[MULTIPLIER_BITS:]
        split = MULTIPLIER_BITS
        pieces = [Signal(2 * split), Signal(PRICE_BITS)]
        above = Signal(PRICE_BITS + len(high))
        above_later = Signal.like(above)
        partial = Signal(PRICE_BITS + split)
        m.d.sync += [
            pieces[0].eq(low * price[:split]),
            pieces[1].eq(low * price[split:]),
            above.eq(Mux(high[0], price, 0) + (Mux(high[1], price, 0) << 1)),
            partial.eq(pieces[0] + Cat(Const(0, split), pieces[1])),
            above_later.eq(above),
            self.product.eq(partial + Cat(Const(0, split), above_later)),
        ]
        return m
