# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
# SPDX-License-Identifier: Apache-2.0
"""Full order-level books of every symbol from Nasdaq TotalView-ITCH 5.0.

The symbol index is the stock locate. An order joins the end of the queue at its price; a
replacement is a new order; executions and cancels deduct, and an order without shares is gone.
Everything the books need is allocated when they are made; what finds no room is counted and its
symbol gapped.
"""

from host.book.book cimport Level, side_letter
from host.book.ids cimport (
    BOOK_BAD_PRICE, BOOK_LOCATE_OUT_OF_RANGE, BOOK_RESETS, BOOK_TRADES)
from host.book.index_map cimport prefetch_read
from host.book.itch_message cimport apply_itch
from host.book.ladder cimport Ladder, PriceLevel, ladder_best, ladder_level, ladder_levels
from host.book.look_ahead cimport AHEAD_MESSAGES, look_ahead
from host.book.order_change cimport add, publish, reduce, replace, seek, side_of
from host.book.order_store cimport (
    Order, order_store_clear, order_store_close, order_store_open, order_store_remove,
    order_store_seek)
from host.book.pages cimport pages_close, pages_open
from host.model cimport CHANGED_BBO, CHANGED_DEPTH, SIDE_SELL, Top
from libc.string cimport memset
from nic.wire.byteorder cimport load_be16

import numpy as np

from nic.wire.itch50 import ITCH50

BBO_CHANGE = np.dtype([
    ("timestamp", "<u8"), ("bid_price", "<i8"), ("bid_shares", "<i8"), ("ask_price", "<i8"),
    ("ask_shares", "<i8"), ("symbol_index", "<u4"), ("message_index", "<u4")])
"""A record of ``apply_binary_file``: what a best bid and offer became, and by which message."""

cdef extern from *:
    """
    #define tw_load_alone(p) (*(const volatile int64_t *)(p))
    """
    # One wide load of fields just stored one by one would wait until the stores have retired.
    int64_t load_alone "tw_load_alone"(const int64_t *p) noexcept nogil

cdef enum:
    STREAM_BYTES = 1024        # how far beyond the look-ahead the data itself is prefetched


cdef struct BatchResult:
    uint64_t messages
    uint64_t taken
    uint64_t bbo_changes
    bint end_of_session


cdef BatchResult apply_frames(OrderBook self, const uint8_t *data, size_t size, BboChange *ring,
                              size_t ring_size) noexcept nogil:
    """The loop of apply_binary_file: a cursor applies, another prefetches AHEAD_MESSAGES on."""
    cdef BatchResult result
    cdef size_t at = 0, ahead = 0, ring_at = 0
    cdef uint32_t length, changed
    cdef int lead = 0
    cdef BboChange *record
    cdef BboChange unkept
    cdef Top *top
    memset(&result, 0, sizeof(BatchResult))
    while True:
        while lead < AHEAD_MESSAGES and ahead + 2 <= size:
            length = load_be16(data + ahead)
            if ahead + 2 + length > size:
                break
            prefetch_read(data + ahead + STREAM_BYTES)
            look_ahead(&self.ahead, &self.store, data + ahead + 2, length)
            ahead += 2 + length
            lead += 1
        if lead == 0:
            break
        lead -= 1
        length = load_be16(data + at)
        at += 2 + length
        if length == 0:
            result.end_of_session = True
            break
        changed = apply_itch(self, data + at - length, length) & CHANGED_BBO
        # Without a branch: a record is always written, but only a change into the ring.
        record = &ring[ring_at] if changed else &unkept
        top = &self.tops[self.symbol_index]
        record.timestamp = top.timestamp
        record.bid_price = load_alone(&top.bid_price)
        record.bid_shares = load_alone(&top.bid_shares)
        record.ask_price = load_alone(&top.ask_price)
        record.ask_shares = load_alone(&top.ask_shares)
        record.symbol_index = self.symbol_index
        record.message_index = <uint32_t>result.messages
        result.bbo_changes += changed
        ring_at += changed
        if ring_at == ring_size:
            ring_at = 0
        result.messages += 1
    result.taken = at
    return result


