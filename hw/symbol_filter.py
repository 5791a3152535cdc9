# SPDX-License-Identifier: Apache-2.0
"""Which instruments are wanted: a table by the feed's own instrument number.

The number of an instrument comes early on a line (``ParsedLine.locate``), so the table is read
while the rest of the message is still under way and costs no cycle.
"""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.line_signature import LOCATE_BITS
from hw.request import SYMBOL_BITS
from hw.swept_memory import SweptMemory

TABLE_BITS = 14
"""Instrument numbers the table holds are below two to this power; Nasdaq uses about 11,000."""


def symbol_layout(symbol_bits: int) -> data.StructLayout:
    """What the table says of an instrument."""
    return data.StructLayout({"is_wanted": 1, "symbol_index": symbol_bits})


class SymbolFilter(wiring.Component):
    """The table, read by two lines and written by the host.

    ``symbol_a``/``symbol_b`` follow their line's ``locate`` by two cycles and stay until the next.
    A number of ``table_bits`` bits or more is not wanted, and neither is anything before the
    sweep after reset is done (``init_done``).

    ``write``: taken when ``ready``; a row with ``is_wanted`` 0 takes the instrument out. A locate
    in the cycle of the write finds the row as it was. Numbers beyond the table are taken and
    without effect.

    Raises ``ValueError`` for a table that is larger than the numbers.
    """

    def __init__(self, symbol_bits: int = SYMBOL_BITS, table_bits: int = TABLE_BITS) -> None:
        if not 1 <= table_bits <= LOCATE_BITS:
            raise ValueError(f"table_bits: 1 to {LOCATE_BITS}, not {table_bits}")
        self.table_bits = table_bits
        self._row = row = symbol_layout(symbol_bits)
        locate = wiring.Signature({"valid": Out(1), "payload": Out(LOCATE_BITS)})
        super().__init__(
            {
                "locate_a": In(locate),
                "locate_b": In(locate),
                "symbol_a": Out(row),
                "symbol_b": Out(row),
                "write": In(
                    stream.Signature(data.StructLayout({"locate": LOCATE_BITS, "row": row}))
                ),
                "init_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A RAM with two read ports, and the registers behind it."""
        m = Module()
        m.submodules.table = table = SweptMemory(
            self._row, 1 << self.table_bits, read_ports=2, is_transparent=False
        )
        m.d.comb += [
            self.init_done.eq(table.init_done),
            self.write.ready.eq(table.init_done),
            table.write_enable.eq(
                self.write.valid & ~self.write.payload.locate[self.table_bits :].any()
            ),
            table.write_address.eq(self.write.payload.locate),
            table.write_data.eq(self.write.payload.row),
        ]
        for port, (locate, symbol) in enumerate(
            ((self.locate_a, self.symbol_a), (self.locate_b, self.symbol_b))
        ):
            address, row = table.read(port)
            is_read, is_inside = Signal(name=f"is_read_{port}"), Signal(name=f"is_inside_{port}")
            m.d.comb += address.eq(locate.payload)
            m.d.sync += [
                is_read.eq(locate.valid),
                is_inside.eq(table.init_done & ~locate.payload[self.table_bits :].any()),
            ]
            with m.If(is_read):
                m.d.sync += [
                    symbol.symbol_index.eq(row.symbol_index),
                    symbol.is_wanted.eq(row.is_wanted & is_inside),
                ]
        return m
