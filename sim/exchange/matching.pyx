# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The matching engine: price, then displayed before hidden, then time; many symbols.

Displayed orders rest in one book, hidden ones in another. Each event goes to the feed (ITCH) and
to the owners (OUCH, by the order desk). What the feed says is enough to rebuild the displayed
book: executions of hidden orders are Trade messages. A replacement always loses its place (ITCH
Order Replace, or Delete and Add where it takes liquidity or changes its display); a smaller size
by Cancel or Modify keeps it (ITCH Order Cancel).

A post-only order that would take is accepted, then cancelled: reason G where a displayed order
stands against it, F where only a hidden one does. An IOC order with a minimum quantity that is
not there is cancelled without trading. Orders rest through a halt; cancels work in it, new orders
do not.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from host.book.order_book cimport OrderBook
from host.model cimport CHANGED_DEPTH, SIDE_BUY, SIDE_SELL, TIME_IN_FORCE_IOC
from sim.exchange.client_order cimport ClientOrder
from sim.exchange.feed_writer cimport FeedWriter
from sim.exchange.ids cimport (
    CANCEL_REASON_IMMEDIATE_OR_CANCEL, CANCEL_REASON_POST_ONLY_WOULD_BE_PRICE_SLID_CONTRA_DISPLAYED,
    CANCEL_REASON_POST_ONLY_WOULD_BE_PRICE_SLID_NMS, CANCEL_REASON_SYSTEM,
    MATCHING_BROKEN_TRADES, MATCHING_CANCELED_SHARES, MATCHING_ENTERED_SHARES,
    MATCHING_HIDDEN_TRADES, MATCHING_NO_ROOM, MATCHING_ORDERS_DISPLAYED, MATCHING_ORDERS_HIDDEN,
    MATCHING_SELF_MATCHES_PREVENTED, MATCHING_STATE_CHANGES, MATCHING_TRADED_SHARES,
    MATCHING_TRADES)
from sim.exchange.order_entry cimport VENUE_CLOSED, VENUE_HALTED, VENUE_OPEN, Venue

from sim.exchange.enumerations import MATCHING

cdef enum:
    MATCHES_KEPT = 1 << 16     # matches that can still be broken
    LEVELS_SHARE = 2           # one price level for so many orders

cdef uint8_t DISPLAY_HIDDEN = b"N"
cdef uint8_t DISPLAY_ATTRIBUTED = b"A"


cdef inline uint8_t _opposite(uint8_t side) noexcept nogil:
    return SIDE_SELL if side == SIDE_BUY else SIDE_BUY


cdef inline bint _crosses(uint8_t side, int64_t limit, int64_t resting) noexcept nogil:
    """Whether an order with this limit may trade at a resting price."""
    return limit >= resting if side == SIDE_BUY else limit <= resting


