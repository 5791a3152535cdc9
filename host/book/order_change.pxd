# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Changes of an OrderBook order by order: checked, counted, and published in the symbol's top."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from host.book.ids cimport (
    BOOK_BAD_PRICE, BOOK_BAD_SIDE, BOOK_DUPLICATE_REFERENCE, BOOK_LEVEL_POOL_FULL,
    BOOK_ORDER_POOL_FULL, BOOK_REDUCED_TOO_MUCH, BOOK_TRADES, BOOK_UNKNOWN_ORDER, BOOK_ZERO_SHARES)
from host.book.ladder cimport PriceLevel, ladder_best
from host.book.order_book cimport OrderBook
from host.book.order_store cimport (
    STORE_ADDED, STORE_DUPLICATE, STORE_NO_ORDER, Order, order_store_add, order_store_reduce,
    order_store_remove, order_store_seek)
from host.model cimport (
    BOOK_GAPPED, CHANGED_BBO, CHANGED_DEPTH, CHANGED_STATE, CHANGED_TRADE, SIDE_BUY, SIDE_SELL)

cdef inline uint32_t publish(OrderBook self, uint32_t side) noexcept nogil:
    """Write a side's best level into the top; CHANGED_BBO when it was another."""
    cdef PriceLevel *level = ladder_best(&self.store.levels, side)
    # Without a branch on the side: price and shares of the ask stand behind those of the bid.
    cdef int64_t *best = &self.tops[side >> 1].bid_price + 2 * (side & 1)
    cdef uint32_t changed = (best[0] != level.price) | (best[1] != <int64_t>level.shares)
    best[0] = level.price
    best[1] = <int64_t>level.shares
    return changed * CHANGED_BBO

cdef inline uint8_t side_of(uint32_t side) noexcept nogil:
    """The letter of a side number."""
    return <uint8_t>(SIDE_BUY + (side & 1) * (SIDE_SELL - SIDE_BUY))

cdef inline uint32_t no_room(OrderBook self, uint32_t index, uint32_t counter) noexcept nogil:
    """An order found no room: count it and gap the symbol; CHANGED_STATE when it was not yet."""
    self.counts[counter] += 1
    if self.tops[index].book_state == BOOK_GAPPED:
        return 0
    self.tops[index].book_state = BOOK_GAPPED
    return CHANGED_STATE

cdef inline uint32_t insert(OrderBook self, uint32_t side, uint64_t reference, uint32_t shares,
                            uint32_t price) noexcept nogil:
    """Add an order to its queue without publishing; CHANGED_* bits."""
    cdef int result
    if shares == 0:
        self.counts[BOOK_ZERO_SHARES] += 1
        return 0
    if price == 0:
        self.counts[BOOK_BAD_PRICE] += 1
        return 0
    result = order_store_add(&self.store, side, reference, shares, price)
    if result == STORE_ADDED:
        return CHANGED_DEPTH
    if result == STORE_DUPLICATE:
        self.counts[BOOK_DUPLICATE_REFERENCE] += 1
        return 0
    return no_room(self, side >> 1, BOOK_ORDER_POOL_FULL if result == STORE_NO_ORDER
                   else BOOK_LEVEL_POOL_FULL)

cdef inline uint32_t add(OrderBook self, uint32_t index, uint64_t reference, uint8_t side,
                         uint32_t shares, uint32_t price) noexcept nogil:
    """Add an order and publish."""
    cdef uint32_t number = 2 * index + (side == SIDE_SELL)
    cdef uint32_t changed
    if (side != SIDE_BUY) & (side != SIDE_SELL):
        self.counts[BOOK_BAD_SIDE] += 1
        return 0
    changed = insert(self, number, reference, shares, price)
    if changed & CHANGED_DEPTH:
        changed |= publish(self, number)
    return changed

cdef inline Order *seek(OrderBook self, uint64_t reference, uint32_t *at) noexcept nogil:
    """An order and its place in the map, NULL for an unknown one (counted)."""
    cdef uint32_t slot
    at[0] = order_store_seek(&self.store, reference)
    slot = self.store.map.entries[at[0]].value
    if slot == 0:
        self.counts[BOOK_UNKNOWN_ORDER] += 1
        return NULL
    return &self.store.pool[slot]

cdef inline uint32_t reduce(OrderBook self, Order *order, uint32_t at,
                            uint32_t shares) noexcept nogil:
    """Deduct shares from an order and publish."""
    cdef uint32_t side = order.side
    if shares == 0:
        self.counts[BOOK_ZERO_SHARES] += 1
        return 0
    if shares > order.shares:
        self.counts[BOOK_REDUCED_TOO_MUCH] += 1
    order_store_reduce(&self.store, at, shares)
    return CHANGED_DEPTH | publish(self, side)

cdef inline uint32_t replace(OrderBook self, Order *order, uint32_t at, uint64_t reference,
                             uint32_t shares, uint32_t price) noexcept nogil:
    """Remove an order, add its replacement at the end of its queue, and publish."""
    cdef uint32_t side = order.side
    cdef uint32_t changed
    order_store_remove(&self.store, at)
    changed = insert(self, side, reference, shares, price)
    return changed | CHANGED_DEPTH | publish(self, side)

cdef inline uint32_t trade(OrderBook self, uint32_t index, int64_t price, int64_t shares,
                           uint8_t side) noexcept nogil:
    """Remember a trade; CHANGED_TRADE."""
    self.trade_price = price
    self.trade_shares = shares
    self.trade_side = side
    self.tops[index].last_price = price
    self.tops[index].last_shares = shares
    self.counts[BOOK_TRADES] += 1
    return CHANGED_TRADE

cdef inline uint32_t execute(OrderBook self, Order *order, uint32_t at, uint32_t shares,
                             int64_t price) noexcept nogil:
    """Deduct an execution and report it as a trade at ``price`` (0: it is not to be reported)."""
    cdef uint32_t side = order.side
    cdef uint32_t executed = shares if shares < order.shares else order.shares
    cdef uint32_t changed = reduce(self, order, at, shares)
    if changed and price:
        changed |= trade(self, side >> 1, price, executed, side_of(side))
    return changed
