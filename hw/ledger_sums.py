# SPDX-License-Identifier: Apache-2.0
"""The ledger's steps that weigh what changed, and make it visible."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed

from hw.best_price import reaches_further
from hw.ledger_ports import Operation
from hw.ledger_state import LedgerState
from hw.request import BUY
from hw.risk_rows import MONEY_BITS
from nic.offload.limits import QUANTITY_BITS


def weigh(m: Module, s: LedgerState) -> None:
    """From what was and what is to what changes in the symbol's row and in the sums."""
    order, known, side_row, new_side_row = s.ports.order, s.known, s.side_row, s.new_side_row
    position_notional = Signal(MONEY_BITS)
    minus_before, minus_after = (
        Signal(signed(MONEY_BITS), name=f"minus_{when}") for when in ("before", "after")
    )
    is_short = Signal()
    net_change, gross_change = s.net_change, s.gross_change
    order_change = s.order_change
    position_change = Signal(signed(MONEY_BITS))
    order_counts = Signal.like(order_change)
    position_counts = Signal.like(position_change)
    shares_change = Signal(signed(QUANTITY_BITS + 1))
    is_further, was_best, is_same = Signal(), Signal(), Signal()
    comes_in = Signal()  # money
    m.d.sync += comes_in.eq((s.side == BUY) ^ s.is_(Operation.FILL))
    rests = s.order_part & ~s.is_gone
    m.d.sync += [
        new_side_row.open_shares.eq(side_row.open_shares + shares_change),
        new_side_row.open_notional.eq(side_row.open_notional + order_change),
        new_side_row.orders.eq(side_row.orders + rests - s.had),
    ]
    with m.If(s.steps.ongoing("RESERVE") | s.steps.ongoing("PRICE_TAKEN")):
        m.d.sync += side_row.eq(Mux(s.is_buy, known.buy.as_value(), known.sell.as_value()))
    with s.steps.state("RESERVE"):
        low, high = s.size_notional
        m.d.sync += [
            s.new_shares.eq(Mux(s.is_gone, 0, s.most_shares())),
            s.new_notional.eq(Mux(s.is_gone, 0, s.most_notional())),
            s.new_price.eq(s.furthest_price()),
            position_notional.eq(low + Cat(Const(0, QUANTITY_BITS), high)),
        ]
        s.steps.go("DIFFER")
    with s.steps.state("DIFFER"):
        old_value = known.position_notional
        m.d.sync += [
            shares_change.eq(s.new_shares - Mux(s.had, s.old_shares, 0)),
            order_change.eq(s.new_notional - Mux(s.had, s.old_notional, 0)),
            position_change.eq(position_notional - old_value),
            minus_before.eq(-old_value),
            minus_after.eq(-position_notional),
            is_short.eq(known.position < 0),
            s.cash_change.eq(Mux(comes_in, s.paid, -s.paid)),
            is_further.eq(reaches_further(s.is_buy, s.new_price, side_row.best_price)),
            was_best.eq(s.had & (s.old_price == side_row.best_price)),
            is_same.eq(~s.is_gone & (s.old_price == s.new_price)),
        ]
        s.steps.go("ADD")
    with s.steps.state("ADD"):
        m.d.sync += [
            order_counts.eq(Mux(s.order_part, order_change, 0)),
            position_counts.eq(Mux(s.position_part, position_change, 0)),
            net_change.eq(
                Mux(is_short, minus_after, position_notional)
                - Mux(s.was_short, minus_before, known.position_notional)
            ),
        ]
        with m.If(s.position_part):
            m.d.sync += known.position_notional.eq(position_notional)
        s.steps.go("BEST")
    has_none, takes_new, lost_best = Signal(), Signal(), Signal()
    m.d.sync += gross_change.eq(order_counts + position_counts)  # wanted steps later
    with s.steps.state("BEST"):  # which price it is; the price itself is a step of its own
        is_first = rests & (new_side_row.orders == 1)
        takes_this = (rests & is_further) | is_first
        m.d.sync += [
            has_none.eq(s.order_part & ~new_side_row.orders.any()),
            takes_new.eq(s.order_part & takes_this),
            lost_best.eq(s.order_part & was_best & ~is_same),
        ]
        s.steps.go("PRICE")
    with s.steps.state("PRICE"):
        m.d.sync += new_side_row.best_price.eq(side_row.best_price)
        with m.If(lost_best & ~has_none & ~takes_new):
            m.d.sync += s.needs_search.eq(1)
        with m.If(s.is_search_result):
            m.d.sync += new_side_row.best_price.eq(s.search.best_price)
        with m.If(takes_new):
            m.d.sync += new_side_row.best_price.eq(s.new_price)
        with m.If(has_none):
            m.d.sync += new_side_row.best_price.eq(0)
        s.steps.go("WRITE")
    with s.steps.state("PRICE_FOUND"):
        is_buy_found = s.search.wanted_is_buy
        m.d.sync += [
            order.side.eq(Mux(is_buy_found, BUY, 0)),
            s.is_buy.eq(is_buy_found),
            shares_change.eq(0),
            order_change.eq(0),
        ]
        m.d.comb += s.search.acknowledge.eq(1)
        s.steps.go("PRICE_TAKEN")
    with s.steps.state("PRICE_TAKEN"):
        s.steps.go("ADD")