cdef class MatchingEngine(Venue):
    """Books of all symbols of a feed writer, with up to ``orders`` orders resting in each book.

    All trading states begin halted; ``set_trading_state`` opens them. With ``prevent_self_match`` a
    resting order that would trade with its own session is cancelled (AIQ Canceled) instead.
    """

    def __cinit__(self, FeedWriter feed not None, uint32_t orders=1 << 18,
                  bint prevent_self_match=False):
        cdef uint32_t locate
        self.feed = feed
        self.prevent_self_match = prevent_self_match
        self.displayed = OrderBook(feed.locates, orders, max(orders // LEVELS_SHARE, 1024))
        self.hidden = OrderBook(feed.locates, orders, max(orders // LEVELS_SHARE, 1024))
        self.displayed_owner = <uint32_t *> calloc(orders + 1, sizeof(uint32_t))
        self.hidden_owner = <uint32_t *> calloc(orders + 1, sizeof(uint32_t))
        self.states = <uint8_t *> calloc(feed.locates, 1)
        self.operational_halts = <uint8_t *> calloc(feed.locates, 1)
        self.match_locates = <uint16_t *> calloc(MATCHES_KEPT, sizeof(uint16_t))
        if not (self.displayed_owner and self.hidden_owner and self.states
                and self.operational_halts and self.match_locates):
            raise MemoryError()
        for locate in range(1, feed.locates):
            self.states[locate] = b"H"
            self.displayed.name_symbol(locate, feed.symbols[locate])
            self.hidden.name_symbol(locate, feed.symbols[locate])

    def __dealloc__(self):
        free(self.displayed_owner)
        free(self.hidden_owner)
        free(self.states)
        free(self.operational_halts)
        free(self.match_locates)

    cdef int64_t find_symbol(self, uint64_t symbol) noexcept nogil:
        """Stock locate of a symbol, -1 for none."""
        return self.displayed.find(symbol)

    cdef int symbol_state(self, uint32_t symbol_index) noexcept nogil:
        """Whether new orders are taken."""
        if self.closed:
            return VENUE_CLOSED
        if self.states[symbol_index] != b"T" or self.operational_halts[symbol_index]:
            return VENUE_HALTED
        return VENUE_OPEN

    cdef uint64_t next_reference(self) noexcept nogil:
        """A new order reference number, from 1."""
        self.last_reference += 1
        return self.last_reference

    cdef void enter(self, ClientOrder *order, uint64_t t_ns) noexcept nogil:
        """Match a client's order; what is left rests, or is cancelled."""
        cdef uint8_t refused = self._taken_by(order) if order.post_only else 0
        cdef uint32_t wanted = order.leaves
        self.counts[MATCHING_ENTERED_SHARES] += wanted
        if refused:
            self._cancel_unrested(order, refused, t_ns)
            return
        if order.min_quantity and self._available(
                <uint16_t> order.symbol_index, order.book_side, order.price,
                order.min_quantity) < order.min_quantity:
            self._cancel_unrested(order, CANCEL_REASON_IMMEDIATE_OR_CANCEL, t_ns)
            return
        if self._match(<uint16_t> order.symbol_index, order.book_side, order.price, wanted, order,
                       t_ns) == 0:
            return
        if order.time_in_force == TIME_IN_FORCE_IOC:
            self._cancel_unrested(order, CANCEL_REASON_IMMEDIATE_OR_CANCEL, t_ns)
            return
        if not self._rest(
                order.display == DISPLAY_HIDDEN,
                <uint16_t> order.symbol_index, order.reference, order.book_side, order.leaves,
                order.price, order.firm if order.display == DISPLAY_ATTRIBUTED else 0,
                self.desk.record_of(order), t_ns):
            self._cancel_unrested(order, CANCEL_REASON_SYSTEM, t_ns)

    cdef void _cancel_unrested(self, ClientOrder *order, uint8_t reason,
                               uint64_t t_ns) noexcept nogil:
        self.counts[MATCHING_CANCELED_SHARES] += order.leaves
        self.desk.on_canceled(order, order.leaves, reason, t_ns)

    cdef void replace(self, ClientOrder *order, const ClientOrder *previous,
                      uint64_t t_ns) noexcept nogil:
        """Put an order in the place of what it was; it goes to the end of its queue."""
        cdef uint16_t locate = <uint16_t> order.symbol_index
        cdef int64_t slot
        cdef bint was_hidden = previous.display == DISPLAY_HIDDEN
        if (was_hidden or order.display != previous.display or self._taken_by(order)
                or order.time_in_force == TIME_IN_FORCE_IOC):
            self._remove(was_hidden, previous.reference,
                         previous.leaves, t_ns)
            self.enter(order, t_ns)
            return
        self.displayed_owner[self.displayed.find_order(previous.reference)] = 0
        self.displayed.replace_order(previous.reference, order.reference, order.leaves, order.price)
        self.counts[MATCHING_CANCELED_SHARES] += previous.leaves
        self.counts[MATCHING_ENTERED_SHARES] += order.leaves
        slot = self.displayed.find_order(order.reference)
        if slot < 0:
            self.feed.order_delete(locate, previous.reference, t_ns)
            self.counts[MATCHING_NO_ROOM] += 1
            self._cancel_unrested(order, CANCEL_REASON_SYSTEM, t_ns)
            return
        self.displayed_owner[slot] = self.desk.record_of(order)
        self.counts[MATCHING_ORDERS_DISPLAYED] += 1
        self.feed.order_replace(locate, previous.reference, order.reference, order.leaves,
                                order.price, t_ns)

    cdef void reduce(self, ClientOrder *order, uint32_t shares, uint64_t t_ns) noexcept nogil:
        """Take shares off a resting client order, which keeps its place."""
        self._remove(order.display == DISPLAY_HIDDEN,
                     order.reference, shares, t_ns)

    cdef uint8_t _taken_by(self, const ClientOrder *order) noexcept nogil:
        """0 when the order would not take liquidity, else the reason to cancel a post-only one."""
        cdef uint8_t opposite = _opposite(order.book_side)
        cdef int64_t slot = self.displayed.best(order.symbol_index, opposite)
        if slot >= 0 and _crosses(order.book_side, order.price, self.displayed.order_price(slot)):
            return CANCEL_REASON_POST_ONLY_WOULD_BE_PRICE_SLID_CONTRA_DISPLAYED
        slot = self.hidden.best(order.symbol_index, opposite)
        if slot >= 0 and _crosses(order.book_side, order.price, self.hidden.order_price(slot)):
            return CANCEL_REASON_POST_ONLY_WOULD_BE_PRICE_SLID_NMS
        return 0

    cdef uint32_t _available(self, uint16_t locate, uint8_t side, int64_t limit,
                             uint32_t wanted) noexcept nogil:
        """Shares an order could take now, counted no further than ``wanted``."""
        cdef uint8_t opposite = _opposite(side)
        cdef uint64_t found = 0
        cdef uint32_t count, i
        count = self.displayed.depth(locate, opposite, self.levels, DEPTH_LEVELS)
        for i in range(count):
            if _crosses(side, limit, self.levels[i].price):
                found += <uint64_t> self.levels[i].shares
        count = self.hidden.depth(locate, opposite, self.levels, DEPTH_LEVELS)
        for i in range(count):
            if _crosses(side, limit, self.levels[i].price):
                found += <uint64_t> self.levels[i].shares
        return wanted if found >= wanted else <uint32_t> found

    cdef uint32_t _match(self, uint16_t locate, uint8_t side, int64_t limit, uint32_t shares,
                         ClientOrder *taker, uint64_t t_ns) noexcept nogil:
        """Trade against resting orders; the shares left. ``taker`` is NULL in the background."""
        cdef uint8_t opposite = _opposite(side)
        cdef int64_t seen, unseen
        cdef bint better
        while shares:
            seen = self.displayed.best(locate, opposite)
            unseen = self.hidden.best(locate, opposite)
            better = unseen >= 0 and (seen < 0 or (
                self.hidden.order_price(unseen) < self.displayed.order_price(seen)
                if side == SIDE_BUY else
                self.hidden.order_price(unseen) > self.displayed.order_price(seen)))
            if better:
                if not _crosses(side, limit, self.hidden.order_price(unseen)):
                    break
                shares -= self._execute(locate, self.hidden, self.hidden_owner, unseen, shares,
                                        taker, t_ns)
            else:
                if seen < 0 or not _crosses(side, limit, self.displayed.order_price(seen)):
                    break
                shares -= self._execute(locate, self.displayed, self.displayed_owner, seen, shares,
                                        taker, t_ns)
        return shares

    cdef uint32_t _execute(self, uint16_t locate, OrderBook book, uint32_t *owners, int64_t slot,
                           uint32_t shares, ClientOrder *taker, uint64_t t_ns) noexcept nogil:
        """One match with the order in a slot; the shares traded, 0 for a self-match prevented."""
        cdef uint64_t reference = book.order_reference(slot)
        cdef int64_t price = book.order_price(slot)
        cdef uint32_t resting = book.order_shares(slot)
        cdef uint32_t traded = resting if resting < shares else shares
        cdef uint32_t record = owners[slot]
        cdef ClientOrder *maker = &self.desk.pool[record] if record else NULL
        cdef bint is_hidden = owners == self.hidden_owner
        if (self.prevent_self_match and maker is not NULL and taker is not NULL
                and maker.session == taker.session):
            self.counts[MATCHING_SELF_MATCHES_PREVENTED] += 1
            self._remove(is_hidden, reference, resting, t_ns)
            self.desk.on_self_match(maker, traded, t_ns)
            return 0
        self.last_match += 1
        self.match_locates[self.last_match % MATCHES_KEPT] = locate
        if traded == resting:
            owners[slot] = 0
        book.reduce_order(reference, traded)
        self.counts[MATCHING_TRADES] += 1
        self.counts[MATCHING_TRADED_SHARES] += traded
        if is_hidden:
            self.counts[MATCHING_HIDDEN_TRADES] += 1
            self.feed.trade(locate, traded, price, self.last_match, t_ns)
        else:
            self.feed.order_executed(locate, reference, traded, self.last_match, t_ns)
        if maker is not NULL:
            self.desk.on_executed(maker, traded, price, b"J" if is_hidden else b"A",
                                  self.last_match, t_ns)
        if taker is not NULL:
            self.desk.on_executed(taker, traded, price, b"R", self.last_match, t_ns)
        return traded

    cdef bint _rest(self, bint is_hidden, uint16_t locate, uint64_t reference, uint8_t side,
                    uint32_t shares, int64_t price, uint32_t mpid, uint32_t owner,
                    uint64_t t_ns) noexcept nogil:
        """Lay an order into a book; False when it has no room."""
        if is_hidden:
            if not self.hidden.add_order(locate, reference, side, shares, price) & CHANGED_DEPTH:
                self.counts[MATCHING_NO_ROOM] += 1
                return False
            self.counts[MATCHING_ORDERS_HIDDEN] += 1
            if owner:
                self.hidden_owner[self.hidden.find_order(reference)] = owner
            return True
        if not self.displayed.add_order(locate, reference, side, shares, price) & CHANGED_DEPTH:
            self.counts[MATCHING_NO_ROOM] += 1
            return False
        self.counts[MATCHING_ORDERS_DISPLAYED] += 1
        if owner:
            self.displayed_owner[self.displayed.find_order(reference)] = owner
        self.feed.add_order(locate, reference, side, shares, price, mpid, t_ns)
        return True

    cdef void _remove(self, bint is_hidden, uint64_t reference, uint32_t shares,
                      uint64_t t_ns) noexcept nogil:
        """Take shares off a resting order, the last ones with the order."""
        cdef int64_t slot
        cdef uint16_t locate
        self.counts[MATCHING_CANCELED_SHARES] += shares
        if is_hidden:
            slot = self.hidden.find_order(reference)
            if shares >= self.hidden.order_shares(slot):
                self.hidden_owner[slot] = 0
            self.hidden.reduce_order(reference, shares)
            return
        slot = self.displayed.find_order(reference)
        locate = <uint16_t> self.displayed.order_index(slot)
        if shares >= self.displayed.order_shares(slot):
            self.displayed_owner[slot] = 0
            self.feed.order_delete(locate, reference, t_ns)
        else:
            self.feed.order_cancel(locate, reference, shares, t_ns)
        self.displayed.reduce_order(reference, shares)

    cdef uint64_t background_enter(self, uint16_t locate, uint8_t side, uint32_t shares,
                                   int64_t price, bint immediate, bint is_hidden, uint32_t mpid,
                                   uint64_t t_ns) noexcept nogil:
        """An order without a session; the reference of what rests, 0 for nothing."""
        cdef uint64_t reference
        cdef uint32_t left
        if self.symbol_state(locate) != VENUE_OPEN:
            return 0
        self.counts[MATCHING_ENTERED_SHARES] += shares
        left = self._match(locate, side, price, shares, NULL, t_ns)
        if left == 0:
            return 0
        reference = self.next_reference()
        if immediate or not self._rest(is_hidden, locate,
                                       reference, side, left, price, mpid, 0, t_ns):
            self.counts[MATCHING_CANCELED_SHARES] += left
            return 0
        return reference

    cdef bint background_reduce(self, uint64_t reference, bint is_hidden, uint32_t shares,
                                uint64_t t_ns) noexcept nogil:
        """Take shares off a background order (0: all of them); False when it is not there."""
        cdef uint32_t open_shares
        cdef int64_t slot
        if is_hidden:
            slot = self.hidden.find_order(reference)
        else:
            slot = self.displayed.find_order(reference)
        if slot < 0:
            return False
        open_shares = (self.hidden.order_shares(slot) if is_hidden
                       else self.displayed.order_shares(slot))
        self._remove(is_hidden, reference, shares if 0 < shares < open_shares else open_shares,
                     t_ns)
        return True

    cdef uint64_t background_replace(self, uint64_t reference, uint32_t shares, int64_t price,
                                     uint64_t t_ns) noexcept nogil:
        """Replace a displayed background order at a price that does not take; its new reference."""
        cdef int64_t slot = self.displayed.find_order(reference)
        cdef uint16_t locate
        cdef uint64_t new_reference
        if slot < 0:
            return 0
        locate = <uint16_t> self.displayed.order_index(slot)
        self.counts[MATCHING_CANCELED_SHARES] += self.displayed.order_shares(slot)
        self.counts[MATCHING_ENTERED_SHARES] += shares
        new_reference = self.next_reference()
        self.displayed.replace_order(reference, new_reference, shares, price)
        if self.displayed.find_order(new_reference) < 0:
            self.counts[MATCHING_NO_ROOM] += 1
            self.counts[MATCHING_CANCELED_SHARES] += shares
            self.feed.order_delete(locate, reference, t_ns)
            return 0
        self.counts[MATCHING_ORDERS_DISPLAYED] += 1
        self.feed.order_replace(locate, reference, new_reference, shares, price, t_ns)
        return new_reference

    cdef bint set_state(self, uint16_t locate, uint8_t trading_state, uint32_t reason,
                        uint64_t t_ns) noexcept nogil:
        """Change a symbol's trading state and publish it; False when it is that already."""
        if self.states[locate] == trading_state:
            return False
        self.states[locate] = trading_state
        self.counts[MATCHING_STATE_CHANGES] += 1
        self.feed.trading_action(locate, trading_state, reason, t_ns)
        return True

    cdef int64_t best_price(self, uint16_t locate, uint8_t side) noexcept nogil:
        """Best displayed price of a side, 0 for an empty one."""
        cdef int64_t slot = self.displayed.best(locate, side)
        return 0 if slot < 0 else self.displayed.order_price(slot)

    def locate(self, str symbol not None):
        """Stock locate of a symbol; raises KeyError."""
        return self.displayed.index(symbol)

    def set_trading_state(self, str symbol not None, str trading_state not None,
                          str reason not None, uint64_t t_ns):
        """Halt (``H``), pause (``P``), quote only (``Q``) or trade (``T``) a symbol.

        ``reason`` is a trading action reason code of up to four characters. Says whether the state
        changed.
        """
        cdef bytes padded = reason.encode("ascii").ljust(4)
        cdef uint32_t code
        if trading_state not in ("H", "P", "Q", "T"):
            raise ValueError(f"trading state {trading_state!r}: one of H, P, Q, T")
        if len(padded) != 4:
            raise ValueError(f"reason {reason!r} is longer than 4 characters")
        memcpy(&code, <const char *> padded, 4)
        return self.set_state(self.displayed.index(symbol), ord(trading_state), code, t_ns)

    def set_operational_halt(self, str symbol not None, bint halted, uint64_t t_ns):
        """Halt or resume a symbol on this market only; says whether that changed anything."""
        cdef uint16_t locate = self.displayed.index(symbol)
        if self.operational_halts[locate] == halted:
            return False
        self.operational_halts[locate] = halted
        self.counts[MATCHING_STATE_CHANGES] += 1
        self.feed.operational_halt(locate, b"H" if halted else b"T", t_ns)
        return True

    def trading_state(self, str symbol not None):
        """Trading state letter of a symbol."""
        return chr(self.states[self.displayed.index(symbol)])

    def close(self):
        """Take no more orders."""
        self.closed = True

    def break_trade(self, uint64_t match_number, str reason, uint64_t t_ns):
        """Break a match (``E`` erroneous, ``C`` consent, ``S`` supervisory, ``X`` external).

        The feed and the client sides are told. Raises ValueError for a match number that was not
        given out, or too long ago.
        """
        cdef uint64_t forgotten = (self.last_match - MATCHES_KEPT
                                   if self.last_match > MATCHES_KEPT else 0)
        if not forgotten < match_number <= self.last_match:
            raise ValueError(f"no match {match_number} that can be broken")
        self.counts[MATCHING_BROKEN_TRADES] += 1
        self.feed.broken_trade(self.match_locates[match_number % MATCHES_KEPT], match_number, t_ns)
        return self.desk.break_match(match_number, ord(reason), t_ns)

    def enter_background(self, str symbol not None, str side not None, uint32_t shares,
                         int64_t price, uint64_t t_ns, bint immediate=False, bint hidden=False,
                         str mpid=""):
        """An order without a session; the reference of what rests, 0 for nothing."""
        cdef bytes padded = mpid.encode("ascii").ljust(4)
        cdef uint32_t attribution = 0
        if side not in ("B", "S") or not shares or price <= 0 or len(padded) != 4:
            raise ValueError("side B or S, shares and price above 0, mpid of up to 4 characters")
        if mpid:
            memcpy(&attribution, <const char *> padded, 4)
        return self.background_enter(self.displayed.index(symbol), ord(side), shares, price,
                                     immediate, hidden, attribution, t_ns)

    def cancel_background(self, uint64_t reference, uint64_t t_ns, uint32_t shares=0,
                          bint hidden=False):
        """Take shares (0: all) off what ``enter_background`` left; says whether it was there."""
        return self.background_reduce(reference, hidden, shares, t_ns)

    @property
    def displayed_book(self):
        """The displayed orders, as every reader of the feed must have them."""
        return self.displayed

    @property
    def hidden_book(self):
        """The hidden orders."""
        return self.hidden

    def resting_shares(self):
        """Open shares in both books."""
        total = 0
        for book in (self.displayed, self.hidden):
            for symbol in book.symbols():
                for side in "BS":
                    total += sum(shares for _, _, shares in book.orders(symbol, side))
        return total

    def counters(self):
        """The counters, by name."""
        return MATCHING.as_dict(self.counts)
