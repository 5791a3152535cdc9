# SPDX-License-Identifier: Apache-2.0
"""The market of each symbol for trigger and gate: last trades and states from the feed itself,
best prices and bands as the host writes them.

The feed's updates win over the host's writes; those wait. Best prices do not age by what the feed
says of a symbol: ``updated_ns`` is the host's alone, so that old best prices never look fresh.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
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


def groups_layout() -> data.StructLayout:
    """Which parts of a top a host's write is about."""
    return data.StructLayout(dict.fromkeys(GROUPS, 1))


class Prices(wiring.Component):
    """The tops of two to the power ``symbol_bits`` symbols.

    ``tick`` is what ``hw.tick`` makes of an event, a cycle after it. ``prefetch`` is the address
    in cycle 0, ``top`` is there in cycle 2, with all that ticks and writes up to cycle 1 said of
    the symbol: what cycle 0's event said, too. ``write`` changes the ``groups`` of a symbol's top,
    all in one cycle, and is taken when ``ready``: not in the cycle of a tick.

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
        """A table for each part that is written by itself."""
        m = Module()
        tick, write = self.tick.payload, self.write.payload
        host = data.StructLayout(
            {name: field.shape for name, field in top_layout() if name not in FROM_FEED}
        )
        takes, updates, found = Signal(), Signal(), Signal(host)

        def table(name: str, shape: Any, is_written: Value, value: Value, key: str = "") -> Any:
            """A table, and what it holds of the symbol that was addressed two cycles ago."""
            ram = SweptMemory(shape, 1 << self.symbol_bits, is_transparent=False, registered=1)
            m.submodules[key or name] = ram
            address, row = ram.read()
            m.d.comb += [
                address.eq(self.prefetch),
                ram.write_enable.eq((updates & is_written) | (takes & write.groups[name])),
                ram.write_address.eq(Mux(updates, tick.symbol_index, write.symbol_index)),
                ram.write_data.eq(value),
                self.init_done.eq(ram.init_done),
            ]
            return row

        def either(ours: Value, theirs: Value) -> Value:
            """What is written: the feed's, or the host's."""
            return Mux(updates, ours, theirs)

        m.d.comb += [
            updates.eq(self.tick.valid & self.init_done),
            self.write.ready.eq(self.init_done & ~self.tick.valid),
            takes.eq(self.write.valid & self.write.ready),
            found.eq(table("host", host, Const(0), Cat(write.top[name] for name, _ in host))),
            *(self.top[name].eq(found[name]) for name, _ in host),
            self.top.last_price.eq(
                table(
                    "last_price",
                    PRICE_BITS,
                    tick.is_trade,
                    either(tick.trade_price, write.top.last_price),
                )
            ),
        ]
        for name in ("trading_state", "short_sale_state"):
            value = either(tick.letter, write.top[name])
            m.d.comb += self.top[name].eq(table(name, LETTER_BITS, tick[f"has_{name}"], value))
        halts = []
        for market in range(MARKET_COUNT):
            # The host does not say whose halt it is: one bit is set, or all are cleared.
            ours: Value = write.top.operational_halt if market == 0 else Const(0)
            value = either(tick.is_halted, ours)
            name = "operational_halt"
            halts.append(table(name, 1, tick.halts[market], value, key=f"halt_{market}"))
        m.d.comb += self.top.operational_halt.eq(Cat(*halts).any())
        self._states(m, found)
        return m

    def _states(self, m: Module, found: Any) -> None:
        """What holds for every symbol."""
        with m.If(self.gap_opened):
            m.d.sync += self.is_gapped.eq(1)
        with m.Elif(self.clear_gap):
            m.d.sync += self.is_gapped.eq(0)
        with m.If(self.is_gapped & (found.book_state == 0)):
            m.d.comb += self.top.book_state.eq(BOOK_GAPPED)
        m.d.comb += self.set_phase.ready.eq(~self.phase.valid)
        with m.If(self.phase.valid):
            m.d.sync += self.market_phase.eq(self.phase.payload)
        with m.Elif(self.set_phase.valid):
            m.d.sync += self.market_phase.eq(self.set_phase.payload)
