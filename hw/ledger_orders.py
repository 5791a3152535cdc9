# SPDX-License-Identifier: Apache-2.0
"""The ledger's steps that find an order and change its row."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Value

from hw.ledger_ports import Operation
from hw.ledger_state import LAST_SLOT, LedgerState
from hw.product import PRODUCT_CYCLES
from hw.request import BUY


def find(m: Module, s: LedgerState) -> None:
    """Read the order, and the one it replaces; see what there is to do."""
    order, op = s.ports.order, Operation
    order_address, read_order = s.orders.read()
    _, read_symbol = s.symbols.read(1)
    m.d.comb += order_address.eq(s.looks_at)
    with s.steps.state("FETCH"):
        s.steps.go("READ")
    with s.steps.state("READ"):
        s.steps.go("TAKE")
    m.d.sync += s.loads.eq(s.steps.ongoing("READ") | s.steps.ongoing("LOOK_BEHIND"))
    with m.If(s.loads):  # in TAKE and in BEHIND
        m.d.sync += order.eq(read_order)
    with s.steps.state("TAKE"):
        m.d.sync += [s.known.eq(read_symbol), s.looks_at.eq(read_order.replaces)]
        s.steps.go("CHECK")
        with m.If(s.is_(op.NEW)):
            s.steps.go("OPEN")
        with m.If(s.is_search_result):
            s.steps.go("PRICE_FOUND")
    with s.steps.state("OPEN"):
        open_new(m, s)
        s.steps.go("KNOW")
    with s.steps.state("CHECK"):
        m.d.sync += s.ports.order_found.eq(order.is_open & (order.number == s.key) & s.key.any())
        s.steps.go("BRANCH")
    with s.steps.state("BRANCH"):
        is_order = s.ports.order_found & ~s.is_in_flight
        is_in_flight = s.ports.order_found & s.is_in_flight
        m.d.sync += s.other.eq(order.replaces)
        s.steps.go("IDLE")
        with m.If(s.is_(op.CANCEL, op.CANCEL_ENDED)):
            with m.If(s.is_(op.CANCEL_ENDED) | s.asks_nothing):
                m.d.sync += order.cancel_in_flight.eq(s.is_(op.CANCEL))
            s.steps.go("STORE")
        with m.If(
            (s.is_(op.TERMS, op.CANCELED, op.CLOSED, op.REPLACE, op.FILL) & is_order)
            | (s.is_(op.REPLACED, op.REPLACE_ENDED) & is_in_flight)
        ):
            m.d.sync += [s.has_order.eq(1), s.order_part.eq(1), s.had.eq(1)]
            with m.If(~s.is_(op.FILL)):
                m.d.sync += s.symbol_index.eq(order.symbol_index)
            s.steps.go("EDIT")
        with m.If(s.is_(op.REPLACED, op.REPLACE_ENDED) & is_in_flight):
            m.d.sync += s.kept_cancel.eq(order.cancel_in_flight)
            s.steps.go("LOOK_BEHIND")
        with m.If(s.is_(op.FILL, op.BROKEN, op.MARK)):
            m.d.sync += s.position_part.eq(1)
            s.steps.go("EDIT")
        with m.If(s.is_(op.FILL) & is_order & s.is_elsewhere):
            m.d.sync += [s.order_part.eq(0), s.again.eq(1)]
        with m.If(s.is_(op.RELEASE_STRATEGY)):
            m.d.comb += s.strategies.write_enable.eq(1)
        with m.If(s.is_(op.START_DAY)):
            s.steps.go("NEW_DAY")
    with s.steps.state("LOOK_BEHIND"):
        s.steps.go("BEHIND")
    with s.steps.state("BEHIND"):
        s.steps.go("COMPARE")
    with s.steps.state("COMPARE"):
        s.steps.go("EDIT")


def open_new(m: Module, s: LedgerState) -> None:
    """A new order's row."""
    order, request = s.ports.order, s.given.request
    m.d.sync += [
        s.has_order.eq(1),
        s.order_part.eq(1),
        s.is_new_row.eq(1),
        order.eq(0),
        order.is_open.eq(1),
        order.number.eq(s.new_number),
        order.symbol_index.eq(request.symbol_index),
        order.side.eq(request.side),
        order.strategy.eq(request.strategy),
        order.venue.eq(request.venue),
        order.price.eq(request.price),
        order.leaves.eq(request.quantity),
        order.notional.eq(s.given.notional),
    ]


