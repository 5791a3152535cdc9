# SPDX-License-Identifier: Apache-2.0
"""The most aggressive own price of a symbol's side, looked for among all resting orders."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.swept_memory import SweptMemory
from nic.offload.limits import PRICE_BITS


def resting_layout(symbol_bits: int) -> data.StructLayout:
    """What the search needs of an order that rests or may rest."""
    return data.StructLayout(
        {
            "is_resting": 1,
            "is_buy": 1,
            "symbol_index": symbol_bits,
            "price": PRICE_BITS,  # with a replace in flight the more aggressive of the two
        }
    )


def reaches_further(is_buy: Value, price: Value, than: Value) -> Value:
    """Whether a price is more aggressive than another; 0 is the price of nobody."""
    return ~than.any() | Mux(is_buy, price > than, price < than)


class BestPriceSearch(wiring.Component):
    """A table of resting orders, and a search through it in the background.

    Members: ``write``, ``place``, ``row``: an order's row. ``start``, with ``symbol_index`` and
    ``is_buy``: look for the best price of that side (rows written in a cycle before; not while
    ``is_busy``). Two to ``order_bits`` cycles and a few later ``is_done``, and ``best_price``
    stands until ``acknowledge``, given in a cycle with ``is_done`` and without ``write``.
    ``is_done`` tells of the cycle before: after a write, or the acknowledgement, it falls a cycle
    late.
    Rows that are written before the acknowledgement may reach further than they did, or be new:
    they count. They may not be taken away or draw back.
    """

    def __init__(self, order_bits: int, symbol_bits: int) -> None:
        """Two to ``order_bits`` places, two to ``symbol_bits`` symbols."""
        self.order_bits = order_bits
        self._row = resting_layout(symbol_bits)
        super().__init__(
            {
                "write": In(1),
                "place": In(order_bits),
                "row": In(self._row),
                "start": In(1),
                "symbol_index": In(symbol_bits),
                "is_buy": In(1),
                "acknowledge": In(1),
                "is_busy": Out(1),
                "is_done": Out(1),
                "best_price": Out(PRICE_BITS),
                "wanted_symbol": Out(symbol_bits),  # of the search under way
                "wanted_is_buy": Out(1),
                "init_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Read, register, match, rank, take: one place per cycle; writes have the right of way."""
        m = Module()
        m.submodules.table = table = SweptMemory(
            self._row, 1 << self.order_bits, registered=1, may_collide=False, late_write=True
        )
        address, found = table.read()
        next_place = Signal(self.order_bits + 1)
        written = [Signal(self._row, name=f"written_{i}") for i in range(3)]
        row = Signal(self._row)
        # Prices as ranks: a greater one is more aggressive, on either side. The highest bit says
        # that there is a price: rows that are not meant have rank 0.
        row_rank = Signal(PRICE_BITS)
        rank, best_rank = Signal(PRICE_BITS + 1), Signal(PRICE_BITS + 1)
        is_read, is_written, is_match = Signal(2), Signal(3), Signal()
        is_row, is_late_write, goes_on = Signal(), Signal(), Signal()
        is_sell = ~self.wanted_is_buy
        m.d.comb += [
            self.init_done.eq(table.init_done),
            table.write_enable.eq(self.write),
            table.write_address.eq(self.place),
            table.write_data.eq(self.row),
            address.eq(next_place),
            # a written row goes the way of a read one; none is read in its cycle
            goes_on.eq(self.is_busy & ~next_place[-1] & ~is_late_write),
            self.best_price.eq(
                Mux(best_rank[-1], best_rank[:-1] ^ is_sell.replicate(PRICE_BITS), 0)
            ),
        ]
        m.d.sync += self.is_done.eq(
            self.is_busy
            & next_place[-1]
            & ~(self.write | is_written.any() | is_read.any() | is_row | is_match | rank[-1])
        )
        with m.If(self.start):
            m.d.sync += [
                self.is_busy.eq(1),
                self.wanted_symbol.eq(self.symbol_index),
                self.wanted_is_buy.eq(self.is_buy),
                next_place.eq(0),
            ]
        with m.Elif(self.acknowledge):
            m.d.sync += self.is_busy.eq(0)
        with m.Elif(goes_on):
            m.d.sync += next_place.eq(next_place + 1)
        m.d.sync += [
            is_read.eq(Cat(goes_on, is_read[0])),
            is_late_write.eq(self.write),
            is_written.eq(Cat(self.write & self.is_busy, is_written[:2])),
            *(new.eq(old) for new, old in zip(written, (self.row, *written[:2]), strict=True)),
            is_row.eq(is_read[1] | is_written[2]),
            row.eq(Mux(is_written[2], written[2].as_value(), found.as_value())),
            is_match.eq(
                is_row
                & row.is_resting
                & (row.is_buy == self.wanted_is_buy)
                & (row.symbol_index == self.wanted_symbol)
            ),
            row_rank.eq(row.price ^ is_sell.replicate(PRICE_BITS)),
            rank.eq(Mux(is_match, Cat(row_rank, 1), 0)),
        ]
        with m.If(self.start):  # nothing of a search before
            m.d.sync += [is_read.eq(0), is_written.eq(0), is_row.eq(0), is_match.eq(0)]
            m.d.sync += [rank.eq(0), best_rank.eq(0)]
        with m.Elif(rank > best_rank):
            m.d.sync += best_rank.eq(rank)
        return m
