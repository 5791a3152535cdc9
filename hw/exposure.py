# SPDX-License-Identifier: Apache-2.0
"""The ledger of the risk gate: open orders, what they reserve, positions and sums.

One operation at a time, in steps: a request that passed, or something that happened to an order.
What an operation changes in a symbol's row and in the sums becomes visible in one cycle.
The semantics stand in ``host/risk/reference_exposure.py``.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw import ledger_orders, ledger_sums
from hw.ledger_ports import TELL_NAMES, Operation, opened_layout, tell_layout
from hw.ledger_state import LedgerState
from hw.request import STRATEGY_BITS, SYMBOL_BITS, VENUE_BITS, Action
from hw.risk_rows import (
    EXECUTION_BITS,
    NUMBER_BITS,
    RATIO_BITS,
    order_layout,
    symbol_layout,
    totals_layout,
)


class Exposure(wiring.Component):
    """Open orders and positions; what the gate asks of them.

    Of a symbol: ``prefetch`` in cycle 0 is its index, ``row`` in cycle 2 what is known of it.
    ``written`` is 1 in the cycle before a row changes (``written_symbol``) and the sums with it:
    indexes that are given later show the new one.
    ``totals`` are the sums over all symbols. ``strategy_executions`` are those of ``strategy`` of
    the cycle before.

    ``opened_valid``, ``opened``, ``opened_ready``: a request that passed (14 cycles for a new
    order, 18 for a replace, 8 for a cancel). A new order or a replace gets ``number``; it is taken
    only while ``number_is_ready``. The gate has seen to it that the order of a replace or cancel is
    there. ``look_up_valid``, ``look_up_number``, ``look_up_ready``: asks for an order; when
    ``look_up_done`` is 1, ``order`` is its row and ``order_found`` says whether there is one; both
    stand until the next operation.

    ``tell_valid``, ``tell``, ``tell_ready``: something happened (up to 41 cycles). While ``hold``
    is 1 none is begun. ``is_idle``: nothing is under way.

    When an order goes that had its side's best price, the others are searched (two to
    ``order_bits`` cycles): until ``is_settled`` the old price stands, which reaches further than
    any that is there, and no tell is begun. ``ratio`` is the limit ``order_to_trade_ratio``; from
    the cycle after it changed ``ratio_is_settled`` is 0 until ``executions_by_ratio`` is right.
    """

    def __init__(
        self,
        order_bits: int = 10,
        symbol_bits: int = SYMBOL_BITS,
        strategy_bits: int = STRATEGY_BITS,
        venue_bits: int = VENUE_BITS,
    ) -> None:
        """Two to the power of each: orders open at once, symbols, strategies, venues."""
        self.order_bits = order_bits
        self.symbol_bits = symbol_bits
        self.strategy_bits = strategy_bits
        self.order_shape = order_layout(order_bits, symbol_bits, strategy_bits, venue_bits)
        self.symbol_shape = symbol_layout(order_bits)
        self.opened_shape = opened_layout(symbol_bits, strategy_bits, venue_bits)
        super().__init__(
            {
                "prefetch": In(symbol_bits),
                "row": Out(self.symbol_shape),
                "written": Out(1),
                "written_symbol": Out(symbol_bits),
                "totals": Out(totals_layout(order_bits)),
                "strategy": In(strategy_bits),
                "strategy_executions": Out(EXECUTION_BITS),
                "number": Out(NUMBER_BITS),
                "number_is_ready": Out(1),
                "opened_valid": In(1),
                "opened": In(self.opened_shape),
                "opened_ready": Out(1),
                "look_up_valid": In(1),
                "look_up_number": In(NUMBER_BITS),
                "look_up_ready": Out(1),
                "look_up_done": Out(1),
                "order": Out(self.order_shape),
                "order_found": Out(1),
                "tell_valid": In(1),
                "tell": In(tell_layout(symbol_bits, strategy_bits)),
                "tell_ready": Out(1),
                "hold": In(1),
                "is_idle": Out(1),
                "is_settled": Out(1),
                "ratio": In(RATIO_BITS),
                "ratio_is_settled": Out(1),
                "init_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Tables, the steps of an operation, and what they do."""
        m = Module()
        s = LedgerState(self)
        s.connect(m)
        ledger_sums.row_ports(m, s)
        begin(m, s)
        ledger_orders.find(m, s)
        ledger_orders.edit(m, s)
        ledger_sums.weigh(m, s)
        ledger_sums.write(m, s)
        outputs(m, s)
        return m


