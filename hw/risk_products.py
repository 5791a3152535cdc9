# SPDX-License-Identifier: Apache-2.0
"""Checks that need a product: two cycles of arithmetic, the finding is there in the third.

The view is in cycle 0; multipliers end in registers at its end; sums are compared in cycle 1; a
finding is the first look-up table of cycle 2.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value

from hw.carry_save import MULTIPLIER_BITS, Factor, exceeds, partial_products
from nic.offload.enumerations import GATE
from nic.offload.limits import QUANTITY_BITS

BUY = ord("B")
BASIS_POINTS = GATE.value("basis_points")


def later(m: Module, value: Any, cycles: int = 1) -> Any:
    """The value some cycles later; a layout keeps its fields."""
    for _ in range(cycles):
        shape = value.shape()
        register: Any = Signal(shape, name="later") if isinstance(shape, Shape) else Signal(shape)
        m.d.sync += register.eq(value)
        value = register
    return value


def notional_parts(m: Module, shares: Factor, price: Factor) -> list[Value]:
    """Numbers whose sum is shares times price; valid in the next cycle."""
    low = MULTIPLIER_BITS
    rests = [
        Mux(s[low], p, 0) + (Mux(s[low + 1], p, 0) << 1)
        for s, p in zip(shares.values, price.values, strict=True)
    ]
    rest = Signal(len(price) + len(shares) - low, name="rest")
    m.d.sync += rest.eq(Mux(shares.is_second, rests[-1], rests[0]))
    parts = partial_products(m, shares[:low], price)
    return [*parts, Cat(Const(0, low), rest)]


def is_multiple(m: Module, factor: Factor, value: Value, limits: Any, name: str) -> Value:
    """Whether a number is a multiple (``limit_words``); valid two cycles later.

    ``factor`` and ``value`` are the same number, ``value`` behind the choice of its register.

    The lower part of the product needs one multiplier and is compared while the upper is summed.
    """
    low, bits = MULTIPLIER_BITS, len(value)
    upper = bits - low
    inverse, mask, highest = (limits[f"{name}_{part}"] for part in ("inverse", "mask", "highest"))
    inverse = Factor(inverse)
    lower_product = Signal(bits)
    crossed = [Signal(upper, name=f"crossed_{i}") for i in range(2)]
    m.d.sync += [
        lower_product.eq(factor[:low] * inverse[:low]),
        crossed[0].eq(factor[:upper] * inverse[low:]),
        crossed[1].eq(factor[low:] * inverse[:upper]),
    ]
    bound = later(m, highest)
    has_rest = later(m, (value & mask).any(), 2)
    upper_sum, lower_fits = Signal(upper), Signal()
    m.d.sync += [
        upper_sum.eq(lower_product[low:] + (crossed[0] + crossed[1])[:upper]),
        lower_fits.eq(lower_product[:low] <= bound[:low]),
    ]
    upper_bound = later(m, bound[low:])
    return ~has_rest & (Cat(lower_fits, upper_bound) > Cat(Const(0, 1), upper_sum))


class NotionalChecks:
    """Price times shares against the limit of one order and against what is left of the sums.

    ``findings`` by name, and ``is_credit_alert``: valid two cycles after the view. ``parts``: the
    product, one cycle after it.
    """

    def __init__(self, m: Module, view: Any, price: Factor, leaves: Factor) -> None:
        is_buy = view.request.side == BUY
        rooms = view.rooms
        net = Mux(is_buy, rooms.net_notional_buy, rooms.net_notional_sell)
        self.parts = notional_parts(m, leaves, price)
        adds = later(m, view.adds_notional, 2)
        adds_buy = later(m, view.adds_notional & is_buy, 2)

        def beyond(limit: Value) -> Value:
            return exceeds(m, self.parts, [later(m, limit)])

        self.findings = {
            "maximum_notional": beyond(view.limits.maximum_notional),
            "gross_notional": adds & beyond(rooms.gross_notional),
            "net_notional": adds & beyond(net),
            "daily_notional": adds & beyond(rooms.daily_notional),
            "credit_limit": adds_buy & beyond(rooms.credit),
        }
        self.is_credit_alert = adds_buy & beyond(rooms.credit_alert)


class Collar:
    """How far the price goes beyond a reference; ``finding`` is valid two cycles after the view.

    ``buy_reference`` and ``sell_reference`` are what a buy and a sell are held against.
    """

    def __init__(
        self,
        m: Module,
        view: Any,
        name: str,
        buy_reference: Value,
        sell_reference: Value,
        scaled_price: list[Value],
    ) -> None:
        price, is_buy = view.request.price, view.request.side == BUY
        limits = view.limits
        units = limits[f"collar_{name}_price_units"]
        is_absent = Mux(is_buy, buy_reference, sell_reference) == 0
        buy_highest = partial_products(
            m, Factor(limits[f"collar_{name}_buy_factor"]), Factor(buy_reference)
        )
        sell_lowest = partial_products(
            m, Factor(limits[f"collar_{name}_sell_factor"]), Factor(sell_reference)
        )
        buy_distance = exceeds(m, [price], [buy_reference, units])
        sell_distance = exceeds(m, [sell_reference], [price, units])
        buys = later(m, is_buy)
        buy_far, sell_far = later(m, buys & buy_distance), later(m, ~buys & sell_distance)
        self.finding = (
            later(m, is_absent, 2)
            | (buy_far & exceeds(m, scaled_price, buy_highest))
            | (sell_far & exceeds(m, sell_lowest, scaled_price))
        )


def size_and_collars(m: Module, view: Any, price: Factor, leaves: Factor) -> dict[str, Value]:
    """Findings about grid and distance of the price, valid two cycles after the view."""
    limits, top = view.limits, view.top
    lot_fits = is_multiple(m, leaves, view.leaves, limits, "lot")
    tick_fits = is_multiple(m, price, view.request.price, limits, "tick")
    has_tick = later(m, view.request.price >= limits.tick_size_from_price, 2)
    scaled_price = partial_products(m, Factor(Const(BASIS_POINTS)), price)
    best = Collar(m, view, "best", top.ask_price, top.bid_price, scaled_price)
    last = Collar(m, view, "last", top.last_price, top.last_price, scaled_price)
    return {
        "lot_size": ~lot_fits,
        "tick_size": has_tick & ~tick_fits,
        "collar_best_price": best.finding,
        "collar_last_trade": last.finding,
    }


assert MULTIPLIER_BITS + 2 == QUANTITY_BITS, "notional_parts takes two bits beyond a multiplier"
