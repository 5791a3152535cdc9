# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Example: a market maker that keeps one bid and one offer in each of its symbols.

It joins the best bid and the best offer (or betters them by one tick where the spread is wide),
leans its quotes against its position, moves a quote only when the wanted price changed, and takes
its quotes out of a symbol whose book is not clean.
Everything it sends is post-only. It is an example of the interface and a load for tests, not a way
to make money.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from host.model cimport (
    BOOK_CLEAN, OrderEvent, SIDE_BUY, SIDE_SELL, TIME_IN_FORCE_DAY, Top, REPORT_ACCEPTED,
    REPORT_CANCEL_REJECT, REPORT_OTHER, REPORT_REJECTED, REPORT_REPLACED)
from host.strategy.strategy cimport FastStrategy

cdef struct Quote:
    uint32_t handle           # newest order of the chain, 0 for none
    uint32_t quantity         # total of the chain, executed shares included
    int64_t price
    uint32_t replaced         # the order that the newest is to replace, until that is answered
    int64_t replaced_price
    uint64_t sent_ns          # when the last message left
    bint is_pending           # an answer is awaited

cdef struct SymbolState:
    Quote bid
    Quote ask
    int64_t position


@cython.final
cdef class MarketMaker(FastStrategy):
    """Quotes both sides of each symbol of ``symbols`` (all of them when empty).

    ``quantity_shares`` per quote; ``tick`` in price units (100 is one cent); no quote is moved
    sooner than ``minimum_interval_ns`` after its last message; ``maximum_position_shares`` stops
    the side that would add to the position.
    """

    cdef SymbolState *states
    cdef uint32_t quantity
    cdef int64_t tick
    cdef int64_t maximum_position
    cdef uint64_t minimum_interval_ns
    cdef uint64_t quotes, moves, fills

    def __init__(self, symbols=(), *, uint32_t symbol_capacity=65536, uint32_t quantity_shares=100,
                 int64_t tick=100, int64_t maximum_position_shares=1000,
                 uint64_t minimum_interval_ns=1_000_000):
        super().__init__(symbols)
        if quantity_shares == 0 or tick <= 0 or maximum_position_shares <= 0:
            raise ValueError("quantity_shares, tick and maximum_position_shares must be positive")
        free(self.states)
        self.states = <SymbolState *> calloc(symbol_capacity, sizeof(SymbolState))
        if self.states == NULL:
            raise MemoryError("market maker: no memory for its symbols")
        self.quantity = quantity_shares
        self.tick = tick
        self.maximum_position = maximum_position_shares
        self.minimum_interval_ns = minimum_interval_ns

    def __dealloc__(self):
        free(self.states)

    cdef void on_book(self, uint32_t symbol_index) noexcept nogil:
        cdef const Top *top = &self.tops[symbol_index]
        cdef SymbolState *state = &self.states[symbol_index]
        cdef int64_t bid, ask
        if top.book_state != BOOK_CLEAN:       # nobody knows where the market is: step aside
            self.quote(&state.bid, SIDE_BUY, symbol_index, 0, False)
            self.quote(&state.ask, SIDE_SELL, symbol_index, 0, False)
            return
        if top.bid_price <= 0 or top.ask_price <= top.bid_price:
            return
        bid = top.bid_price
        ask = top.ask_price
        if ask - bid > 2 * self.tick:          # better a wide spread, unless we made the best
            if state.bid.handle == 0 or state.bid.price != bid:
                bid += self.tick
            if state.ask.handle == 0 or state.ask.price != ask:
                ask -= self.tick
        if state.position > 0:                 # long: lean down, and sell first
            bid -= self.tick * self.lean(state.position)
        elif state.position < 0:
            ask += self.tick * self.lean(-state.position)
        self.quote(&state.bid, SIDE_BUY, symbol_index, bid,
                   state.position < self.maximum_position)
        self.quote(&state.ask, SIDE_SELL, symbol_index, ask,
                   -state.position < self.maximum_position)

    cdef int64_t lean(self, int64_t held) noexcept nogil:
        """Ticks to lean by: one from half of the maximum position, two from the whole."""
        return <int64_t> (2 * held >= self.maximum_position) + (held >= self.maximum_position)

    cdef void quote(self, Quote *quote, uint8_t side, uint32_t symbol_index, int64_t price,
                    bint wanted) noexcept nogil:
        """Bring one quote to where it is wanted, by one message at the most."""
        cdef uint64_t now = self.orders.t_ns
        cdef uint32_t handle
        if quote.is_pending or now - quote.sent_ns < self.minimum_interval_ns:
            return
        if quote.handle == 0:
            if wanted and price > 0:
                quote.sent_ns = now
                handle = self.orders.enter(side, symbol_index, self.quantity, price,
                                           TIME_IN_FORCE_DAY, True)
                if handle != 0:
                    quote.handle = handle
                    quote.price = price
                    quote.quantity = self.quantity
                    quote.is_pending = True
                    self.quotes += 1
        elif not wanted:
            quote.sent_ns = now
            if self.orders.cancel_order(quote.handle, symbol_index) != 0:
                quote.is_pending = True
        elif price != quote.price and price > 0:
            quote.sent_ns = now
            handle = self.orders.replace_order(quote.handle, side, symbol_index, quote.quantity,
                                               price, True)
            if handle != 0:
                quote.replaced = quote.handle
                quote.replaced_price = quote.price
                quote.handle = handle
                quote.price = price
                quote.is_pending = True
                self.moves += 1

    cdef void on_order(self, const OrderEvent *event) noexcept nogil:
        cdef SymbolState *state = &self.states[event.symbol_index]
        cdef Quote *quote = &state.bid if event.side == SIDE_BUY else &state.ask
        if event.position != state.position:
            self.fills += 1
        state.position = event.position
        if event.kind == REPORT_OTHER:         # unknown until the session is back
            return
        if event.leaves_quantity == 0:         # gone: filled, cancelled, refused
            if event.user_ref_num == quote.replaced:
                quote.replaced = 0
            elif event.user_ref_num == quote.handle:
                quote.handle = 0
                # a replace that was refused, by the exchange or (0) by a gate on another host: the
                # order that it named stands
                if event.kind == REPORT_REJECTED or event.kind == 0:
                    quote.handle = quote.replaced
                    quote.price = quote.replaced_price
                quote.replaced = 0
                quote.is_pending = False
        elif event.user_ref_num == quote.handle and (
                event.kind == REPORT_ACCEPTED or event.kind == REPORT_REPLACED):
            quote.is_pending = False
            quote.replaced = 0
            quote.price = event.price
        elif event.user_ref_num == quote.handle and event.kind == REPORT_CANCEL_REJECT:
            quote.is_pending = False

    def report(self):
        """Quotes entered, quotes moved and fills seen."""
        return {"quotes": self.quotes, "moves": self.moves, "fills": self.fills}
