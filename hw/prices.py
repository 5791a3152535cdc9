# SPDX-License-Identifier: Apache-2.0
"""The market of each symbol for trigger and gate: last trades and states from the feed itself,
best prices and bands as the host writes them.

The feed's updates win over the host's writes; those wait. Best prices do not age by what the feed
says of a symbol: ``updated_ns`` is the host's alone, so that old best prices never look fresh.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.request import LETTER_BITS, SYMBOL_BITS
from hw.risk_view import top_layout
from hw.swept_memory import SweptMemory
from hw.tick import MARKET_COUNT, PHASE_BITS, tick_layout
from nic.offload.limits import PRICE_BITS

BOOK_GAPPED = 1
"""State of a book that lacks messages, as in the host's model."""

FROM_FEED = ("last_price", "trading_state", "short_sale_state", "operational_halt")
"""Fields of a top that the feed updates too; the others are the host's, written as one."""

GROUPS = ("host", *FROM_FEED)


def best_layout() -> data.StructLayout:
    """The best prices of a symbol, as the trigger compares with them; 0 is not there."""
    return data.StructLayout({"bid_price": PRICE_BITS, "ask_price": PRICE_BITS})


def groups_layout() -> data.StructLayout:
    """Which parts of a top a host's write is about."""
    return data.StructLayout(dict.fromkeys(GROUPS, 1))


@dataclass(frozen=True, slots=True)
class Update:
    """One table that the feed writes: which field of the top it is, when, and with what."""

    name: str
    table: SweptMemory
    valid: Value
    value: Value


