# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
# SPDX-License-Identifier: Apache-2.0
"""What the books of all venues have in common: tops, symbols and counters.

A book is fed message by message (``apply``) and says what each changed; it does no input or output
and knows no clock. Prices are integers with four implied decimals, quantities are shares.
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memcpy, memset
from host.book.ids cimport BOOK_GAPS
from host.book.index_map cimport (
    index_map_close, index_map_open, index_map_put, index_map_remove, index_map_seek)
from host.book.pages cimport pages_close, pages_open
from host.model cimport (
    BOOK_CLEAN, BOOK_GAPPED, BOOK_REBUILDING, CHANGED_BBO, CHANGED_DEPTH, CHANGED_STATE,
    CHANGED_TRADE, SIDE_BUY, SIDE_SELL)
from nic.offload.ids cimport MARKET_PHASE_UNKNOWN

from host.book.enumerations import BOOK
from nic.offload.enumerations import MARKET_PHASE, PHASE_OF_EVENT

CHANGED = {
    "bbo": CHANGED_BBO,
    "trade": CHANGED_TRADE,
    "state": CHANGED_STATE,
    "depth": CHANGED_DEPTH,
}
"""Bits of what ``apply_message`` gives, by name."""

BOOK_STATES = {BOOK_CLEAN: "clean", BOOK_GAPPED: "gapped", BOOK_REBUILDING: "rebuilding"}
"""Names of ``book_state``."""


cdef uint8_t[256] phase_of_event
memset(phase_of_event, MARKET_PHASE_UNKNOWN, 256)
for _code, _phase in PHASE_OF_EVENT.items():
    phase_of_event[<uint8_t> ord(_code)] = _phase


cdef uint64_t wire_symbol(str symbol) except? 0:
    cdef bytes padded = symbol.encode("latin-1").ljust(8)
    cdef uint64_t value
    if len(padded) != 8:
        raise KeyError(symbol)
    memcpy(&value, <const char*>padded, 8)
    return value


cdef str symbol_text(uint64_t value):
    return (<char*>&value)[:8].decode("latin-1").rstrip(" ")


cdef uint8_t side_letter(str side) except? 0:
    if side == "B":
        return SIDE_BUY
    if side == "S":
        return SIDE_SELL
    raise ValueError(f"a side is 'B' or 'S', not {side!r}")


cdef class Book:
    """The books of one venue, by symbol index; see OrderBook and PriceLevelBook."""

    def __dealloc__(self):
        if self.tops != NULL:
            pages_close(self.tops - 1, (<size_t>self.symbol_capacity + 1) * sizeof(Top))
        index_map_close(&self.symbol_map)

    cdef int open_tops(self, uint32_t symbols, bint prefault) except -1:
        """Make room for the tops of ``symbols`` symbols; raises MemoryError."""
        # The map's values begin at 1, so the tops begin one place behind the table's start.
        cdef Top *table = <Top*>pages_open((<size_t>symbols + 1) * sizeof(Top), prefault)
        if table == NULL:
            raise MemoryError("no memory for the tops")
        self.tops = table + 1
        self.symbol_capacity = symbols
        if not index_map_open(&self.symbol_map, symbols + 1, prefault):
            raise MemoryError("no memory for the symbols")
        return 0

    cdef bint name_symbol(self, uint32_t index, uint64_t symbol) noexcept nogil:
        """Give an index its symbol, instead of any it had; whether that is a change."""
        cdef uint64_t former = self.tops[index].symbol
        if former == symbol or symbol == 0:
            return False
        if former != 0:
            self.forget_symbol(index)
        self.tops[index].symbol = symbol
        self.map_symbol(index)
        if index >= self.symbol_count:
            self.symbol_count = index + 1
        return True

    cdef void map_symbol(self, uint32_t index) noexcept nogil:
        """Find this index by its symbol from now on, even if another index has the same."""
        cdef uint64_t symbol = self.tops[index].symbol
        cdef uint32_t at = index_map_seek(&self.symbol_map, symbol, self.tops - 1, sizeof(Top))
        index_map_put(&self.symbol_map, at, symbol, index + 1)

    cdef void forget_symbol(self, uint32_t index) noexcept nogil:
        """Take an index's symbol away; another index that has the same is found by it instead."""
        cdef uint64_t symbol = self.tops[index].symbol
        cdef uint32_t at = index_map_seek(&self.symbol_map, symbol, self.tops - 1, sizeof(Top))
        cdef uint32_t other
        self.tops[index].symbol = 0
        if self.symbol_map.entries[at].value != index + 1:
            return
        index_map_remove(&self.symbol_map, at)
        for other in range(self.symbol_count):
            if self.tops[other].symbol == symbol:
                self.map_symbol(other)
                return

    cdef void reset_tops(self) noexcept nogil:
        """Every top as before its first message, but for symbol and round lot size."""
        cdef uint32_t index, round_lot_size
        cdef uint64_t symbol
        self.market_phase = MARKET_PHASE_UNKNOWN
        for index in range(self.symbol_capacity):
            symbol = self.tops[index].symbol
            round_lot_size = self.tops[index].round_lot_size
            memset(&self.tops[index], 0, sizeof(Top))
            self.tops[index].symbol = symbol
            self.tops[index].round_lot_size = round_lot_size

    cdef void system_event(self, uint8_t code) noexcept nogil:
        """The market enters another phase; an unknown event leaves it in an unknown one."""
        self.market_phase = phase_of_event[code]

    cdef uint32_t index_of(self, str symbol) except? 0xFFFFFFFF:
        """Index of a symbol; raises KeyError."""
        cdef int64_t index = self.find(wire_symbol(symbol))
        if index < 0:
            raise KeyError(symbol)
        return <uint32_t>index

    cdef uint32_t apply(self, const uint8_t *message, uint32_t length) noexcept nogil:
        """Apply one message of the feed; CHANGED_* bits, 0 when nothing changed."""
        return 0

    cdef void prefetch(self, const uint8_t *message, uint32_t length) noexcept nogil:
        """A message that will be applied soon: bring in what it will touch. Changes nothing."""

    cdef void mark_gapped(self) noexcept nogil:
        """Messages were lost: every book, also of symbols not yet seen, is BOOK_GAPPED."""
        cdef uint32_t index
        self.counts[BOOK_GAPS] += 1
        for index in range(self.symbol_capacity):
            self.tops[index].book_state = BOOK_GAPPED

    cdef void reset(self) noexcept nogil:
        """New day or publisher restart: all books empty and clean, all states unknown."""
        self.reset_tops()

    cdef int64_t find(self, uint64_t symbol) noexcept nogil:
        """Index of a symbol by its eight wire bytes, -1 when it is unknown."""
        cdef uint32_t at
        if self.tops == NULL or symbol == 0:
            return -1
        at = index_map_seek(&self.symbol_map, symbol, self.tops - 1, sizeof(Top))
        return <int64_t>self.symbol_map.entries[at].value - 1

    cdef uint32_t depth(self, uint32_t symbol_index, uint8_t side, Level *out,
                        uint32_t maximum) noexcept nogil:
        """Write up to ``maximum`` levels of a side, best first; how many were written."""
        return 0

    def apply_message(self, const uint8_t[::1] message not None) -> int:
        """Apply one message; the bits of CHANGED."""
        if message.shape[0] == 0:
            return self.apply(NULL, 0)
        return self.apply(&message[0], <uint32_t>message.shape[0])

    def last_trade(self) -> tuple[int, int, str]:
        """Price, shares and resting side ('B', 'S' or '') of the last trade applied."""
        return (self.trade_price, self.trade_shares,
                chr(self.trade_side) if self.trade_side else "")

    def phase(self) -> str:
        """Phase of the market by the name of ``MARKET_PHASE``."""
        return MARKET_PHASE.name_of(self.market_phase)

    def set_price_band(self, str symbol not None, int64_t lower, int64_t upper) -> None:
        """Tell a symbol's price bands, which no feed here carries; 0 for none known.

        Forgotten with every other state when the books are cleared. Raises KeyError for an unknown
        symbol.
        """
        cdef uint32_t index = self.index_of(symbol)
        self.tops[index].band_lower_price = lower
        self.tops[index].band_upper_price = upper

    def clear(self) -> None:
        """Empty every book, as on a new day or a restart of the publisher."""
        self.reset()

    def gap(self) -> None:
        """Mark every book as gapped."""
        self.mark_gapped()

    def symbols(self) -> list[str]:
        """The known symbols in order of their index."""
        return [symbol_text(self.tops[index].symbol) for index in range(self.symbol_count)
                if self.tops[index].symbol]

    def symbol_name(self, uint32_t index) -> str:
        """Name of the symbol of an index, without its padding; empty where there is none."""
        return symbol_text(self.tops[index].symbol) if index < self.symbol_capacity else ""

    def index(self, str symbol not None) -> int:
        """Index of a symbol; raises KeyError."""
        return self.index_of(symbol)

    def top(self, str symbol not None) -> dict:
        """The top of a symbol's book by field name; raises KeyError for an unknown symbol."""
        cdef Top *top = &self.tops[self.index_of(symbol)]
        return {
            "bid_price": top.bid_price,
            "bid_shares": top.bid_shares,
            "ask_price": top.ask_price,
            "ask_shares": top.ask_shares,
            "last_price": top.last_price,
            "last_shares": top.last_shares,
            "timestamp": top.timestamp,
            "updated_ns": top.updated_ns,
            "round_lot_size": top.round_lot_size,
            "trading_state": chr(top.trading_state) if top.trading_state else "",
            "operational_halt": bool(top.operational_halt),
            "short_sale_state": chr(top.short_sale_state) if top.short_sale_state else "",
            "book_state": BOOK_STATES[top.book_state],
        }

    def levels(self, str symbol not None, str side not None, uint32_t maximum=10) -> list:
        """Up to ``maximum`` levels of side 'B' or 'S', best first: (price, shares, orders).

        Raises KeyError for an unknown symbol.
        """
        cdef uint32_t index = self.index_of(symbol)
        cdef uint8_t letter = side_letter(side)
        cdef uint32_t i, count
        cdef Level *out = <Level*>PyMem_Malloc(<size_t>max(maximum, 1) * sizeof(Level))
        if out == NULL:
            raise MemoryError
        try:
            count = self.depth(index, letter, out, maximum)
            return [(out[i].price, out[i].shares, out[i].orders) for i in range(count)]
        finally:
            PyMem_Free(out)

    def counters(self) -> dict[str, int]:
        """The counters of the table BOOK by name."""
        return BOOK.as_dict(self.counts)

    def message_counts(self) -> dict[str, int]:
        """Messages by type letter, whatever became of them; types that came at least once."""
        return {chr(code): self.messages[code] for code in range(256) if self.messages[code]}
