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
    in cycle 0, ``top`` is there in cycle 2, with all that events up to cycle 0 said of the symbol.
    ``write`` changes the ``groups`` of a symbol's top, all in one cycle, and is taken when
    ``ready``: not in the cycle of a tick. A prefetch in that cycle finds the top as it was.

    ``watched`` and ``best`` are the same for the trigger: the gate looks at other symbols, too.
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
        tick, write = self.tick.payload, self.write
        updates = self._tables(m)
        host = data.StructLayout(
            {name: field.shape for name, field in top_layout() if name not in FROM_FEED}
        )
        m.submodules.host = table = SweptMemory(host, 1 << self.symbol_bits, is_transparent=False)
        takes = Signal()
        m.d.comb += [
            self.init_done.eq(table.init_done),
            write.ready.eq(table.init_done & ~self.tick.valid),
            takes.eq(write.valid & write.ready),
            table.write_enable.eq(takes & write.payload.groups.host),
            table.write_address.eq(write.payload.symbol_index),
            table.read_address[0].eq(self.prefetch),
        ]
        kept = Signal(host)
        for name, _ in host:
            m.d.comb += [
                table.write_data[name].eq(write.payload.top[name]),
                self.top[name].eq(kept[name]),
            ]
        m.submodules.best = best = SweptMemory(
            best_layout(), 1 << self.symbol_bits, is_transparent=False
        )
        m.d.comb += [
            best.write_enable.eq(table.write_enable),
            best.write_address.eq(table.write_address),
            best.write_data.bid_price.eq(write.payload.top.bid_price),
            best.write_data.ask_price.eq(write.payload.top.ask_price),
            best.read_address[0].eq(self.watched),
        ]
        m.d.sync += [kept.eq(table.read_data[0]), self.best.eq(best.read_data[0])]

        # An event's update is on its way to the table in cycle 1, and in it in cycle 2: what was
        # addressed meanwhile takes it from here.
        address, symbol_before = Signal(self.symbol_bits), Signal(self.symbol_bits)
        is_valid, was_valid = Signal(), Signal()
        m.d.comb += is_valid.eq(self.tick.valid & self.init_done)
        m.d.sync += [
            address.eq(self.prefetch),
            symbol_before.eq(tick.symbol_index),
            was_valid.eq(is_valid),
        ]
        hits_now = is_valid & (tick.symbol_index == address)
        hits_before = was_valid & (symbol_before == address)
        values: dict[str, list[Value]] = {}
        for update in updates:
            last_valid, last_value = Signal(), Signal.like(update.value)
            is_newer, newer = Signal(), Signal.like(update.value)
            row = Signal.like(update.value)
            m.d.comb += [
                update.table.read_address[0].eq(self.prefetch),
                update.table.write_address.eq(
                    Mux(self.tick.valid, tick.symbol_index, write.payload.symbol_index)
                ),
                update.table.write_enable.eq(
                    Mux(self.tick.valid, update.valid, takes & write.payload.groups[update.name])
                ),
            ]
            m.d.sync += [
                last_valid.eq(update.valid),
                last_value.eq(update.value),
                is_newer.eq((hits_now & update.valid) | (hits_before & last_valid)),
                newer.eq(Mux(hits_now & update.valid, update.value, last_value)),
                row.eq(update.table.read_data[0]),
            ]
            values.setdefault(update.name, []).append(Mux(is_newer, newer, row))
        for name, parts in values.items():
            m.d.comb += self.top[name].eq(Cat(*parts).any() if len(parts) > 1 else parts[0])
        self._states(m, kept)
        return m

    def _tables(self, m: Module) -> Sequence[Update]:
        """The tables that the feed writes; an operational halt has one per market."""
        tick, top = self.tick.payload, self.write.payload.top
        made = []

        def add(name: str, key: str, width: int, valid: Value, value: Value, host: Value) -> None:
            table = SweptMemory(width, 1 << self.symbol_bits, is_transparent=False)
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