cdef class OrderBook(Book):
    """Order-level books of up to ``symbols`` symbols, ``orders`` open orders and ``levels`` levels.

    With ``prefault`` the memory (about 49 bytes an order and 64 a level) is touched at once, so
    that no page fault comes later. Raises MemoryError, and ValueError for sizes that can't be
    numbered.
    """

    def __cinit__(self, uint32_t symbols=65536, uint64_t orders=4_000_000,
                  uint64_t levels=1_000_000, bint prefault=False):
        if not 2 <= symbols <= 1 << 24:
            raise ValueError(f"symbols: 2 to {1 << 24}, not {symbols}")
        if not 1 <= orders < 1 << 30:
            raise ValueError(f"orders: 1 to {(1 << 30) - 1}, not {orders}")
        if not 1 <= levels < 1 << 24:
            raise ValueError(f"levels: 1 to {(1 << 24) - 1}, not {levels}")
        self.open_tops(symbols, prefault)
        self.halted_markets = <uint8_t*>pages_open(symbols, prefault)
        if self.halted_markets == NULL or not order_store_open(&self.store, symbols, orders, levels,
                                                               prefault):
            raise MemoryError("no memory for the orders")
        for message in ITCH50.messages:
            self.lengths[message.code] = message.length

    def __dealloc__(self):
        order_store_close(&self.store)
        pages_close(self.halted_markets, self.symbol_capacity)

    cdef uint32_t apply(self, const uint8_t *message, uint32_t length) noexcept nogil:
        """Apply one ITCH message; CHANGED_* bits, 0 when nothing changed."""
        return apply_itch(self, message, length)

    cdef void prefetch(self, const uint8_t *message, uint32_t length) noexcept nogil:
        """A message that will be applied some messages later: bring in what it will touch."""
        look_ahead(&self.ahead, &self.store, message, length)

    cdef void reset(self) noexcept nogil:
        """New day: all books empty and clean, all states unknown; symbols are kept."""
        self.counts[BOOK_RESETS] += 1
        order_store_clear(&self.store)
        memset(self.halted_markets, 0, self.symbol_capacity)
        self.reset_tops()

    cdef uint32_t depth(self, uint32_t symbol_index, uint8_t side, Level *out,
                        uint32_t maximum) noexcept nogil:
        """Write up to ``maximum`` levels of a side, best first; how many were written."""
        cdef uint32_t number = 2 * symbol_index + (side == SIDE_SELL)
        cdef Ladder *ladder = &self.store.levels.ladders[number]
        cdef uint32_t i
        cdef uint32_t count = min(ladder_levels(ladder), maximum)
        cdef PriceLevel *level
        for i in range(count):
            level = &self.store.levels.levels[ladder_level(ladder.entries[ladder.count - 1 - i])]
            out[i].price = level.price
            out[i].shares = <int64_t>level.shares
            out[i].orders = level.orders
        return count

    cdef uint32_t add_order(self, uint32_t index, uint64_t reference, uint8_t side,
                            uint32_t shares, int64_t price) noexcept nogil:
        """Add an order at the end of the queue at its price; CHANGED_* bits, 0 when refused."""
        if index >= self.symbol_capacity:
            self.counts[BOOK_LOCATE_OUT_OF_RANGE] += 1
            return 0
        if price <= 0 or price != <int64_t><uint32_t>price:
            self.counts[BOOK_BAD_PRICE] += 1
            return 0
        self.symbol_index = index
        return add(self, index, reference, side, shares, <uint32_t>price)

    cdef uint32_t reduce_order(self, uint64_t reference, uint32_t shares) noexcept nogil:
        """Deduct shares from an order, which goes when none are left; CHANGED_* bits."""
        cdef uint32_t at
        cdef Order *order = seek(self, reference, &at)
        if order == NULL:
            return 0
        self.symbol_index = order.side >> 1
        return reduce(self, order, at, shares)

    cdef uint32_t delete_order(self, uint64_t reference) noexcept nogil:
        """Remove an order; CHANGED_* bits."""
        cdef uint32_t at, side
        cdef Order *order = seek(self, reference, &at)
        if order == NULL:
            return 0
        side = order.side
        self.symbol_index = side >> 1
        order_store_remove(&self.store, at)
        return CHANGED_DEPTH | publish(self, side)

    cdef uint32_t replace_order(self, uint64_t reference, uint64_t new_reference,
                                uint32_t shares, int64_t price) noexcept nogil:
        """Remove an order and add another in its place, at the end of its queue; CHANGED_* bits."""
        cdef uint32_t at
        cdef Order *order = seek(self, reference, &at)
        if order == NULL:
            return 0
        if price <= 0 or price != <int64_t><uint32_t>price:
            self.counts[BOOK_BAD_PRICE] += 1
            return 0
        self.symbol_index = order.side >> 1
        return replace(self, order, at, new_reference, shares, <uint32_t>price)

    cdef int64_t best(self, uint32_t index, uint8_t side) noexcept nogil:
        """Slot of the first order at the best price of a side, -1 for an empty side."""
        cdef PriceLevel *level = ladder_best(&self.store.levels, 2 * index + (side == SIDE_SELL))
        return <int64_t>level.first if level.price else -1

    cdef int64_t find_order(self, uint64_t reference) noexcept nogil:
        """Slot of an order, -1 when it is not in the book."""
        cdef uint32_t at = order_store_seek(&self.store, reference)
        cdef uint32_t slot = self.store.map.entries[at].value
        return <int64_t>slot if slot else -1

    cdef int64_t next_order(self, int64_t slot) noexcept nogil:
        """Slot of the order behind one in its queue, -1 for the last."""
        cdef uint32_t following = self.store.pool[slot].next
        return <int64_t>following if following else -1

    cdef uint64_t order_reference(self, int64_t slot) noexcept nogil:
        """Reference number of the order in a slot."""
        return self.store.pool[slot].reference

    cdef uint32_t order_shares(self, int64_t slot) noexcept nogil:
        """Open shares of the order in a slot."""
        return self.store.pool[slot].shares

    cdef int64_t order_price(self, int64_t slot) noexcept nogil:
        """Price of the order in a slot."""
        return self.store.pool[slot].price

    cdef uint8_t order_side(self, int64_t slot) noexcept nogil:
        """SIDE_BUY or SIDE_SELL of the order in a slot."""
        return side_of(self.store.pool[slot].side)

    cdef uint32_t order_index(self, int64_t slot) noexcept nogil:
        """Symbol index of the order in a slot."""
        return self.store.pool[slot].side >> 1

    @property
    def order_count(self) -> int:
        """Orders in the books."""
        return self.store.count

    def add(self, uint32_t index, uint64_t reference, str side not None, uint32_t shares,
            int64_t price) -> int:
        """Add an order of side 'B' or 'S'; the bits of CHANGED, 0 when it was refused."""
        return self.add_order(index, reference, side_letter(side), shares, price)

    def reduce(self, uint64_t reference, uint32_t shares) -> int:
        """Deduct shares from an order; the bits of CHANGED."""
        return self.reduce_order(reference, shares)

    def delete(self, uint64_t reference) -> int:
        """Remove an order; the bits of CHANGED."""
        return self.delete_order(reference)

    def replace(self, uint64_t reference, uint64_t new_reference, uint32_t shares,
                int64_t price) -> int:
        """Replace an order by a new one; the bits of CHANGED."""
        return self.replace_order(reference, new_reference, shares, price)

    def orders(self, str symbol not None, str side not None) -> list:
        """Every order of a side, best price and first in the queue first.

        Each is (reference, price, shares). Raises KeyError for an unknown symbol.
        """
        cdef uint32_t letter = side_letter(side)
        cdef uint32_t number = 2 * self.index_of(symbol) + (letter == SIDE_SELL)
        cdef Ladder *ladder = &self.store.levels.ladders[number]
        cdef uint32_t i, slot
        found = []
        for i in range(ladder_levels(ladder)):
            number = ladder_level(ladder.entries[ladder.count - 1 - i])
            slot = self.store.levels.levels[number].first
            while slot:
                found.append((self.store.pool[slot].reference, self.store.pool[slot].price,
                              self.store.pool[slot].shares))
                slot = self.store.pool[slot].next
        return found

    def apply_binary_file(self, const uint8_t[::1] data not None, bbo_changes=None) -> dict:
        """Apply messages in BinaryFILE framing: 2-byte big-endian length, then the message.

        Each change of a best bid or offer is written to ``bbo_changes``, an array of BBO_CHANGE, if
        there is one; when it is full, the oldest records are overwritten. Gives ``messages``,
        ``bytes`` (taken, with their framing), ``bbo_changes`` and ``trades`` of this call,
        ``end_of_session`` (a length of 0 was read, after which nothing is) and ``truncated`` (the
        last message was announced longer than the data). Source: Nasdaq BinaryFILE 1.00.
        """
        cdef BboChange[::1] records = bbo_changes
        cdef BboChange unkept
        cdef BboChange *ring = &unkept
        cdef size_t ring_size = 1
        cdef size_t size = data.shape[0]
        cdef BatchResult result
        cdef uint64_t trades = self.counts[BOOK_TRADES]
        if records is not None and records.shape[0]:
            ring = &records[0]
            ring_size = records.shape[0]
        memset(&result, 0, sizeof(BatchResult))
        if size:
            with nogil:
                result = apply_frames(self, &data[0], size, ring, ring_size)
        return {
            "messages": result.messages,
            "bytes": result.taken,
            "bbo_changes": result.bbo_changes,
            "trades": self.counts[BOOK_TRADES] - trades,
            "end_of_session": bool(result.end_of_session),
            "truncated": not result.end_of_session and result.taken < size,
        }
