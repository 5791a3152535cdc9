# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# SPDX-License-Identifier: Apache-2.0
"""Full order-level books of every symbol from Nasdaq TotalView-ITCH 5.0.

Source: Nasdaq TotalView-ITCH 5.0, sections 1.3 (add), 1.4 (modify) and 1.5 (trade). The symbol index is
the stock locate. An order joins the end of the queue at its price; a replacement is a new order;
executions and cancels deduct, and an order without shares is gone. Everything the books need is
allocated when they are made; what finds no room is counted and its symbol gapped.
"""

from host.book.book cimport Level, side_letter
from host.book.ids cimport (
    BOOK_BAD_PRICE, BOOK_BAD_SIDE, BOOK_BBO_CHANGES, BOOK_DUPLICATE_REFERENCE,
    BOOK_LEVEL_POOL_FULL, BOOK_LOCATE_MISMATCH, BOOK_LOCATE_OUT_OF_RANGE, BOOK_ORDER_POOL_FULL,
    BOOK_REDUCED_TOO_MUCH, BOOK_RESETS, BOOK_SYMBOL_MISMATCH, BOOK_TRADES, BOOK_UNKNOWN_ORDER,
    BOOK_UNKNOWN_TYPE, BOOK_WRONG_LENGTH, BOOK_ZERO_SHARES)
from host.book.index_map cimport prefetch_read
from host.book.ladder cimport Ladder, PriceLevel, ladder_best, ladder_level, ladder_levels
from host.book.look_ahead cimport AHEAD_MESSAGES, look_ahead
from host.book.order_store cimport (
    STORE_ADDED, STORE_DUPLICATE, STORE_NO_ORDER, Order, order_store_add, order_store_clear,
    order_store_close, order_store_open, order_store_reduce, order_store_remove, order_store_seek)
from host.book.pages cimport pages_close, pages_open
from host.model cimport (
    BOOK_GAPPED, CHANGED_BBO, CHANGED_DEPTH, CHANGED_STATE, CHANGED_TRADE, SIDE_BUY, SIDE_SELL, Top)
from libc.string cimport memset
from nic.wire.byteorder cimport load_be16
from nic.wire.itch50_codec cimport (
    ITCH50_ADD_ORDER, ITCH50_ADD_ORDER_WITH_MPID, ITCH50_CROSS_TRADE, ITCH50_OPERATIONAL_HALT,
    ITCH50_ORDER_CANCEL, ITCH50_ORDER_DELETE, ITCH50_ORDER_EXECUTED,
    ITCH50_ORDER_EXECUTED_WITH_PRICE, ITCH50_ORDER_REPLACE,
    ITCH50_STOCK_DIRECTORY, ITCH50_STOCK_TRADING_ACTION, ITCH50_TRADE,
    itch50_add_order_buy_sell_indicator, itch50_add_order_order_reference_number,
    itch50_add_order_price, itch50_add_order_shares, itch50_add_order_stock,
    itch50_add_order_stock_locate, itch50_add_order_timestamp,
    itch50_add_order_with_mpid_buy_sell_indicator,
    itch50_add_order_with_mpid_order_reference_number, itch50_add_order_with_mpid_price,
    itch50_add_order_with_mpid_shares, itch50_add_order_with_mpid_stock,
    itch50_cross_trade_cross_price, itch50_cross_trade_shares,
    itch50_operational_halt_market_code, itch50_operational_halt_operational_halt_action,
    itch50_operational_halt_stock, itch50_order_cancel_cancelled_shares,
    itch50_order_delete_order_reference_number, itch50_order_executed_executed_shares,
    itch50_order_executed_with_price_executed_shares,
    itch50_order_executed_with_price_execution_price, itch50_order_executed_with_price_printable,
    itch50_order_replace_new_order_reference_number, itch50_order_replace_price,
    itch50_order_replace_shares, itch50_stock_directory_round_lot_size,
    itch50_stock_directory_stock, itch50_stock_trading_action_stock,
    itch50_stock_trading_action_trading_state, itch50_trade_price, itch50_trade_shares)

import numpy as np

from nic.wire.itch50 import ITCH50

BBO_CHANGE = np.dtype([
    ("timestamp", "<u8"), ("bid_price", "<i8"), ("bid_shares", "<i8"), ("ask_price", "<i8"),
    ("ask_shares", "<i8"), ("symbol_index", "<u4"), ("message_index", "<u4")])
"""A record of ``apply_binary_file``: what a symbol's best bid and offer became, and by which message."""


cdef extern from *:
    """
    #define tw_load_alone(p) (*(const volatile int64_t *)(p))
    """
    # One wide load of fields that were just stored one by one would wait for the stores to retire.
    int64_t load_alone "tw_load_alone"(const int64_t *p) noexcept nogil

cdef enum:
    STREAM_BYTES = 1024        # how far ahead of the look-ahead apply_binary_file prefetches its data


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


cdef uint32_t no_room(OrderBook self, uint32_t index, uint32_t counter) noexcept nogil:
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