def outputs(m: Module, s: LedgerState) -> None:
    """What the gate sees all the time."""
    address, row = s.symbols.read(0)
    m.d.comb += [address.eq(s.ports.prefetch), s.ports.row.eq(row)]
    strategy, executions = s.strategies.read(0)
    m.d.sync += s.ports.strategy_executions.eq(executions)
    releases = s.is_(Operation.RELEASE_STRATEGY)
    m.d.comb += [
        strategy.eq(s.ports.strategy),
        s.strategies.write_address.eq(Mux(releases, s.strategy_told, s.ports.order.strategy)),
        s.strategies.write_data.eq(Mux(releases, 0, s.next_count)),
        s.symbols.write_address.eq(s.symbol_index),
        s.symbols.read_address[1].eq(s.symbol_index),
    ]
    tables = (s.symbols, s.orders, s.strategies, s.numbers, s.search)
    m.d.sync += [
        s.ports.written.eq(s.symbols.write_enable),
        s.ports.written_symbol.eq(s.symbol_index),
        s.ports.ratio_is_settled.eq(s.ratio_used == s.ports.ratio),
        s.ports.init_done.eq(Cat(table.init_done for table in tables).all()),
        s.ports.look_up_done.eq(s.steps.ongoing("BRANCH") & s.is_(Operation.LOOK_UP)),
    ]
    m.d.comb += [
        s.ports.number.eq(s.numbers.number),
        s.ports.number_is_ready.eq(s.numbers.is_ready),
        s.ports.is_settled.eq(~s.search.is_busy),
    ]


def begin(m: Module, s: LedgerState) -> None:
    """Take what is next: a found price, the ratio, a request that passed, a question, a tell."""
    ports, source = s.ports, s.source
    may = Signal()
    m.d.comb += may.eq(ports.init_done & ~s.search.is_done & ports.ratio_is_settled)
    opens_row = ports.opened.request.action != Action.CANCEL
    with s.steps.state("IDLE"):
        m.d.comb += [
            ports.is_idle.eq(may & ports.is_settled & ~ports.opened_valid),
            ports.opened_ready.eq(may & (s.numbers.is_ready | ~opens_row)),
            ports.look_up_ready.eq(may & ~ports.opened_valid),
            ports.tell_ready.eq(
                may & ~ports.opened_valid & ~ports.look_up_valid & ~ports.hold & ports.is_settled
            ),
        ]
        m.d.sync += [
            s.given.eq(ports.opened),
            s.told.eq(ports.tell),
            s.asked.eq(ports.look_up_number),
            s.new_number.eq(s.numbers.number),
            source.found_price.eq(ports.init_done & s.search.is_done),
            source.ratio.eq(ports.init_done & ~s.search.is_done & ~ports.ratio_is_settled),
            source.opened.eq(ports.opened_valid & ports.opened_ready),
            source.look_up.eq(ports.look_up_valid & ports.look_up_ready),
            source.tell.eq(ports.tell_valid & ports.tell_ready),
        ]
        with m.If(
            (ports.init_done & ~may)
            | (ports.opened_valid & ports.opened_ready)
            | (ports.look_up_valid & ports.look_up_ready)
            | (ports.tell_valid & ports.tell_ready)
        ):
            s.steps.go("PREPARE")
    with s.steps.state("PREPARE"):
        prepare(m, s)
        s.steps.go("FETCH")
        with m.If(source.ratio):
            s.steps.go("MULTIPLY")


def prepare(m: Module, s: LedgerState) -> None:
    """From what was taken to the operation and its numbers."""
    request, told, source = s.given.request, s.told, s.source
    m.d.sync += [
        s.has_order.eq(0),
        s.order_part.eq(0),
        s.position_part.eq(0),
        s.again.eq(0),
        s.is_gone.eq(0),
        s.had.eq(0),
        s.has_other.eq(0),
        s.kept_cancel.eq(0),
        s.fewer_open.eq(0),
        s.fewer_unacknowledged.eq(0),
        s.is_new_row.eq(0),
        s.needs_search.eq(0),
        s.is_search_result.eq(source.found_price),
        s.slot.eq(0),
        s.executions.eq(s.ports.totals.executions),
        s.side.eq(told.side),
        s.strategy_told.eq(told.strategy_id),
        s.quantity.eq(Mux(source.opened, request.quantity, told.quantity)),
        s.price.eq(Mux(source.opened, request.price, told.price)),
        s.ops.eq(0),
        s.ops[Operation.OWN].eq(source.found_price | source.ratio),
        s.ops[Operation.LOOK_UP].eq(source.look_up),
    ]
    requests = {
        Action.NEW: Operation.NEW,
        Action.REPLACE: Operation.REPLACE,
        Action.CANCEL: Operation.CANCEL,
    }
    for action, operation in requests.items():
        bit = s.ops[operation]
        m.d.sync += bit.eq(source.opened & (request.action == action))
    for kind in range(len(TELL_NAMES)):
        m.d.sync += s.ops[kind].eq(source.tell & (told.kind == kind))
    m.d.comb += s.numbers.take.eq(source.opened & (request.action != Action.CANCEL))
    with m.If(source.found_price):
        m.d.sync += s.symbol_index.eq(s.search.wanted_symbol)
    with m.Elif(source.opened):
        m.d.sync += [
            s.key.eq(request.user_ref_num),
            s.looks_at.eq(request.user_ref_num),
            s.symbol_index.eq(request.symbol_index),
        ]
    with m.Elif(source.look_up):
        m.d.sync += [s.key.eq(s.asked), s.looks_at.eq(s.asked)]
    with m.Elif(source.tell):
        m.d.sync += [
            s.key.eq(told.user_ref_num),
            s.looks_at.eq(told.user_ref_num),
            s.symbol_index.eq(told.symbol_index),
        ]
