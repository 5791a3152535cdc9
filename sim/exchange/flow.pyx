# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Background order flow: seeded, at a given rate, in virtual time.

Each symbol has a fair price that walks at random. Orders are added around it, cancelled, reduced
and replaced, and marketable ones trade, mostly against what the fair price left behind. The mix
is near to a real day's: about 44 % adds, 39 % deletes, 8 % replaces, 4 % executions, 2 % partial
cancels. Both sides of each symbol stay quoted, a few ticks apart. The n-th message of the flow
has the n-th moment of its rate as its time, however the driver calls; the same seed makes the
same orders.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from host.model cimport SIDE_BUY, SIDE_SELL
from sim.exchange.ids cimport (
    FLOW_ACTIONS, FLOW_ADDS, FLOW_BEHIND, FLOW_DELETES, FLOW_MARKETABLE, FLOW_REDUCES,
    FLOW_REPLACES, FLOW_REPLENISHED, FLOW_SKIPPED)
from sim.exchange.matching cimport MatchingEngine
from sim.exchange.order_entry cimport VENUE_OPEN

from sim.exchange.enumerations import FLOW

cdef enum:
    PER_MILLE = 1000
    TAKES = 22                 # actions of each kind, per mille; the rest are adds
    REPLACES = 80
    REDUCES = 20
    DELETES = 405
    HIDDEN_ADDS = 10           # of the adds, per mille
    ATTRIBUTED_ADDS = 20
    WALK_ONE_IN = 24           # actions between two steps of the fair price, on average
    WIDEST_SPREAD_TICKS = 5
    GAPS = 3                   # symbols differ in how near to the fair price orders come
    OPENING_LEVELS = 8         # on each side
    WALK_RANGE = 16            # the fair price stays within 1/16 of the first one

cdef uint64_t HIDDEN_ORDER = <uint64_t> 1 << 63
cdef uint64_t SECOND_NS = 1_000_000_000
cdef uint32_t MPIDS[4]
memcpy(MPIDS, b"ALFABRVOCHLIDELT", sizeof(MPIDS))