cdef uint32_t know(OrderBook self, uint32_t locate, uint64_t symbol) noexcept nogil:
    """A message names the symbol of a locate: remember it if it is the first to do so."""
    if self.tops[locate].symbol == 0:
        return CHANGED_STATE if self.name_symbol(locate, symbol) else 0
    self.counts[BOOK_SYMBOL_MISMATCH] += 1
    return 0


cdef inline uint32_t directory(OrderBook self, const uint8_t *m, uint32_t locate) noexcept nogil:
    """Stock Directory: the authority on a locate's symbol, and the round lot."""
    cdef uint32_t changed = 0
    if self.name_symbol(locate, itch50_stock_directory_stock(m)):
        changed = CHANGED_STATE
    if self.tops[locate].round_lot_size != itch50_stock_directory_round_lot_size(m):
        self.tops[locate].round_lot_size = itch50_stock_directory_round_lot_size(m)
        changed = CHANGED_STATE
    return changed


cdef inline uint32_t trading_action(OrderBook self, const uint8_t *m,
                                    uint32_t locate) noexcept nogil:
    """Stock Trading Action."""
    cdef Top *top = &self.tops[locate]
    cdef uint32_t changed = 0
    if top.symbol != itch50_stock_trading_action_stock(m):
        changed = know(self, locate, itch50_stock_trading_action_stock(m))
    if top.trading_state != itch50_stock_trading_action_trading_state(m):
        top.trading_state = itch50_stock_trading_action_trading_state(m)
        changed = CHANGED_STATE
    return changed


cdef inline uint32_t operational_halt(OrderBook self, const uint8_t *m,
                                      uint32_t locate) noexcept nogil:
    """Operational Halt: halted while any of the markets that share the feed's format says so."""
    cdef Top *top = &self.tops[locate]
    cdef uint8_t market = itch50_operational_halt_market_code(m)
    cdef uint8_t bit = 1 if market == b"Q" else 2 if market == b"B" else 4 if market == b"X" else 8
    cdef uint8_t halted
    cdef uint32_t changed = 0
    if top.symbol != itch50_operational_halt_stock(m):
        changed = know(self, locate, itch50_operational_halt_stock(m))
    if itch50_operational_halt_operational_halt_action(m) == b"T":
        self.halted_markets[locate] &= ~bit
    else:
        self.halted_markets[locate] |= bit
    halted = self.halted_markets[locate] != 0
    if top.operational_halt != halted:
        top.operational_halt = halted
        changed = CHANGED_STATE
    return changed


cdef uint32_t apply_to_symbol(OrderBook self, const uint8_t *m, uint32_t locate) noexcept nogil:
    """The messages that act on the instrument their locate names."""
    cdef uint8_t code = m[0]
    cdef uint32_t changed = 0
    if locate == 0 or locate >= self.symbol_capacity:
        self.counts[BOOK_LOCATE_OUT_OF_RANGE] += 1
        return 0
    if code == ITCH50_ADD_ORDER:
        if self.tops[locate].symbol != itch50_add_order_stock(m):
            changed = know(self, locate, itch50_add_order_stock(m))
        return changed | add(
            self, locate, itch50_add_order_order_reference_number(m),
            itch50_add_order_buy_sell_indicator(m), itch50_add_order_shares(m),
            itch50_add_order_price(m))
    if code == ITCH50_ADD_ORDER_WITH_MPID:
        if self.tops[locate].symbol != itch50_add_order_with_mpid_stock(m):
            changed = know(self, locate, itch50_add_order_with_mpid_stock(m))
        return changed | add(
            self, locate, itch50_add_order_with_mpid_order_reference_number(m),
            itch50_add_order_with_mpid_buy_sell_indicator(m),
            itch50_add_order_with_mpid_shares(m), itch50_add_order_with_mpid_price(m))
    if code == ITCH50_TRADE:
        if itch50_trade_shares(m) == 0:
            self.counts[BOOK_ZERO_SHARES] += 1
            return 0
        return trade(self, locate, itch50_trade_price(m), itch50_trade_shares(m), 0)
    if code == ITCH50_CROSS_TRADE:
        # A cross without shares is sent where nothing was paired.
        if <int64_t>itch50_cross_trade_shares(m) <= 0:
            return 0
        return trade(self, locate, itch50_cross_trade_cross_price(m),
                     <int64_t>itch50_cross_trade_shares(m), 0)
    if code == ITCH50_STOCK_DIRECTORY:
        return directory(self, m, locate)
    if code == ITCH50_STOCK_TRADING_ACTION:
        return trading_action(self, m, locate)
    return operational_halt(self, m, locate)


