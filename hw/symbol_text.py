# SPDX-License-Identifier: Apache-2.0
"""The text of every symbol as an order has it, with the sums of its letters for the checksum."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.checksum import SymbolSums
from hw.swept_memory import SweptMemory
from nic.offload.order_template import PIECES

TEXT_BITS = 8 * PIECES["symbol"]

SymbolRow = data.StructLayout({"text": TEXT_BITS, "sums": SymbolSums})
"""A text with its first letter in the lowest byte; sums of the letters at even and odd places."""


def symbol_write_layout(symbol_bits: int) -> data.StructLayout:
    """A symbol's text; never written while an order of the symbol may pass."""
    return data.StructLayout({"symbol_index": symbol_bits, "text": TEXT_BITS})


class SymbolTexts(wiring.Component):
    """Symbol index to text, in block RAM.

    Members: ``write_valid``, ``write``: a text, in the table three cycles later. ``symbol_index``:
    whose ``row`` is shown two cycles later; all zeros for a symbol without text. ``init_done``:
    the table is clear; what is written earlier is lost.
    """

    def __init__(self, symbol_bits: int) -> None:
        """``symbol_bits``: two to this power symbols."""
        self._symbol_bits = symbol_bits
        super().__init__(
            {
                "write_valid": In(1),
                "write": In(symbol_write_layout(symbol_bits)),
                "symbol_index": In(symbol_bits),
                "row": Out(SymbolRow),
                "init_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Sum pairs, sum pairs of them, write."""
        m = Module()
        m.submodules.ram = ram = SweptMemory(
            SymbolRow, 1 << self._symbol_bits, is_transparent=False, registered=1, may_collide=False
        )
        address, row = ram.read()
        letters = [self.write.text[8 * i : 8 * i + 8] for i in range(PIECES["symbol"])]
        pairs = [Signal(9, name=f"pair_{i}") for i in range(4)]
        sums = Signal(SymbolSums)
        valid = Signal(2)
        kept = [Signal.like(self.write, name=f"kept_{i}") for i in range(2)]
        m.d.sync += [
            *(pairs[i].eq(letters[i % 2 + i // 2 * 4] + letters[i % 2 + i // 2 * 4 + 2])
              for i in range(4)),
            *(sums[i].eq(pairs[i] + pairs[i + 2]) for i in range(2)),
            valid.eq(Cat(self.write_valid, valid)),
            kept[0].eq(self.write),
            kept[1].eq(kept[0]),
        ]  # fmt: skip
        m.d.comb += [
            ram.write_enable.eq(valid[1]),
            ram.write_address.eq(kept[1].symbol_index),
            ram.write_data.text.eq(kept[1].text),
            ram.write_data.sums.eq(sums),
            address.eq(self.symbol_index),
            self.row.eq(row),
            self.init_done.eq(ram.init_done),
        ]
        return m