def row_ports(m: Module, s: LedgerState) -> None:
    """What stands at the write ports of the tables while nothing else is said."""
    order, search, is_buy = s.ports.order, s.search, s.is_buy
    m.d.comb += [
        s.symbols.write_data.eq(s.known),
        search.symbol_index.eq(order.symbol_index),
        search.is_buy.eq(is_buy),
        search.place.eq(order.number),
        search.row.is_resting.eq(~s.is_gone & ~order.replaces.any()),
        search.row.is_buy.eq(is_buy),
        search.row.symbol_index.eq(order.symbol_index),
        search.row.price.eq(s.new_price),
        s.orders.write_address.eq(order.number),
        s.orders.write_data.eq(order),
        s.numbers.place.eq(order.number),
    ]
    with m.If(s.row_changes & is_buy):
        m.d.comb += s.symbols.write_data.buy.eq(s.new_side_row)
    with m.If(s.row_changes & ~is_buy):
        m.d.comb += s.symbols.write_data.sell.eq(s.new_side_row)
    with m.If(s.is_gone):
        m.d.comb += s.orders.write_data.is_open.eq(0)


def write(m: Module, s: LedgerState) -> None:
    """Everything becomes visible; then the second row, then the search for a best price."""
    order, op, totals = s.ports.order, Operation, s.ports.totals
    orders, search, numbers = s.orders, s.search, s.numbers
    with s.steps.state("WRITE"):
        m.d.comb += [
            s.symbols.write_enable.eq(s.row_changes | s.position_part),
            orders.write_enable.eq(s.order_part),
            search.write.eq(s.order_part),
            numbers.free.eq(s.order_part & s.is_gone),
        ]
        s.steps.go("SHOW")
    with s.steps.state("SHOW"):  # the rows are written in this cycle
        s.steps.go("IDLE")
        with m.If(s.order_part):
            with m.If(s.has_other):
                s.steps.go("WRITE_OTHER")
            with m.Elif(s.needs_search):
                s.steps.go("SEARCH")
            more, fewer = s.is_new_row, s.fewer_unacknowledged
            m.d.sync += [
                totals.open_orders.eq(totals.open_orders + more - s.fewer_open),
                totals.unacknowledged_orders.eq(totals.unacknowledged_orders + more - fewer),
            ]
            with m.If(s.is_buy):
                total = totals.open_buy_notional
                m.d.sync += total.eq(total + s.order_change)
            with m.Else():
                total = totals.open_sell_notional
                m.d.sync += total.eq(total + s.order_change)
        with m.If(s.order_part | s.position_part):
            m.d.sync += totals.gross_notional.eq(totals.gross_notional + s.gross_change)
        with m.If(s.position_part):
            net = totals.net_position_notional
            m.d.sync += net.eq(net + s.net_change)
        with m.If(s.position_part & ~s.is_(op.MARK)):
            m.d.sync += totals.cash.eq(totals.cash + s.cash_change)
        with m.If(s.position_part | (s.is_(op.OWN) & ~s.is_search_result)):
            m.d.sync += [
                totals.executions.eq(s.executions),
                totals.executions_by_ratio.eq(s.by_ratio),
                s.ratio_used.eq(s.ratio_taken),
            ]
        with m.If(s.is_(op.NEW, op.REPLACE)):
            m.d.sync += [
                totals.messages.eq(totals.messages + 1),
                totals.daily_shares.eq(totals.daily_shares + s.given.shares_added),
                totals.daily_notional.eq(totals.daily_notional + s.given.notional_added),
            ]
        with m.If(s.again):
            m.d.sync += [
                s.again.eq(0),
                s.order_part.eq(1),
                s.position_part.eq(0),
                s.symbol_index.eq(order.symbol_index),
            ]
            s.steps.go("FETCH_AGAIN")
    with s.steps.state("STORE"):
        m.d.comb += orders.write_enable.eq(s.ports.order_found)
        with m.If(s.is_(op.CANCEL)):
            m.d.sync += totals.messages.eq(totals.messages + 1)
        s.steps.go("IDLE")
    with s.steps.state("NEW_DAY"):
        m.d.sync += [
            totals[name].eq(0)
            for name in (
                *("daily_shares", "daily_notional", "messages"),
                *("executions", "executions_by_ratio"),
            )
        ]
        s.steps.go("IDLE")
    with s.steps.state("FETCH_AGAIN"):
        s.steps.go("READ_AGAIN")
    with s.steps.state("READ_AGAIN"):
        s.steps.go("KNOW")
    with s.steps.state("WRITE_OTHER"):
        in_flight = orders.write_data
        m.d.comb += [
            in_flight.eq(0),
            in_flight.is_open.eq(s.is_(op.REPLACE)),
            in_flight.number.eq(s.other),
            in_flight.symbol_index.eq(order.symbol_index),
            in_flight.side.eq(order.side),
            in_flight.strategy.eq(order.strategy),
            in_flight.venue.eq(order.venue),
            in_flight.replaces.eq(order.number),
            orders.write_enable.eq(1),
            orders.write_address.eq(s.other),
            search.write.eq(1),
            search.place.eq(s.other),
            search.row.is_resting.eq(0),
            numbers.free.eq(~s.is_(op.REPLACE)),
            numbers.place.eq(s.other),
        ]
        s.steps.go("IDLE")
        with m.If(s.needs_search):
            s.steps.go("SEARCH")
    with s.steps.state("SEARCH"):
        m.d.comb += search.start.eq(1)
        s.steps.go("IDLE")