cdef inline uint32_t apply_to_order(OrderBook self, const uint8_t *m,
                                    uint32_t locate) noexcept nogil:
    """The messages that act on the order they reference."""
    cdef uint8_t code = m[0]
    cdef uint32_t at
    # The reference stands at the same place in all five.
    cdef Order *order = seek(self, itch50_order_delete_order_reference_number(m), &at)
    cdef uint32_t side
    cdef int64_t price
    if order == NULL:
        return 0
    side = order.side
    if side >> 1 != locate:
        self.counts[BOOK_LOCATE_MISMATCH] += 1
        self.symbol_index = side >> 1
    if code == ITCH50_ORDER_DELETE:
        order_store_remove(&self.store, at)
        return CHANGED_DEPTH | publish(self, side)
    if code == ITCH50_ORDER_REPLACE:
        return replace(self, order, at, itch50_order_replace_new_order_reference_number(m),
                       itch50_order_replace_shares(m), itch50_order_replace_price(m))
    if code == ITCH50_ORDER_EXECUTED:
        return execute(self, order, at, itch50_order_executed_executed_shares(m), order.price)
    if code == ITCH50_ORDER_CANCEL:
        return reduce(self, order, at, itch50_order_cancel_cancelled_shares(m))
    price = 0
    if itch50_order_executed_with_price_printable(m) == b"Y":
        price = itch50_order_executed_with_price_execution_price(m)
    return execute(self, order, at, itch50_order_executed_with_price_executed_shares(m), price)


cdef inline uint32_t apply_itch(OrderBook self, const uint8_t *m, uint32_t length) noexcept nogil:
    """Apply one message: check it, find out on what it acts, count what it changed."""
    cdef uint32_t locate, changed
    cdef uint8_t code
    if length == 0:
        self.counts[BOOK_WRONG_LENGTH] += 1
        return 0
    code = m[0]
    self.messages[code] += 1
    if self.lengths[code] != length:
        self.counts[BOOK_WRONG_LENGTH if self.lengths[code] else BOOK_UNKNOWN_TYPE] += 1
        return 0
    locate = itch50_add_order_stock_locate(m)
    self.symbol_index = 0
    if locate < self.symbol_capacity:
        self.symbol_index = locate
        self.tops[locate].timestamp = itch50_add_order_timestamp(m)
    if (code == ITCH50_ORDER_DELETE or code == ITCH50_ORDER_REPLACE
            or code == ITCH50_ORDER_EXECUTED or code == ITCH50_ORDER_CANCEL
            or code == ITCH50_ORDER_EXECUTED_WITH_PRICE):
        changed = apply_to_order(self, m, locate)
    elif (code == ITCH50_ADD_ORDER or code == ITCH50_ADD_ORDER_WITH_MPID or code == ITCH50_TRADE
            or code == ITCH50_CROSS_TRADE or code == ITCH50_STOCK_DIRECTORY
            or code == ITCH50_STOCK_TRADING_ACTION or code == ITCH50_OPERATIONAL_HALT):
        changed = apply_to_symbol(self, m, locate)
    else:
        return 0
    self.counts[BOOK_BBO_CHANGES] += changed & CHANGED_BBO
    return changed


cdef struct BatchResult:
    uint64_t messages
    uint64_t taken
    uint64_t bbo_changes
    bint end_of_session


cdef BatchResult apply_frames(OrderBook self, const uint8_t *data, size_t size, BboChange *ring,
                              size_t ring_size) noexcept nogil:
    """The loop of apply_binary_file: one cursor applies, another prefetches AHEAD_MESSAGES on."""
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
    """Order-level books of up to ``symbols`` symbols, ``orders`` open orders, ``levels`` price levels.

    With ``prefault`` the memory (about 49 bytes an order and 64 a level) is touched at once, so that no
    page fault comes later. Raises MemoryError, and ValueError for sizes that can't be numbered.
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
        """Slot of the first order in the queue at the best price of a side, -1 for an empty side."""
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
        """Every order of a side, best price first and in queue order: (reference, price, shares)."""
        cdef uint32_t number = 2 * self.index_of(symbol) + (side_letter(side) == SIDE_SELL)
        cdef Ladder *ladder = &self.store.levels.ladders[number]
        cdef uint32_t i, slot
        found = []
        for i in range(ladder_levels(ladder)):
            slot = self.store.levels.levels[ladder_level(ladder.entries[ladder.count - 1 - i])].first
            while slot:
                found.append((self.store.pool[slot].reference, self.store.pool[slot].price,
                              self.store.pool[slot].shares))
                slot = self.store.pool[slot].next
        return found

    def apply_binary_file(self, const uint8_t[::1] data not None, bbo_changes=None) -> dict:
        """Apply messages in BinaryFILE framing: 2-byte big-endian length, then the message.

        Each change of a best bid or offer is written to ``bbo_changes``, an array of BBO_CHANGE, if
        there is one; when it is full, the oldest records are overwritten. Gives ``messages``, ``bytes``
        (taken, with their framing), ``bbo_changes`` and ``trades`` of this call, ``end_of_session``
        (a length of 0 was read, after which nothing is) and ``truncated`` (the last message was
        announced longer than the data). Source: Nasdaq BinaryFILE 1.00.
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

