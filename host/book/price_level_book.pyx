# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
# SPDX-License-Identifier: Apache-2.0
"""Price-level books of every symbol from IEX DEEP 1.0.

Source: IEX DEEP specification 1.08, "Price Level Update Message" and "Event Flags". Symbols have no
number in the feed: an index is given to each in the order of appearance. A price level update SETS
the shares of a level (0 deletes it) and is applied at once; best bid and offer are derived and
published only by the update that completes an event, because what stood between existed for nobody.
The depth of a symbol with an event that is not complete is labelled by ``in_transition``.
"""

from host.book.book cimport Level
from host.book.ids cimport (
    BOOK_ABSENT_LEVEL, BOOK_BAD_PRICE, BOOK_BBO_CHANGES, BOOK_LEVEL_POOL_FULL,
    BOOK_ORPHAN_TRANSITION, BOOK_RESETS, BOOK_SYMBOL_POOL_FULL, BOOK_TRADES, BOOK_UNKNOWN_TYPE,
    BOOK_WRONG_LENGTH)
from host.book.index_map cimport index_map_prefetch
from host.book.ladder cimport (
    KEY_LIMIT, Ladder, PriceLevel, ladder_best, ladder_level, ladder_levels, level_find,
    level_find_or_insert, level_remove, level_store_clear, level_store_close, level_store_open)
from host.book.pages cimport pages_close, pages_open
from host.model cimport (
    BOOK_CLEAN, BOOK_GAPPED, CHANGED_BBO, CHANGED_DEPTH, CHANGED_STATE, CHANGED_TRADE, SIDE_SELL,
    Top)
from libc.string cimport memset
from nic.wire.deep10_codec cimport (
    DEEP10_OPERATIONAL_HALT_STATUS, DEEP10_PRICE_LEVEL_UPDATE_BUY, DEEP10_PRICE_LEVEL_UPDATE_SELL,
    DEEP10_SECURITY_DIRECTORY, DEEP10_SECURITY_EVENT_LENGTH, DEEP10_SHORT_SALE_PRICE_TEST_STATUS,
    DEEP10_SYSTEM_EVENT,
    DEEP10_TRADE_REPORT, DEEP10_TRADING_STATUS,
    deep10_operational_halt_status_operational_halt_status,
    deep10_price_level_update_buy_event_flags, deep10_price_level_update_buy_price,
    deep10_price_level_update_buy_size, deep10_price_level_update_buy_symbol,
    deep10_price_level_update_buy_timestamp, deep10_security_directory_round_lot_size,
    deep10_short_sale_price_test_status_status, deep10_system_event_system_event,
    deep10_trade_report_price, deep10_trade_report_sale_condition_flags, deep10_trade_report_size,
    deep10_trading_status_trading_status)

from nic.wire.deep10 import DEEP10, EVENT_PROCESSING_COMPLETE

cdef enum:
    EVENT_COMPLETE = 0x01      # event flag of a price level update
    EXTENDED_HOURS = 0x40      # sale condition flags of a trade that make it no last sale
    ODD_LOT = 0x20
    SHORT_SALE_UNRESTRICTED = 48   # b"0" as in ITCH 5.0; b"1" restricted

assert EVENT_COMPLETE == EVENT_PROCESSING_COMPLETE


cdef uint32_t publish(PriceLevelBook self, uint32_t index) noexcept nogil:
    """Write the best levels of a symbol into its top; CHANGED_BBO when they were others."""
    cdef Top *top = &self.tops[index]
    cdef PriceLevel *bid = ladder_best(&self.store, 2 * index)
    cdef PriceLevel *ask = ladder_best(&self.store, 2 * index + 1)
    if (top.bid_price == bid.price and top.bid_shares == <int64_t>bid.shares
            and top.ask_price == ask.price and top.ask_shares == <int64_t>ask.shares):
        return 0
    top.bid_price = bid.price
    top.bid_shares = <int64_t>bid.shares
    top.ask_price = ask.price
    top.ask_shares = <int64_t>ask.shares
    return CHANGED_BBO


