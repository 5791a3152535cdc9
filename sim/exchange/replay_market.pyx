# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A market whose other side is a recorded feed: client orders meet the replayed book.

The recorded participants can't react, so the rules are stated here:

- A marketable order takes the displayed shares level by level, best first, at the level's price.
  What was taken of a level stays taken until the level changes; nothing is taken out of the book
  itself.
- The rest of an IOC order is cancelled; post-only and minimum quantity work as in the matching
  engine.
- A resting order stands behind the shares displayed at its price when it came (never more than
  are displayed there now). Trades at its price first use up those shares; what is more fills it.
  A trade at a worse price for the resting side, or an order that comes to stand against it, would
  have met it first and fills it. It fills at its own price. A hidden order fills only in the
  latter two ways.
- Trades whose resting side the feed does not tell count for both sides.
- Client orders that cross each other trade, after the displayed shares of a better or equal
  price.

Symbol index, prices and times are those of the book; order entry is the same ``OrderDesk`` as in
front of the matching engine, so the same OUCH bytes come out.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from host.book.book cimport Book, Level
from host.model cimport (
    CHANGED_BBO, CHANGED_DEPTH, CHANGED_TRADE, SIDE_BUY, SIDE_SELL, TIME_IN_FORCE_IOC)
from sim.exchange.client_order cimport ClientOrder
from sim.exchange.ids cimport (
    CANCEL_REASON_IMMEDIATE_OR_CANCEL, CANCEL_REASON_POST_ONLY_WOULD_BE_PRICE_SLID_CONTRA_DISPLAYED,
    CANCEL_REASON_SYSTEM, REPLAY_MARKET_MADE_SHARES, REPLAY_MARKET_MET,
    REPLAY_MARKET_OWN_TRADES, REPLAY_MARKET_QUEUE_FILLS, REPLAY_MARKET_RESTED,
    REPLAY_MARKET_TAKEN_FULL, REPLAY_MARKET_TAKEN_SHARES, REPLAY_MARKET_TRADED_THROUGH)
from sim.exchange.order_entry cimport VENUE_HALTED, VENUE_OPEN, OrderDesk, Venue

from sim.exchange.enumerations import REPLAY_MARKET

cdef uint64_t FIRST_NUMBER = <uint64_t> 1 << 62
cdef int64_t NEVER_REACHED = <int64_t> 1 << 62
cdef uint8_t DISPLAY_HIDDEN = b"N"


cdef inline uint8_t _opposite(uint8_t side) noexcept nogil:
    return SIDE_SELL if side == SIDE_BUY else SIDE_BUY


cdef inline bint _crosses(uint8_t side, int64_t limit, int64_t contra) noexcept nogil:
    return limit >= contra if side == SIDE_BUY else limit <= contra