class Prices(wiring.Component):
    """The tops of two to the power ``symbol_bits`` symbols.

    ``tick`` is what ``hw.tick`` makes of an event, a cycle after it. ``prefetch`` is the address
    in cycle 0, ``top`` is there in cycle 2, with all that events and writes up to cycle 0 said of
    the symbol. ``write`` changes the ``groups`` of a symbol's top, all in one cycle, and is taken
    when ``ready``: a cycle after it is there at the earliest, and not in the cycle of a tick.

    ``is_changing`` in cycle 2: the host wrote the best prices and bands of this very symbol in
    cycle 0. The ``top`` is nothing to decide by then; that of the next prefetch is.
    ``watched`` and ``best`` are for the trigger as ``prefetch`` and ``top`` are for the gate, which
    looks at other symbols, too; ``best`` always holds the write of cycle 0.
    ``gap_opened`` makes every top's ``book_state`` at least gapped, until ``clear_gap``;
    ``is_gapped`` shows it. ``market_phase`` follows the feed's system events, or ``set_phase``.
    All is 0 (unknown) after reset, when ``init_done``.
    """

    def __init__(self, symbol_bits: int = SYMBOL_BITS) -> None:
        self.symbol_bits = symbol_bits
        phase = wiring.Signature({"valid": Out(1), "payload": Out(PHASE_BITS)})
        super().__init__(
            {
                "tick": In(
                    wiring.Signature({"valid": Out(1), "payload": Out(tick_layout(symbol_bits))})
                ),
                "phase": In(phase),
                "set_phase": In(stream.Signature(PHASE_BITS)),
                "prefetch": In(symbol_bits),
                "top": Out(top_layout()),
                "is_changing": Out(1),
                "watched": In(symbol_bits),
                "best": Out(best_layout()),
                "write": In(
                    stream.Signature(
                        data.StructLayout(
                            {
                                "symbol_index": symbol_bits,
                                "groups": groups_layout(),
                                "top": top_layout(),
                            }
                        )
                    )
                ),
                "gap_opened": In(1),
                "clear_gap": In(1),
                "is_gapped": Out(1),
                "market_phase": Out(PHASE_BITS),
                "init_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A table per part that is written by itself, and what is too new to be in it."""
        m = Module()
        tick = self.tick.payload
        # A write is looked at a cycle before it can be taken: the tables see a registered copy.
        held: Any = Signal(self.write.payload.shape(), name="held_write")
        is_held, takes = Signal(), Signal()
        m.d.comb += [takes.eq(is_held & ~self.tick.valid), self.write.ready.eq(takes)]
        m.d.sync += [
            held.eq(self.write.payload),
            is_held.eq(self.write.valid & self.init_done & ~takes),
        ]
        address, written_symbol = Signal(self.symbol_bits), Signal(self.symbol_bits)
        m.d.sync += [address.eq(self.prefetch), written_symbol.eq(held.symbol_index)]
        kept = self._host_side(m, held, takes & held.groups.host, address, written_symbol)

        # A change is on its way to the table in cycle 1, and in it in cycle 2: what was addressed
        # meanwhile takes it from here.
        updates = self._tables(m, held.top)
        changed_symbol, is_valid = Signal(self.symbol_bits), Signal()
        changed_now = Mux(self.tick.valid, tick.symbol_index, held.symbol_index)
        m.d.comb += is_valid.eq(self.tick.valid & self.init_done)
        m.d.sync += changed_symbol.eq(changed_now)
        hits_now = is_valid & (tick.symbol_index == address)
        hits_before = changed_symbol == address
        values: dict[str, list[Value]] = {}
        for update in updates:
            table = update.table
            was_written, last_value = Signal(), Signal.like(update.value)
            is_newer, newer = Signal(), Signal.like(update.value)
            m.d.comb += [
                table.read_address[0].eq(self.prefetch),
                table.write_address.eq(changed_now),
                table.write_enable.eq(
                    (is_valid & update.valid) | (takes & held.groups[update.name])
                ),
            ]
            m.d.sync += [
                was_written.eq(table.write_enable),
                last_value.eq(table.write_data),
                is_newer.eq((hits_now & update.valid) | (hits_before & was_written)),
                newer.eq(Mux(hits_now & update.valid, update.value, last_value)),
            ]
            values.setdefault(update.name, []).append(Mux(is_newer, newer, table.read_data[0]))
        for name, parts in values.items():
            m.d.comb += self.top[name].eq(Cat(*parts).any() if len(parts) > 1 else parts[0])
        self._states(m, kept)
        return m

    def _host_side(
        self, m: Module, held: Any, writes: Value, address: Value, written_symbol: Value
    ) -> Any:
        """What the host alone writes, for the gate and for the trigger; the gate's as it is kept.

        ``writes``: the write that is held is taken. Its symbol and the prefetch, a cycle later, are
        ``written_symbol`` and ``address``.
        """
        host = data.StructLayout(
            {name: field.shape for name, field in top_layout() if name not in FROM_FEED}
        )
        tables = []
        for name, layout, looked_at in (
            ("host", host, self.prefetch),
            ("best", best_layout(), self.watched),
        ):
            table = SweptMemory(layout, 1 << self.symbol_bits, registered=1, may_collide=False)
            m.submodules[name] = table
            m.d.comb += [
                table.read_address[0].eq(looked_at),
                table.write_enable.eq(writes),
                table.write_address.eq(held.symbol_index),
                *(table.write_data[part].eq(held.top[part]) for part, _ in layout),
            ]
            tables.append(table)
        kept, kept_best = (table.read_data[0] for table in tables)
        was_written = Signal()
        last_best, new_best = (
            Signal(best_layout(), name=f"{what}_best") for what in ("last", "new")
        )
        watched, best_is_new = Signal(self.symbol_bits), Signal()
        m.d.sync += [
            was_written.eq(writes),
            watched.eq(self.watched),
            *(last_best[part].eq(held.top[part]) for part, _ in best_layout()),
            new_best.eq(last_best),
            best_is_new.eq(was_written & (written_symbol == watched)),
            self.is_changing.eq(was_written & (written_symbol == address)),
            self.init_done.eq(tables[0].init_done),
        ]
        m.d.comb += [
            self.best.eq(Mux(best_is_new, new_best.as_value(), kept_best.as_value())),
            *(self.top[part].eq(kept[part]) for part, _ in host),
        ]
        return kept

    def _tables(self, m: Module, top: Any) -> Sequence[Update]:
        """The tables that the feed writes, and the host from ``top``; a halt has one per market."""
        tick = self.tick.payload
        made = []

        def add(name: str, key: str, width: int, valid: Value, value: Value, host: Value) -> None:
            table = SweptMemory(width, 1 << self.symbol_bits, registered=1, may_collide=False)
            m.submodules[key] = table
            m.d.comb += table.write_data.eq(Mux(self.tick.valid, value, host))
            made.append(Update(name, table, valid, value))

        add("last_price", "last_price", PRICE_BITS, tick.is_trade, tick.trade_price, top.last_price)
        for name in ("trading_state", "short_sale_state"):
            add(name, name, LETTER_BITS, tick[f"has_{name}"], tick.letter, top[name])
        for market in range(MARKET_COUNT):
            # The host does not say whose halt it is: one bit is set or all are cleared.
            host: Any = top.operational_halt if market == 0 else 0
            add("operational_halt", f"halt_{market}", 1, tick.halts[market], tick.is_halted, host)
        return made

    def _states(self, m: Module, kept: Any) -> None:
        """What holds for every symbol."""
        with m.If(self.gap_opened):
            m.d.sync += self.is_gapped.eq(1)
        with m.Elif(self.clear_gap):
            m.d.sync += self.is_gapped.eq(0)
        with m.If(self.is_gapped & (kept.book_state == 0)):
            m.d.comb += self.top.book_state.eq(BOOK_GAPPED)
        m.d.comb += self.set_phase.ready.eq(~self.phase.valid)
        with m.If(self.phase.valid):
            m.d.sync += self.market_phase.eq(self.phase.payload)
        with m.Elif(self.set_phase.valid):
            m.d.sync += self.market_phase.eq(self.set_phase.payload)
