# SPDX-License-Identifier: Apache-2.0
"""Checks that need a product: three cycles, the finding is a look-up table behind registers.

The view is in cycle 0; what is multiplied is chosen and registered at its end. Multipliers have
cycle 1, sums are compared in cycle 2, and a finding is the first look-up table of cycle 3.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed

from hw.carry_save import (
    MULTIPLIER_BITS,
    carry_save,
    exceeds,
    is_not_negative,
    partial_products,
    widened,
    with_carry,
)
from nic.offload.enumerations import GATE
from nic.offload.limits import QUANTITY_BITS

BASIS_POINTS = GATE.value("basis_points")
COLLAR_BITS = 48
"""Signed, of the difference of two prices times factors."""


def later(m: Module, value: Any, cycles: int = 1) -> Any:
    """The value some cycles later; a layout keeps its fields.

    Registers without reset: those right before a multiplier can be the multiplier's own.
    """
    for _ in range(cycles):
        shape = value.shape()
        name = "later" if isinstance(shape, Shape) else None
        register: Any = Signal(shape, name=name, reset_less=True)
        m.d.sync += register.eq(value)
        value = register
    return value


class Notional:
    """Shares times price of a view, of which the shares have two bits more than a multiplier takes.

    ``parts``: numbers whose sum it is; valid two cycles after the view.
    """

    def __init__(self, m: Module, shares: Value, price: Value) -> None:
        low, excess = shares[:MULTIPLIER_BITS], shares[MULTIPLIER_BITS:]
        self._m = m
        # chosen before the registers: a bit of the shares is asked by every bit of the price
        self._excess = [later(m, Mux(bit, price, 0)) << i for i, bit in enumerate(excess)]
        rest = Signal(len(price) + len(excess), name="rest")
        m.d.sync += rest.eq(self._excess[0] + self._excess[1])
        self._products = partial_products(m, later(m, low), later(m, price))
        self.parts = [*self._products, Cat(Const(0, MULTIPLIER_BITS), rest)]

    def exceeds(self, limit: Value) -> Value:
        """Whether it is greater than a limit in the cycle after the view; valid two cycles later.

        What needs no multiplier is taken from the limit meanwhile.
        """
        width = len(limit) - MULTIPLIER_BITS + 2
        upper = widened(limit.shift_right(MULTIPLIER_BITS), width)
        less = [~widened(part, width) for part in self._excess]
        left, right, carry_in = carry_save([upper, *less], len(less), self._m)
        room = Signal(signed(width + MULTIPLIER_BITS), name="room")
        self._m.d.sync += room.eq(
            Cat(limit[:MULTIPLIER_BITS], with_carry(left, right, carry_in)[:width])
        )
        return exceeds(self._m, self._products, [room])


def is_multiple(m: Module, given: Value, view_limits: Any, name: str) -> Value:
    """Whether a number is a multiple (``nic/offload/limit_words.py``); valid three cycles later.

    The lower part of the product needs one multiplier, the upper one two more and a sum. It is
    that sum's remainder that may not be above the highest one: the sum less the highest one and
    one lies one span of remainders lower than the sum, or not, so the bit above them tells.
    """
    value, limits = later(m, given), later(m, view_limits)
    low, bits = MULTIPLIER_BITS, len(value)
    upper = bits - low
    inverse, mask, highest = (limits[f"{name}_{part}"] for part in ("inverse", "mask", "highest"))
    product = Signal(bits)
    crossed = [Signal(upper, name=f"crossed_{i}") for i in range(2)]
    m.d.sync += [
        product.eq(value[:low] * inverse[:low]),
        crossed[0].eq(value[:upper] * inverse[low:]),
        crossed[1].eq(value[low:] * inverse[:upper]),
    ]
    beyond = Cat(~later(m, highest), Const(1, 1))
    parts = [Cat(part, Const(0, 1)) for part in (product[low:], *crossed)]
    sum_left, sum_right, _ = carry_save(parts, 0, m)
    left, right, _ = carry_save([*parts, beyond[low:]], 0, m)
    spans, spans_less = Signal(), Signal()
    m.d.sync += [
        spans.eq((sum_left + sum_right)[upper]),
        spans_less.eq((Cat(product[:low], left) + Cat(beyond[:low], right))[bits]),
    ]
    return (spans ^ spans_less) & ~later(m, (value & mask).any(), 2)


class NotionalChecks:
    """Price times shares against the limit of one order and against what is left of the sums.

    ``findings`` by name: valid three cycles after the view, and counting if ``counts`` was 1 in the
    cycle before. ``is_credit_alert``: with the findings. ``parts``: the product, two cycles after
    the view.
    """

    def __init__(self, m: Module, view: Any) -> None:
        is_buy = view.is_buy
        rooms = view.rooms
        net = Mux(is_buy, rooms.net_notional_buy, rooms.net_notional_sell)
        notional = Notional(m, view.leaves, view.request.price)
        self.parts = notional.parts
        adds = later(m, view.adds_notional, 2)
        adds_buy = later(m, view.adds_notional & is_buy, 2)

        def beyond(limit: Value) -> Value:
            return notional.exceeds(later(m, limit))

        self.findings = {
            "maximum_notional": beyond(view.limits.maximum_notional),
            "gross_notional": beyond(rooms.gross_notional),
            "net_notional": beyond(net),
            "daily_notional": beyond(rooms.daily_notional),
            "credit_limit": beyond(rooms.credit),
        }
        self.counts = {
            "maximum_notional": Const(1, 1),
            "gross_notional": adds,
            "net_notional": adds,
            "daily_notional": adds,
            "credit_limit": adds_buy,
        }
        self.is_credit_alert = later(m, adds_buy) & beyond(rooms.credit_alert)


def collar(m: Module, view: Any, name: str, buy_price: Value, sell_price: Value) -> Value:
    """How far the price goes beyond a reference; valid three cycles after the view.

    ``buy_price`` and ``sell_price`` are what a buy and a sell are held against.
    """
    price, is_buy = view.request.price, view.is_buy
    limits = view.limits
    reference = later(m, Mux(is_buy, buy_price, sell_price))
    factor = later(
        m, Mux(is_buy, limits[f"collar_{name}_buy_factor"], limits[f"collar_{name}_sell_factor"])
    )
    units, asked, buys = (
        later(m, limits[f"collar_{name}_price_units"]),
        later(m, price),
        later(m, is_buy),
    )
    far_buy = exceeds(m, [asked], [reference, units])
    far_sell = exceeds(m, [reference], [asked, units])
    is_far = later(m, Mux(later(m, buys), far_buy, far_sell))
    is_absent = later(m, later(m, reference == 0))

    # 10,000 times the price less the furthest one, or the other way round, is above 0
    scaled = partial_products(m, Const(BASIS_POINTS), later(m, price))
    furthest = partial_products(m, factor, reference)
    sells = later(m, ~buys).replicate(COLLAR_BITS)
    operands = [Cat(part, Const(0, COLLAR_BITS - len(part))) ^ sells for part in scaled]
    operands += [Cat(part, Const(0, COLLAR_BITS - len(part))) ^ ~sells for part in furthest]
    return is_absent | (is_far & is_not_negative(m, operands, 1))


def product_findings(m: Module, view: Any) -> tuple[dict[str, Value], dict[str, Value]]:
    """Findings about grid and distance of the price, valid three cycles after the view.

    And whether they count, a cycle earlier.
    """
    top, limits, price = view.top, view.limits, view.request.price
    findings = {
        "lot_size": ~is_multiple(m, view.leaves, limits, "lot"),
        "tick_size": ~is_multiple(m, price, limits, "tick"),
        "collar_best_price": collar(m, view, "best", top.ask_price, top.bid_price),
        "collar_last_trade": collar(m, view, "last", top.last_price, top.last_price),
    }
    counts = dict.fromkeys(findings, Const(1, 1))
    counts["tick_size"] = later(m, price >= limits.tick_size_from_price, 2)
    return findings, counts


assert MULTIPLIER_BITS + 2 == QUANTITY_BITS, "a notional takes two bits beyond a multiplier"