cdef uint32_t set_level(PriceLevelBook self, uint32_t side, int64_t price,
                        uint32_t shares) noexcept nogil:
    """Set the shares of a price level, 0 to delete it; CHANGED_* bits."""
    cdef uint32_t number
    if price <= 0 or price >= KEY_LIMIT:
        self.counts[BOOK_BAD_PRICE] += 1
        return 0
    if shares == 0:
        number = level_find(&self.store, side, price)
        if number == 0:
            self.counts[BOOK_ABSENT_LEVEL] += 1
            return 0
        level_remove(&self.store, number)
        return CHANGED_DEPTH
    number = level_find_or_insert(&self.store, side, price)
    if number == 0:
        self.counts[BOOK_LEVEL_POOL_FULL] += 1
        if self.tops[side >> 1].book_state == BOOK_GAPPED:
            return 0
        self.tops[side >> 1].book_state = BOOK_GAPPED
        return CHANGED_STATE
    self.store.levels[number].shares = shares
    return CHANGED_DEPTH


cdef uint32_t price_level_update(PriceLevelBook self, const uint8_t *m,
                                 uint32_t index) noexcept nogil:
    """Either side; the two messages have the same fields."""
    cdef Transition *transition = &self.transitions[index]
    cdef int64_t timestamp = deep10_price_level_update_buy_timestamp(m)
    cdef uint32_t changed
    if transition.pending and transition.timestamp != timestamp:
        self.counts[BOOK_ORPHAN_TRANSITION] += 1
    changed = set_level(self, 2 * index + (m[0] == DEEP10_PRICE_LEVEL_UPDATE_SELL),
                        deep10_price_level_update_buy_price(m),
                        deep10_price_level_update_buy_size(m))
    transition.timestamp = timestamp
    transition.pending = not deep10_price_level_update_buy_event_flags(m) & EVENT_COMPLETE
    # After a gap nothing is published: the levels are not known to be all there.
    if transition.pending or self.tops[index].book_state != BOOK_CLEAN:
        return changed
    changed |= publish(self, index)
    self.counts[BOOK_BBO_CHANGES] += changed & CHANGED_BBO
    return changed


cdef uint32_t trade_report(PriceLevelBook self, const uint8_t *m, uint32_t index) noexcept nogil:
    """A trade; it never changes the book, and only some set the last price."""
    cdef Top *top = &self.tops[index]
    self.trade_price = deep10_trade_report_price(m)
    self.trade_shares = deep10_trade_report_size(m)
    self.trade_side = 0
    self.counts[BOOK_TRADES] += 1
    if not deep10_trade_report_sale_condition_flags(m) & (EXTENDED_HOURS | ODD_LOT):
        top.last_price = self.trade_price
        top.last_shares = self.trade_shares
    return CHANGED_TRADE


cdef uint32_t status(Top *top, const uint8_t *m) noexcept nogil:
    """The messages that set a state of the symbol; CHANGED_STATE when it was another."""
    cdef uint8_t halted, restricted
    if m[0] == DEEP10_TRADING_STATUS:
        if top.trading_state == deep10_trading_status_trading_status(m):
            return 0
        top.trading_state = deep10_trading_status_trading_status(m)
    elif m[0] == DEEP10_OPERATIONAL_HALT_STATUS:
        # Only the letter that says so ends a halt.
        halted = deep10_operational_halt_status_operational_halt_status(m) != b"N"
        if top.operational_halt == halted:
            return 0
        top.operational_halt = halted
    elif m[0] == DEEP10_SHORT_SALE_PRICE_TEST_STATUS:
        restricted = SHORT_SALE_UNRESTRICTED + (deep10_short_sale_price_test_status_status(m) != 0)
        if top.short_sale_state == restricted:
            return 0
        top.short_sale_state = restricted
    elif m[0] == DEEP10_SECURITY_DIRECTORY:
        if top.round_lot_size == deep10_security_directory_round_lot_size(m):
            return 0
        top.round_lot_size = deep10_security_directory_round_lot_size(m)
    else:
        return 0
    return CHANGED_STATE


