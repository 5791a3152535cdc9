# SPDX-License-Identifier: Apache-2.0
"""Checks without a product. ``early`` findings are valid a cycle after the view, a look-up table or
a comparison of sizes behind registers; those with sums of positions two cycles after it.

Names and conditions are those of ``host/risk/reference.py`` and ``host/risk/reference_checks.py``.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Value

from hw.carry_save import exceeds, reaches
from hw.request import BUY, SELL, SELL_SHORT, SELL_SHORT_EXEMPT, Action
from hw.risk_products import later
from nic.offload.enumerations import ORDER_TYPE
from nic.offload.limits import MAXIMUM_QUANTITY_SHARES

DAY, IOC = ord("0"), ord("3")
TRADING = ord("T")
UNRESTRICTED = ord("0")


def any_later(m: Module, *terms: Value) -> Value:
    """Whether any is 1, asked in the next cycle: a request arrives through many gates."""
    return Cat(*(later(m, term) for term in terms)).any()


def always(m: Module, view: Any) -> dict[str, Value]:
    """What holds against everything, kills excepted; of a cancel only what concerns it."""
    request = view.request
    is_new, is_cancel = request.action == Action.NEW, request.action == Action.CANCEL
    is_replace = request.action == Action.REPLACE
    sides = (BUY, SELL, SELL_SHORT, SELL_SHORT_EXEMPT)
    is_side = any_later(m, *(request.side == side for side in sides))
    in_force = any_later(m, *(request.time_in_force == t for t in (DAY, IOC)))
    invalid = any_later(
        m,
        request.action == Action.INVALID,
        request.quantity == 0,
        request.quantity > MAXIMUM_QUANTITY_SHARES,
        request.price == 0,
    )
    findings = {
        "no_limits_set": ~is_cancel & ~view.is_set,
        "order_entry_down": ~view.sessions_up.bit_select(request.venue, 1),
        "unknown_symbol": is_new & (request.symbol_index >= view.symbol_count),
        "unknown_order": ~is_new & ~view.is_known,
        "order_busy": is_replace & view.is_busy,
        "replace_below_executed": is_replace & view.is_below_executed,
        "order_table_full": ~is_cancel & view.is_full,
    }
    return {name: later(m, finding) for name, finding in findings.items()} | {
        "invalid_request": later(m, ~is_cancel)
        & (invalid | ~in_force | (later(m, is_new) & ~is_side))
    }


def permission_and_market(m: Module, view: Any) -> dict[str, Value]:
    """What may be traded, how and when; book, feed, trading state and price bands."""
    request, limits, top = view.request, view.limits, view.top
    is_buy = view.is_buy
    kinds = {
        "day": request.time_in_force == DAY,
        "ioc": request.time_in_force == IOC,
        "post_only": request.post_only,
        "buy": is_buy,
        "sell": request.side == SELL,
        "sell_short": request.side == SELL_SHORT,
        "sell_short_exempt": request.side == SELL_SHORT_EXEMPT,
        "replace": request.action == Action.REPLACE,
    }
    kind_bits = Cat(*(kinds[name] for name in ORDER_TYPE.names))
    bid, ask, price = top.bid_price, top.ask_price, request.price
    above = any_later(m, ~top.band_upper_price.any(), price > top.band_upper_price)
    below = any_later(m, ~top.band_lower_price.any(), price < top.band_lower_price)
    findings = {
        "symbol_restricted": limits.is_restricted,
        "symbol_not_allowed": ~limits.is_allowed,
        "market_phase": ~limits.allowed_phases.bit_select(view.market_phase, 1),
        "symbol_not_clean": top.book_state.any(),
        "feed_stale": view.is_stale,
    }
    return {name: later(m, finding) for name, finding in findings.items()} | {
        "order_type_not_allowed": any_later(m, *(kind_bits & ~limits.allowed_order_types)),
        "symbol_halted": any_later(m, top.trading_state != TRADING, top.operational_halt),
        "market_crossed": ~any_later(m, ~bid.any(), ~ask.any(), bid < ask),
        "price_band": Mux(later(m, is_buy), above, below),
    }


def size(m: Module, view: Any) -> dict[str, Value]:
    """What one order may leave open."""
    limits, leaves = view.limits, later(m, view.leaves)  # what is left arrives through many gates
    lowest, highest, bound = (
        later(m, limits[f"{name}_shares"])
        for name in ("minimum_quantity", "maximum_quantity", "average_daily_volume_bound")
    )
    return {
        "minimum_quantity": leaves < lowest,
        "maximum_quantity": leaves > highest,
        "average_daily_volume": leaves > bound,
    }


def reference_price(m: Module, view: Any) -> dict[str, Value]:
    """Whether the collars have references, and none is too old."""
    top, t_ns = view.top, view.t_ns
    no_ask, no_bid, no_last = (
        later(m, price == 0) for price in (top.ask_price, top.bid_price, top.last_price)
    )
    is_absent = no_last | Mux(later(m, view.is_buy), no_ask, no_bid)
    is_past = reaches(m, [t_ns], [top.updated_ns], parts=3)
    oldest = [top.updated_ns, view.limits.reference_age_limit_ns]
    is_young = reaches(m, oldest, [t_ns], parts=3)
    return {"no_fresh_reference": is_absent | ~is_past | ~is_young}


def short_sale_rule(m: Module, view: Any) -> dict[str, Value]:
    """The price test of Regulation SHO."""
    request, top = view.request, view.top
    is_low = any_later(m, top.bid_price == 0, request.price <= top.bid_price)
    is_free = any_later(m, request.side != SELL_SHORT, top.short_sale_state == UNRESTRICTED)
    return {"short_sale_restricted": is_low & ~is_free}


class Positions:
    """Worst-case position of the request's side; valid two cycles after the view.

    ``findings`` by name; ``closes``: the request only takes away from a position, and
    ``may_close``, valid a cycle after the view, was 1.
    """

    def __init__(self, m: Module, view: Any, may_close: Value) -> None:
        side, row, limits = view.request.side, view.exposure, view.limits
        position, added = later(m, row.position), later(m, view.shares_added)
        bought, sold = later(m, row.buy.open_shares), later(m, row.sell.open_shares)
        longest, shortest, located = (
            later(m, limits[name])
            for name in (
                "maximum_long_position_shares",
                "maximum_short_position_shares",
                "short_sale_locate_shares",
            )
        )
        adds = later(m, added.any())
        buys_before = later(m, view.is_buy)
        buys = later(m, buys_before)
        long_mark = later(m, side == SELL, 2)
        short_mark = later(m, (side == SELL_SHORT) | (side == SELL_SHORT_EXEMPT), 2)
        too_long = exceeds(m, [bought, position, added], [longest])
        too_short = exceeds(m, [sold, added], [position, shortest])
        not_located = exceeds(m, [sold, added], [position, located])
        sells_short = exceeds(m, [sold, added], [position])
        self.findings = {
            "short_sale_mark": adds & long_mark & sells_short,
            "short_sale_locate": adds & short_mark & not_located,
            "maximum_long_position": adds & buys & too_long,
            "maximum_short_position": adds & ~buys & too_short,
        }
        # a look-up table each behind the comparison: every finding asks whether it counts
        buy_may = later(m, may_close & buys_before & (position < 0))
        sell_may = later(m, may_close & ~buys_before & (position > 0))
        buy_closes = buy_may & ~exceeds(m, [bought, position, added], [0])
        self.closes = buy_closes | (sell_may & ~sells_short)


def sums_and_flow(m: Module, view: Any) -> dict[str, Value]:
    """Sums over all symbols that need no product, and what is counted."""
    rooms, added = view.rooms, later(m, view.shares_added)
    findings = {
        "loss_limit": rooms.loss_limit,
        "open_orders": rooms.open_orders,
        "unacknowledged_orders": rooms.unacknowledged_orders,
        "order_to_trade_ratio": rooms.order_to_trade_ratio,
    }
    adds = later(m, view.shares_added.any())
    return {name: later(m, finding) for name, finding in findings.items()} | {
        "daily_quantity": adds & (added > later(m, rooms.daily_shares))
    }


def own_orders(m: Module, view: Any) -> dict[str, Value]:
    """Whether the price reaches an own order of the other side."""
    request, exposure = view.request, view.exposure
    best_buy, best_sell = exposure.buy.best_price, exposure.sell.best_price
    beyond_sell = any_later(m, ~best_sell.any(), request.price < best_sell)
    beyond_buy = any_later(m, ~best_buy.any(), request.price > best_buy)
    return {"self_trade": ~Mux(later(m, view.is_buy), beyond_sell, beyond_buy)}


def early_findings(m: Module, view: Any) -> dict[str, Value]:
    """All findings of one cycle but the symbol's tokens."""
    return {
        **always(m, view),
        **permission_and_market(m, view),
        **size(m, view),
        **reference_price(m, view),
        **short_sale_rule(m, view),
        **sums_and_flow(m, view),
        **own_orders(m, view),
    }