def edit(m: Module, s: LedgerState) -> None:
    """Change the order's row; before, see what it reserved."""
    order, op = s.ports.order, Operation
    _, read_symbol = s.symbols.read(1)
    change_order(m, s)
    with s.steps.state("EDIT"):
        m.d.sync += [
            s.old_shares.eq(s.most_shares()),
            s.old_notional.eq(s.most_notional()),
            s.old_price.eq(s.furthest_price()),
            s.taken_shares.eq(Mux(s.fill_leaves_some, s.quantity, order.leaves)),
            s.was_unacknowledged.eq(~order.is_acknowledged),
            s.does.takes_shares.eq(s.has_order & s.is_(op.FILL, op.CANCELED)),
            s.does.fills.eq(s.has_order & s.is_(op.FILL)),
            s.does.sets_terms.eq(s.has_order & s.is_(op.TERMS, op.REPLACED)),
            s.does.ends_pending.eq(s.has_order & s.is_(op.REPLACED, op.REPLACE_ENDED)),
            s.does.replaces.eq(s.has_order & s.is_(op.REPLACE)),
            s.does.closes.eq(s.has_order & s.is_(op.CLOSED)),
            s.does.is_replaced.eq(s.has_order & s.is_(op.REPLACED)),
            s.does.ends_replace.eq(s.has_order & s.is_(op.REPLACE_ENDED)),
        ]
        s.steps.go("CHANGE")
    with s.steps.state("CHANGE"):
        adds = (s.side == BUY) ^ s.is_(op.BROKEN)
        m.d.sync += s.shares_moved.eq(Mux(adds, s.quantity, -s.quantity))
        with m.If(~s.is_(op.FILL, op.BROKEN)):
            m.d.sync += s.shares_moved.eq(0)
        with m.If(s.is_(op.FILL)):
            m.d.sync += s.executions.eq(s.executions + 1)
        s.steps.go("MOVE")
        with m.If(s.is_(op.REPLACE)):
            s.steps.go("KNOW")
    with s.steps.state("KNOW"):
        m.d.sync += s.known.eq(read_symbol)
        s.steps.go("RESERVE")
    with s.steps.state("MOVE"):
        # the position, and what values it; known.position_notional is the value before
        known, position = s.known, read_symbol.position
        m.d.sync += [known.eq(read_symbol), s.was_short.eq(position < 0)]
        with m.If(s.is_(op.FILL, op.MARK)):
            m.d.sync += known.mark_price.eq(s.price)
        with m.If(s.is_(op.FILL) & s.has_order):
            m.d.comb += s.strategies.write_enable.eq(1)
        s.steps.go("SUM")
    with s.steps.state("SUM"):
        m.d.sync += s.new_position.eq(s.known.position + s.shares_moved)
        s.steps.go("SIZE")
    with s.steps.state("SIZE"):
        position = s.new_position
        m.d.sync += [
            s.known.position.eq(position),
            s.size.eq(Mux(position < 0, -position, position)),
        ]
        s.steps.go("MULTIPLY")
    with s.steps.state("MULTIPLY"):
        m.d.sync += s.slot.eq(s.slot + 1)
        homes: tuple[tuple[Value, Value | int], ...] = (
            (order.notional, s.has_order),
            (order.pending_notional, s.has_order),
            (s.size_notional[0], 1),
            (s.size_notional[1], 1),
            (s.paid, 1),
            (s.by_ratio, 1),
        )
        for number, (home, wanted) in enumerate(homes):
            m.d.sync += s.keeps[number].eq((s.slot == number + PRODUCT_CYCLES) & wanted)
            with m.If(s.keeps[number]):
                m.d.sync += home.eq(s.product.product)
        with m.If(s.slot == LAST_SLOT):
            s.steps.go("RESERVE")


def change_order(m: Module, s: LedgerState) -> None:
    """What each operation does to the order's row, and which other row it touches."""
    order, does = s.ports.order, s.does
    taken, pending_leaves = s.taken_shares, order.pending_leaves
    with m.If(does.takes_shares):
        m.d.sync += order.leaves.eq(order.leaves - taken)
    with m.If(does.sets_terms):
        m.d.sync += [order.leaves.eq(s.quantity), order.price.eq(s.price)]
    with m.If(does.takes_shares | does.sets_terms):
        m.d.sync += order.is_acknowledged.eq(1)
    with m.If(does.fills):
        m.d.sync += [
            order.executed.eq(order.executed + taken),
            pending_leaves.eq(Mux(pending_leaves > taken, pending_leaves - taken, 0)),
        ]
    m.d.sync += s.ended_pending.eq(does.ends_pending)
    with m.If(does.ends_pending):
        m.d.sync += [order.pending.eq(0), pending_leaves.eq(0)]
    with m.If(s.ended_pending):  # wide, and wanted only when all is weighed
        m.d.sync += [order.pending_price.eq(0), order.pending_notional.eq(0)]
    with m.If(does.replaces):
        m.d.sync += [
            order.pending.eq(s.new_number),
            pending_leaves.eq(s.quantity - order.executed),
            order.pending_price.eq(s.price),
            order.pending_notional.eq(s.given.notional),
            s.other.eq(s.new_number),
            s.has_other.eq(1),
            s.is_new_row.eq(1),
        ]
    with m.If(does.takes_shares | does.sets_terms):
        m.d.sync += s.fewer_unacknowledged.eq(s.was_unacknowledged)
    with m.If(does.closes):
        m.d.sync += [
            s.is_gone.eq(1),
            s.other.eq(order.pending),
            s.has_other.eq(s.has_pending),
            s.fewer_open.eq(1 + s.has_pending),
            s.fewer_unacknowledged.eq(s.was_unacknowledged + s.has_pending),
        ]
    with m.If(does.is_replaced):
        is_gone = s.asks_nothing
        m.d.sync += [
            order.number.eq(s.key),
            order.cancel_in_flight.eq(s.kept_cancel),
            s.is_gone.eq(is_gone),
            s.has_other.eq(1),  # the original
            s.fewer_open.eq(1 + is_gone),
            s.fewer_unacknowledged.eq(1 + s.was_unacknowledged),
        ]
    with m.If(does.ends_replace):
        m.d.sync += [
            s.other.eq(s.key),
            s.has_other.eq(1),
            s.fewer_open.eq(1),
            s.fewer_unacknowledged.eq(1),
        ]