cdef class BackgroundFlow:
    """Flow in every symbol of an engine at ``messages_per_second`` (0 for none).

    ``first_prices`` are one price per symbol, or None for prices drawn from the seed between 10 and
    400; ``orders_per_symbol`` bounds the live orders. ``catch_up_messages`` bounds what one call of
    ``advance`` makes good (0: everything); what is more is given up, and counted.
    """

    def __cinit__(self, MatchingEngine engine not None, uint64_t seed,
                  uint64_t messages_per_second, uint32_t orders_per_symbol=96,
                  int64_t tick=100, first_prices=None):
        cdef uint32_t locate
        if orders_per_symbol < 4 * OPENING_LEVELS:
            raise ValueError(f"the flow needs {4 * OPENING_LEVELS} orders per symbol at least")
        if messages_per_second > 10_000_000:
            raise ValueError("the flow makes 10,000,000 messages a second at most")
        self.engine = engine
        self.random_state = seed
        self.rate = messages_per_second
        self.orders_per_symbol = orders_per_symbol
        self.tick = tick
        self.symbol_count = engine.feed.locates - 1
        self.symbols = <SymbolFlow *> calloc(engine.feed.locates, sizeof(SymbolFlow))
        self.orders = <uint64_t *> calloc(<size_t> engine.feed.locates * orders_per_symbol,
                                          sizeof(uint64_t))
        if not self.symbols or not self.orders:
            raise MemoryError()
        for locate in range(1, engine.feed.locates):
            if first_prices is None:
                price = 100_000 + self._below(3_900_000)
            else:
                price = first_prices[locate - 1]
            self.symbols[locate].fair = price // tick * tick
            if self.symbols[locate].fair < 10_000 + WALK_RANGE * tick:
                raise ValueError(f"first price {price}: too low for the flow")
            self.symbols[locate].first_fair = self.symbols[locate].fair
            self.symbols[locate].gap = (locate - 1) % GAPS * tick
            self.symbols[locate].orders = self.orders + <size_t> locate * orders_per_symbol

    def __dealloc__(self):
        free(self.symbols)
        free(self.orders)

    cdef void open_books(self, uint64_t t_ns) noexcept nogil:
        """Quote both sides of every symbol; the flow's pace begins at ``t_ns``."""
        cdef uint32_t locate, level
        self.start_ns = t_ns
        self.paced = 0
        for locate in range(1, self.symbol_count + 1):
            for level in range(OPENING_LEVELS):
                self._add(<uint16_t> locate, SIDE_BUY, level, t_ns)
                self._add(<uint16_t> locate, SIDE_SELL, level, t_ns)

    cdef void advance(self, uint64_t t_ns) noexcept nogil:
        """Make the messages that are due at ``t_ns``."""
        cdef uint64_t due, before, made
        cdef uint32_t first, second
        cdef uint16_t locate
        if self.rate == 0 or t_ns <= self.start_ns or self.engine.closed:
            return
        due = (t_ns - self.start_ns) / SECOND_NS * self.rate
        due += (t_ns - self.start_ns) % SECOND_NS * self.rate / SECOND_NS
        if self.catch_up_messages and due > self.paced + self.catch_up_messages:
            self.counts[FLOW_BEHIND] += 1
            self.counts[FLOW_SKIPPED] += due - self.paced - self.catch_up_messages
            self.paced = due - self.catch_up_messages
        while self.paced < due:
            # the smaller of two: the first symbols are the busiest, as on a real day
            first = self._below(self.symbol_count)
            second = self._below(self.symbol_count)
            locate = <uint16_t> (1 + (first if first < second else second))
            if self.engine.symbol_state(locate) != VENUE_OPEN:
                self.counts[FLOW_SKIPPED] += 1
                self.paced += 1
                continue
            before = self.engine.feed.publisher.next_number
            self._act(locate, self.start_ns + self.paced / self.rate * SECOND_NS
                      + self.paced % self.rate * SECOND_NS / self.rate)
            made = self.engine.feed.publisher.next_number - before
            self.paced += made

    cdef void _act(self, uint16_t locate, uint64_t t_ns) noexcept nogil:
        cdef SymbolFlow *flow = &self.symbols[locate]
        cdef uint32_t kind = self._below(PER_MILLE)
        cdef bint is_full = flow.count + 2 > self.orders_per_symbol
        cdef bint is_thin = flow.count * 2 < self.orders_per_symbol
        self.counts[FLOW_ACTIONS] += 1
        self._walk(flow)
        if kind < TAKES:
            self._take(locate, t_ns)
        elif kind < TAKES + REPLACES:
            self._replace(locate, t_ns)
        elif kind < TAKES + REPLACES + REDUCES:
            self._reduce(locate, t_ns)
        elif is_full or (kind < TAKES + REPLACES + REDUCES + DELETES and not is_thin):
            self._delete(locate, t_ns)
        else:
            # half of the orders at the touch, a quarter one tick away, and so on
            self._add(locate, SIDE_BUY if self._random() >> 63 else SIDE_SELL,
                      _trailing_zeros(self._random() | 1 << 12), t_ns)
        self._keep_tight(locate, t_ns)

    cdef void _walk(self, SymbolFlow *flow) noexcept nogil:
        if self._below(WALK_ONE_IN):
            return
        if flow.fair > flow.first_fair + flow.first_fair / WALK_RANGE:
            flow.fair -= self.tick
        elif flow.fair < flow.first_fair - flow.first_fair / WALK_RANGE:
            flow.fair += self.tick
        else:
            flow.fair += self.tick if self._random() >> 63 else -self.tick

    cdef void _add(self, uint16_t locate, uint8_t side, int64_t distance,
                   uint64_t t_ns) noexcept nogil:
        """A passive order ``distance`` ticks behind the nearest price to the fair one."""
        cdef bint is_hidden = self._below(PER_MILLE) < HIDDEN_ADDS
        self.counts[FLOW_ADDS] += 1
        self._enter(locate, side, self._passive_price(locate, side, distance), is_hidden, t_ns)

    cdef void _enter(self, uint16_t locate, uint8_t side, int64_t price, bint is_hidden,
                     uint64_t t_ns) noexcept nogil:
        cdef SymbolFlow *flow = &self.symbols[locate]
        cdef uint64_t reference
        cdef uint32_t mpid = 0
        if flow.count == self.orders_per_symbol:
            return
        if self._below(PER_MILLE) < ATTRIBUTED_ADDS:
            mpid = MPIDS[self._below(4)]
        reference = self.engine.background_enter(locate, side, self._size(), price, False,
                                                 is_hidden, mpid, t_ns)
        if reference:
            flow.orders[flow.count] = reference | HIDDEN_ORDER if is_hidden else reference
            flow.count += 1

    cdef int64_t _passive_price(self, uint16_t locate, uint8_t side,
                                int64_t distance) noexcept nogil:
        """A price that does not take what is displayed."""
        cdef SymbolFlow *flow = &self.symbols[locate]
        cdef int64_t price, other
        if side == SIDE_BUY:
            price = flow.fair - flow.gap - distance * self.tick
            other = self.engine.best_price(locate, SIDE_SELL)
            return other - self.tick if other and price >= other else price
        price = flow.fair + flow.gap + (1 + distance) * self.tick
        other = self.engine.best_price(locate, SIDE_BUY)
        return other + self.tick if other and price <= other else price

    cdef void _take(self, uint16_t locate, uint64_t t_ns) noexcept nogil:
        """A marketable order: against what the fair price left behind, else against either side."""
        cdef SymbolFlow *flow = &self.symbols[locate]
        cdef int64_t bid = self.engine.best_price(locate, SIDE_BUY)
        cdef int64_t ask = self.engine.best_price(locate, SIDE_SELL)
        cdef bint is_buy = self._random() >> 63
        if bid > flow.fair:
            is_buy = False
        elif 0 < ask <= flow.fair:
            is_buy = True
        self.counts[FLOW_MARKETABLE] += 1
        if is_buy and ask:
            self.engine.background_enter(locate, SIDE_BUY, self._size(), ask + self.tick, True,
                                         False, 0, t_ns)
        elif not is_buy and bid > self.tick:
            self.engine.background_enter(locate, SIDE_SELL, self._size(), bid - self.tick, True,
                                         False, 0, t_ns)

    cdef void _delete(self, uint16_t locate, uint64_t t_ns) noexcept nogil:
        """Of two orders delete the one farther from where the price is now."""
        cdef SymbolFlow *flow = &self.symbols[locate]
        cdef int64_t first = self._pick(flow)
        cdef int64_t second = self._pick(flow)
        cdef uint64_t order
        if first < 0 or second < 0 or first >= flow.count:
            return
        if self._distance(flow, flow.orders[second]) > self._distance(flow, flow.orders[first]):
            first = second
        order = flow.orders[first]
        self.counts[FLOW_DELETES] += 1
        self.engine.background_reduce(order & ~HIDDEN_ORDER, order & HIDDEN_ORDER != 0, 0, t_ns)
        self._drop(flow, <uint32_t> first)

    cdef void _reduce(self, uint16_t locate, uint64_t t_ns) noexcept nogil:
        cdef SymbolFlow *flow = &self.symbols[locate]
        cdef int64_t at = self._pick(flow)
        cdef int64_t slot
        cdef uint32_t shares
        if at < 0 or flow.orders[at] & HIDDEN_ORDER:
            return
        slot = self.engine.displayed.find_order(flow.orders[at])
        shares = self.engine.displayed.order_shares(slot)
        if shares < 2:
            return
        self.counts[FLOW_REDUCES] += 1
        self.engine.background_reduce(flow.orders[at], False, 1 + self._below(shares - 1), t_ns)

    cdef void _replace(self, uint16_t locate, uint64_t t_ns) noexcept nogil:
        """Move an order to near the fair price."""
        cdef SymbolFlow *flow = &self.symbols[locate]
        cdef int64_t at = self._pick(flow)
        cdef int64_t slot
        cdef uint8_t side
        cdef uint64_t reference
        if at < 0 or flow.orders[at] & HIDDEN_ORDER:
            return
        slot = self.engine.displayed.find_order(flow.orders[at])
        side = self.engine.displayed.order_side(slot)
        self.counts[FLOW_REPLACES] += 1
        reference = self.engine.background_replace(
            flow.orders[at], self._size(),
            self._passive_price(locate, side, _trailing_zeros(self._random() | 1 << 12)), t_ns)
        if reference:
            flow.orders[at] = reference
        else:
            self._drop(flow, <uint32_t> at)

    cdef void _keep_tight(self, uint16_t locate, uint64_t t_ns) noexcept nogil:
        """Quote a side that is empty, or both when they are far apart."""
        cdef int64_t bid = self.engine.best_price(locate, SIDE_BUY)
        cdef int64_t ask = self.engine.best_price(locate, SIDE_SELL)
        if bid and ask and ask - bid <= WIDEST_SPREAD_TICKS * self.tick:
            return
        if self.symbols[locate].count == self.orders_per_symbol:
            self._delete(locate, t_ns)
        self.counts[FLOW_REPLENISHED] += 1
        if bid == 0 or (ask and self._random() >> 63):
            self._enter(locate, SIDE_BUY, self._passive_price(locate, SIDE_BUY, 0), False, t_ns)
        else:
            self._enter(locate, SIDE_SELL, self._passive_price(locate, SIDE_SELL, 0), False, t_ns)

    cdef int64_t _pick(self, SymbolFlow *flow) noexcept nogil:
        """Place of a random order that still rests, -1 for none; others are forgotten."""
        cdef uint32_t at
        cdef uint64_t order
        while flow.count:
            at = self._below(flow.count)
            order = flow.orders[at]
            if order & HIDDEN_ORDER:
                if self.engine.hidden.find_order(order & ~HIDDEN_ORDER) >= 0:
                    return at
            elif self.engine.displayed.find_order(order) >= 0:
                return at
            self._drop(flow, at)
        return -1

    cdef void _drop(self, SymbolFlow *flow, uint32_t at) noexcept nogil:
        flow.count -= 1
        flow.orders[at] = flow.orders[flow.count]

    cdef int64_t _distance(self, SymbolFlow *flow, uint64_t order) noexcept nogil:
        """How far an order is from the fair price; 0 for one that traded."""
        cdef int64_t slot, price
        if order & HIDDEN_ORDER:
            slot = self.engine.hidden.find_order(order & ~HIDDEN_ORDER)
            price = self.engine.hidden.order_price(slot) if slot >= 0 else flow.fair
        else:
            slot = self.engine.displayed.find_order(order)
            price = self.engine.displayed.order_price(slot) if slot >= 0 else flow.fair
        return price - flow.fair if price > flow.fair else flow.fair - price

    cdef uint32_t _size(self) noexcept nogil:
        """Mostly one to five round lots, some odd lots, a few large ones."""
        cdef uint32_t kind = self._below(20)
        if kind == 0:
            return 100 * (10 + self._below(20))
        if kind < 3:
            return 1 + self._below(99)
        return 100 * (1 + self._below(5))

    cdef uint64_t _random(self) noexcept nogil:
        """SplitMix64 (Steele, Lea, Flood 2014)."""
        cdef uint64_t z
        self.random_state += <uint64_t> 0x9E3779B97F4A7C15
        z = self.random_state
        z = (z ^ (z >> 30)) * <uint64_t> 0xBF58476D1CE4E5B9
        z = (z ^ (z >> 27)) * <uint64_t> 0x94D049BB133111EB
        return z ^ (z >> 31)

    cdef uint32_t _below(self, uint32_t limit) noexcept nogil:
        """A number from 0 up to, not including, ``limit``."""
        return <uint32_t> ((self._random() >> 32) * limit >> 32)

    def start(self, uint64_t t_ns):
        """Quote both sides of every symbol; the pace begins at ``t_ns``."""
        self.open_books(t_ns)

    def run_until(self, uint64_t t_ns):
        """Make the messages that are due at ``t_ns``."""
        with nogil:
            self.advance(t_ns)

    def fair_price(self, uint32_t locate):
        """The fair price of a stock locate now."""
        if not 1 <= locate <= self.symbol_count:
            raise IndexError(f"no stock locate {locate}")
        return self.symbols[locate].fair

    def counters(self):
        """The counters, by name."""
        return FLOW.as_dict(self.counts)


cdef inline int64_t _trailing_zeros(uint64_t value) noexcept nogil:
    """Zero bits below the lowest one; ``value`` is not 0."""
    cdef int64_t count = 0
    while not value & 1:
        value >>= 1
        count += 1
    return count