cdef class ReplayMarket(Venue):
    """Order entry of ``desk`` against ``book``, which the caller (or ``apply``) feeds.

    Reference and match numbers begin at 2**62, apart from those of the recording. A symbol whose
    trading state was never heard is halted, unless ``unknown_state_trades`` (for recordings that
    begin during the day). ``taken_levels`` bounds the levels whose taken shares are remembered.
    """

    def __cinit__(self, Book book not None, OrderDesk desk not None,
                  bint unknown_state_trades=False, uint32_t taken_levels=1 << 16):
        cdef uint32_t at
        self.book = book
        self.unknown_state_trades = unknown_state_trades
        self.last_reference = FIRST_NUMBER
        self.last_match = FIRST_NUMBER
        self.taken_capacity = taken_levels
        self.resting = <Resting *> calloc(desk.capacity + 1, sizeof(Resting))
        self.heads = <uint32_t *> calloc(book.symbol_capacity, sizeof(uint32_t))
        self.taken_heads = <uint32_t *> calloc(book.symbol_capacity, sizeof(uint32_t))
        self.taken = <Taken *> calloc(taken_levels + 1, sizeof(Taken))
        if not (self.resting and self.heads and self.taken_heads and self.taken):
            raise MemoryError()
        for at in range(1, taken_levels):
            self.taken[at].next = at + 1
        self.taken_free = 1 if taken_levels else 0
        desk.connect_venue(self)

    def __dealloc__(self):
        free(self.resting)
        free(self.heads)
        free(self.taken_heads)
        free(self.taken)

    cdef int64_t find_symbol(self, uint64_t symbol) noexcept nogil:
        """The book's index of a symbol, -1 for none."""
        return self.book.find(symbol)

    cdef int symbol_state(self, uint32_t symbol_index) noexcept nogil:
        """Whether new orders are taken."""
        cdef uint8_t state = self.book.tops[symbol_index].trading_state
        if self.book.tops[symbol_index].operational_halt:
            return VENUE_HALTED
        if state == b"T" or (state == 0 and self.unknown_state_trades):
            return VENUE_OPEN
        return VENUE_HALTED

    cdef uint64_t next_reference(self) noexcept nogil:
        """A new order reference number."""
        self.last_reference += 1
        return self.last_reference

    cdef void enter(self, ClientOrder *order, uint64_t t_ns) noexcept nogil:
        """Take what is displayed; the rest rests, or is cancelled."""
        cdef uint64_t reach = 0
        if order.post_only or order.min_quantity:
            reach = self._within_reach(order)
        if order.post_only and reach:
            self.desk.on_canceled(
                order, order.leaves,
                CANCEL_REASON_POST_ONLY_WOULD_BE_PRICE_SLID_CONTRA_DISPLAYED, t_ns)
            return
        if reach >= order.min_quantity:
            self._take(order, t_ns)
        if order.leaves == 0:
            return
        if order.time_in_force == TIME_IN_FORCE_IOC:
            self.desk.on_canceled(order, order.leaves, CANCEL_REASON_IMMEDIATE_OR_CANCEL, t_ns)
            return
        self.counts[REPLAY_MARKET_RESTED] += 1
        self._link(order)

    cdef void replace(self, ClientOrder *order, const ClientOrder *previous,
                      uint64_t t_ns) noexcept nogil:
        """The order leaves its queue and comes again."""
        self._unlink(order)
        self.enter(order, t_ns)

    cdef void reduce(self, ClientOrder *order, uint32_t shares, uint64_t t_ns) noexcept nogil:
        """Take shares off a resting order, which keeps its place."""
        if shares >= order.leaves:
            self._unlink(order)

    cdef uint32_t apply(self, const uint8_t *message, uint32_t length,
                        uint64_t t_ns) noexcept nogil:
        """Apply a message to the book and let client orders feel it; the book's CHANGED_* bits."""
        cdef uint32_t changed = self.book.apply(message, length)
        self.observe(self.book.symbol_index, changed, t_ns)
        return changed

    cdef void observe(self, uint32_t symbol_index, uint32_t changed, uint64_t t_ns) noexcept nogil:
        """A message changed the book (CHANGED_* bits of its last apply)."""
        if self.heads[symbol_index] == 0 and self.taken_heads[symbol_index] == 0:
            return
        if changed & CHANGED_TRADE:
            self._on_trade(symbol_index, t_ns)
        if changed & (CHANGED_DEPTH | CHANGED_BBO):
            self._on_depth(symbol_index, t_ns)

    cdef void _on_trade(self, uint32_t symbol_index, uint64_t t_ns) noexcept nogil:
        """A recorded trade: who of ours would have had a part of it."""
        cdef int64_t price = self.book.trade_price
        cdef int64_t left = self.book.trade_shares     # not yet ours, over all orders
        cdef uint8_t side = self.book.trade_side
        cdef int64_t shares
        cdef uint32_t record = self.heads[symbol_index]
        cdef uint32_t following
        cdef bint through
        cdef ClientOrder *order
        while record:
            following = self.resting[record].next
            order = &self.desk.pool[record]
            if (side == 0 or side == order.book_side) and _crosses(order.book_side, order.price,
                                                                   price):
                through = order.price != price
                shares = self.book.trade_shares
                if not through:
                    # the same shares pass every order at this price
                    shares -= self.resting[record].ahead
                    self.resting[record].ahead -= self.book.trade_shares
                    if self.resting[record].ahead < 0:
                        self.resting[record].ahead = 0
                shares = shares if shares < left else left
                shares = shares if shares < order.leaves else order.leaves
                if shares > 0:
                    left -= shares
                    self.counts[REPLAY_MARKET_TRADED_THROUGH if through
                                else REPLAY_MARKET_QUEUE_FILLS] += 1
                    self._fill(order, <uint32_t> shares, order.price, t_ns)
            record = following

    cdef void _on_depth(self, uint32_t symbol_index, uint64_t t_ns) noexcept nogil:
        """Levels changed: forget what was taken of them, move up in the queues, meet newcomers."""
        cdef uint32_t record = self.heads[symbol_index]
        cdef uint32_t following
        cdef int64_t displayed
        cdef ClientOrder *order
        self._forget_changed(symbol_index)
        while record:
            following = self.resting[record].next
            order = &self.desk.pool[record]
            if order.display != DISPLAY_HIDDEN:
                displayed = self._displayed_at(symbol_index, order.book_side, order.price)
                if 0 <= displayed < self.resting[record].ahead:
                    self.resting[record].ahead = displayed
            self._meet(order, t_ns)
            record = following

    cdef void _meet(self, ClientOrder *order, uint64_t t_ns) noexcept nogil:
        """Displayed orders that stand against a resting one would have traded with it."""
        cdef uint8_t side = _opposite(order.book_side)
        cdef uint32_t count, i
        cdef uint32_t symbol_index = order.symbol_index
        cdef int64_t shares
        count = self.book.depth(symbol_index, side, self.levels, REPLAY_LEVELS)
        for i in range(count):
            if not _crosses(order.book_side, order.price, self.levels[i].price):
                return
            shares = self._left(symbol_index, side, &self.levels[i])
            shares = shares if shares < order.leaves else order.leaves
            if shares <= 0:
                continue
            self._use(symbol_index, side, &self.levels[i], shares)
            self.counts[REPLAY_MARKET_MET] += 1
            if shares == order.leaves:
                self._fill(order, <uint32_t> shares, order.price, t_ns)
                return
            self._fill(order, <uint32_t> shares, order.price, t_ns)

    cdef void _take(self, ClientOrder *order, uint64_t t_ns) noexcept nogil:
        """Trade with displayed levels and own orders, best price first."""
        cdef uint8_t side = _opposite(order.book_side)
        cdef uint32_t symbol_index = order.symbol_index
        cdef uint32_t count = self.book.depth(symbol_index, side, self.levels, REPLAY_LEVELS)
        cdef uint32_t i = 0
        cdef int64_t available, shares
        cdef ClientOrder *own
        cdef bint displayed
        while order.leaves:
            available = self._left(symbol_index, side, &self.levels[i]) if i < count else 0
            if i < count and available <= 0:
                i += 1
                continue
            own = self._own_contra(order)
            displayed = i < count and _crosses(order.book_side, order.price, self.levels[i].price)
            if own is not NULL and (not displayed or not _crosses(
                    order.book_side, own.price, self.levels[i].price)):
                shares = own.leaves if own.leaves < order.leaves else order.leaves
                self.counts[REPLAY_MARKET_OWN_TRADES] += 1
                available = own.price
                self._fill(own, <uint32_t> shares, available, t_ns)
                self.desk.on_executed(order, <uint32_t> shares, available, b"R", self.last_match,
                                      t_ns)
            elif displayed:
                shares = available if available < order.leaves else order.leaves
                self._use(symbol_index, side, &self.levels[i], shares)
                self.last_match += 1
                self.counts[REPLAY_MARKET_TAKEN_SHARES] += <uint64_t> shares
                self.desk.on_executed(order, <uint32_t> shares, self.levels[i].price, b"R",
                                      self.last_match, t_ns)
            else:
                return

    cdef uint64_t _within_reach(self, const ClientOrder *order) noexcept nogil:
        """Shares that the order could take now."""
        cdef uint8_t side = _opposite(order.book_side)
        cdef uint32_t count = self.book.depth(order.symbol_index, side, self.levels, REPLAY_LEVELS)
        cdef uint32_t i, record
        cdef uint64_t found = 0
        for i in range(count):
            if _crosses(order.book_side, order.price, self.levels[i].price):
                found += <uint64_t> self._left(order.symbol_index, side, &self.levels[i])
        record = self.heads[order.symbol_index]
        while record:
            if self.desk.pool[record].book_side == side and _crosses(
                    order.book_side, order.price, self.desk.pool[record].price):
                found += self.desk.pool[record].leaves
            record = self.resting[record].next
        return found

    cdef ClientOrder *_own_contra(self, const ClientOrder *order) noexcept nogil:
        """The best client order that this one crosses, the oldest of its price; NULL for none."""
        cdef ClientOrder *best = NULL
        cdef ClientOrder *own
        cdef uint32_t record = self.heads[order.symbol_index]
        while record:
            own = &self.desk.pool[record]
            if (own.book_side != order.book_side
                    and _crosses(order.book_side, order.price, own.price)
                    and (best is NULL or not _crosses(order.book_side, own.price, best.price))):
                best = own
            record = self.resting[record].next
        return best

    cdef int64_t _left(self, uint32_t symbol_index, uint8_t side,
                       const Level *level) noexcept nogil:
        """Displayed shares of a level that were not taken."""
        cdef uint32_t at = self.taken_heads[symbol_index]
        while at:
            if self.taken[at].price == level.price and self.taken[at].side == side:
                return level.shares - self.taken[at].taken
            at = self.taken[at].next
        return level.shares

    cdef void _use(self, uint32_t symbol_index, uint8_t side, const Level *level,
                   int64_t shares) noexcept nogil:
        """Remember that shares of a level are taken."""
        cdef uint32_t at = self.taken_heads[symbol_index]
        while at:
            if self.taken[at].price == level.price and self.taken[at].side == side:
                self.taken[at].taken += shares
                return
            at = self.taken[at].next
        at = self.taken_free
        if at == 0:
            self.counts[REPLAY_MARKET_TAKEN_FULL] += 1
            return
        self.taken_free = self.taken[at].next
        self.taken[at].price = level.price
        self.taken[at].side = side
        self.taken[at].displayed = level.shares
        self.taken[at].taken = shares
        self.taken[at].next = self.taken_heads[symbol_index]
        self.taken_heads[symbol_index] = at

    cdef void _forget_changed(self, uint32_t symbol_index) noexcept nogil:
        """Levels that show another size are new ones."""
        cdef uint32_t *link = &self.taken_heads[symbol_index]
        cdef uint32_t at
        cdef Taken *taken
        while link[0]:
            at = link[0]
            taken = &self.taken[at]
            if self._displayed_at(symbol_index, taken.side, taken.price) == taken.displayed:
                link = &taken.next
                continue
            link[0] = taken.next
            taken.next = self.taken_free
            self.taken_free = at

    cdef int64_t _displayed_at(self, uint32_t symbol_index, uint8_t side,
                               int64_t price) noexcept nogil:
        """Shares displayed at a price, -1 where it is too deep to tell."""
        cdef uint32_t count = self.book.depth(symbol_index, side, self.levels, REPLAY_LEVELS)
        cdef uint32_t i
        for i in range(count):
            if self.levels[i].price == price:
                return self.levels[i].shares
            if _crosses(side, price, self.levels[i].price):
                return 0
        return -1 if count == REPLAY_LEVELS else 0

    cdef void _link(self, ClientOrder *order) noexcept nogil:
        """Put an order at the end of its symbol's list."""
        cdef uint32_t record = self.desk.record_of(order)
        cdef uint32_t *link = &self.heads[order.symbol_index]
        cdef int64_t displayed
        while link[0]:
            link = &self.resting[link[0]].next
        link[0] = record
        self.resting[record].next = 0
        displayed = self._displayed_at(order.symbol_index, order.book_side, order.price)
        self.resting[record].ahead = (
            NEVER_REACHED if order.display == DISPLAY_HIDDEN or displayed < 0 else displayed)

    cdef void _unlink(self, const ClientOrder *order) noexcept nogil:
        cdef uint32_t record = self.desk.record_of(order)
        cdef uint32_t *link = &self.heads[order.symbol_index]
        while link[0] != record:
            link = &self.resting[link[0]].next
        link[0] = self.resting[record].next

    cdef void _fill(self, ClientOrder *order, uint32_t shares, int64_t price,
                    uint64_t t_ns) noexcept nogil:
        """A resting order trades under a new match number."""
        self.last_match += 1
        self.counts[REPLAY_MARKET_MADE_SHARES] += shares
        if shares == order.leaves:
            self._unlink(order)
        self.desk.on_executed(order, shares, price,
                              b"J" if order.display == DISPLAY_HIDDEN else b"A", self.last_match,
                              t_ns)

    def apply_message(self, const uint8_t[::1] message not None, uint64_t t_ns):
        """Apply one feed message to the book and let the client orders feel it; CHANGED_* bits."""
        if message.shape[0] == 0:
            return 0
        return self.apply(&message[0], <uint32_t> message.shape[0], t_ns)

    def restart(self, uint64_t t_ns):
        """The recording began anew: every client order is cancelled (reason Z)."""
        cdef uint32_t session
        for session in range(self.desk.session_count):
            self.desk.cancel_session(session, CANCEL_REASON_SYSTEM, t_ns)

    def shares_ahead(self, uint64_t reference):
        """Displayed shares that trade before a resting order, or None when it does not rest."""
        cdef uint32_t symbol_index, record
        for symbol_index in range(self.book.symbol_capacity):
            record = self.heads[symbol_index]
            while record:
                if self.desk.pool[record].reference == reference:
                    return self.resting[record].ahead
                record = self.resting[record].next
        return None

    def counters(self):
        """The counters, by name."""
        return REPLAY_MARKET.as_dict(self.counts)