cdef class PriceLevelBook(Book):
    """Price-level books of up to ``symbols`` symbols and ``levels`` price levels in all.

    With ``prefault`` the memory is touched at once, so that no page fault comes later. Raises
    MemoryError, and ValueError for sizes that can't be numbered.
    """

    def __cinit__(self, uint32_t symbols=16384, uint64_t levels=1_000_000, bint prefault=False):
        if not 1 <= symbols <= 1 << 24:
            raise ValueError(f"symbols: 1 to {1 << 24}, not {symbols}")
        if not 1 <= levels < 1 << 24:
            raise ValueError(f"levels: 1 to {(1 << 24) - 1}, not {levels}")
        self.open_tops(symbols, prefault)
        self.transitions = <Transition*>pages_open(symbols * sizeof(Transition), prefault)
        if self.transitions == NULL or not level_store_open(&self.store, symbols, levels, prefault):
            raise MemoryError("no memory for the levels")
        for message in DEEP10.messages:
            self.lengths[message.code] = message.length

    def __dealloc__(self):
        level_store_close(&self.store)
        pages_close(self.transitions, self.symbol_capacity * sizeof(Transition))

    cdef uint32_t apply(self, const uint8_t *message, uint32_t length) noexcept nogil:
        """Apply one DEEP message; CHANGED_* bits, CHANGED_BBO only when an event is complete."""
        cdef uint32_t changed = 0
        cdef uint64_t symbol
        cdef int64_t index
        cdef uint8_t code
        if length == 0:
            self.counts[BOOK_WRONG_LENGTH] += 1
            return 0
        code = message[0]
        self.messages[code] += 1
        if self.lengths[code] == 0:
            self.counts[BOOK_UNKNOWN_TYPE] += 1
            return 0
        if length < self.lengths[code]:
            self.counts[BOOK_WRONG_LENGTH] += 1
            return 0
        if code == DEEP10_SYSTEM_EVENT:
            self.system_event(deep10_system_event_system_event(message))
            return 0
        # Timestamp and symbol stand at the same places in all the other messages.
        symbol = deep10_price_level_update_buy_symbol(message)
        index = self.find(symbol)
        if index < 0:
            if self.symbol_count == self.symbol_capacity or symbol == 0:
                self.counts[BOOK_SYMBOL_POOL_FULL] += 1
                return 0
            index = self.symbol_count
            self.name_symbol(<uint32_t>index, symbol)
            changed = CHANGED_STATE
        self.symbol_index = <uint32_t>index
        self.tops[index].timestamp = <uint64_t>deep10_price_level_update_buy_timestamp(message)
        if code == DEEP10_PRICE_LEVEL_UPDATE_BUY or code == DEEP10_PRICE_LEVEL_UPDATE_SELL:
            return changed | price_level_update(self, message, <uint32_t>index)
        if code == DEEP10_TRADE_REPORT:
            return changed | trade_report(self, message, <uint32_t>index)
        return changed | status(&self.tops[index], message)

    cdef void prefetch(self, const uint8_t *message, uint32_t length) noexcept nogil:
        """A message that will be applied some messages later: bring in its symbol's map entry."""
        if length >= DEEP10_SECURITY_EVENT_LENGTH:
            index_map_prefetch(&self.symbol_map, deep10_price_level_update_buy_symbol(message))

    cdef void mark_gapped(self) noexcept nogil:
        """Messages were lost: every book is BOOK_GAPPED, and no event is known to be pending."""
        Book.mark_gapped(self)
        memset(self.transitions, 0, self.symbol_capacity * sizeof(Transition))

    cdef void reset(self) noexcept nogil:
        """New session or publisher restart: all books empty and clean, all states unknown."""
        self.counts[BOOK_RESETS] += 1
        level_store_clear(&self.store)
        memset(self.transitions, 0, self.symbol_capacity * sizeof(Transition))
        self.reset_tops()

    cdef uint32_t depth(self, uint32_t symbol_index, uint8_t side, Level *out,
                        uint32_t maximum) noexcept nogil:
        """Write up to ``maximum`` levels of a side, best first; how many were written."""
        cdef Ladder *ladder = &self.store.ladders[2 * symbol_index + (side == SIDE_SELL)]
        cdef uint32_t i
        cdef uint32_t count = min(ladder_levels(ladder), maximum)
        cdef PriceLevel *level
        for i in range(count):
            level = &self.store.levels[ladder_level(ladder.entries[ladder.count - 1 - i])]
            out[i].price = level.price
            out[i].shares = <int64_t>level.shares
            out[i].orders = 0
        return count

    def in_transition(self, str symbol not None) -> bool:
        """Whether an event of the symbol is not complete; raises KeyError for an unknown symbol."""
        return bool(self.transitions[self.index_of(symbol)].pending)
