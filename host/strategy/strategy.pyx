# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The strategy interface: what a strategy is told, and how it says that it wants to trade.

A strategy answers only "should we trade?". It sees tops of book, trades and its own orders, and
hands intents to execution; how they become orders, whether they may leave and where to are other
rooms' duties. ``FastStrategy`` is the compiled base; ``host.strategy.python_strategy`` puts a plain
Python class behind the same calls.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from host.model cimport (
    ACTION_CANCEL, ACTION_NEW, ACTION_REPLACE, ALGORITHM_DIRECT, ALGORITHM_TWAP, Intent, SIDE_BUY,
    SIDE_SELL, TIME_IN_FORCE_DAY, TIME_IN_FORCE_IOC)

TIMES_IN_FORCE = {"day": TIME_IN_FORCE_DAY, "ioc": TIME_IN_FORCE_IOC}
"""Names of the times in force, and the byte of each on the wire."""


cdef class Orders:
    """A strategy's way out: buy, sell, replace, cancel.

    Every method returns a handle: the number that later order events carry as
    ``user_ref_num``, or 0 when nothing was sent. A strategy must live with 0: the gate refused, the
    session is down, or the strategy was stopped.
    """

    def __cinit__(self, IntentSink execution not None, int strategy_id, symbols=None):
        self.execution = execution
        self.strategy_id = strategy_id
        self.symbols = symbols
        self.enabled = True

    cdef uint32_t enter(self, uint8_t side, uint32_t symbol_index, uint32_t quantity,
                        int64_t price, uint8_t time_in_force, bint post_only) noexcept nogil:
        """A new order."""
        cdef Intent intent
        memset(&intent, 0, sizeof(intent))
        intent.action = ACTION_NEW
        intent.algorithm = ALGORITHM_DIRECT
        intent.side = side
        intent.symbol_index = symbol_index
        intent.quantity = quantity
        intent.price = price
        intent.time_in_force = time_in_force
        intent.post_only = post_only
        return self.hand_on(&intent)

    cdef uint32_t replace_order(self, uint32_t handle, uint8_t side, uint32_t symbol_index,
                                uint32_t quantity, int64_t price, bint post_only) noexcept nogil:
        """Another price or size for a live order; quantity counts what it has executed already."""
        cdef Intent intent
        memset(&intent, 0, sizeof(intent))
        intent.action = ACTION_REPLACE
        intent.handle = handle
        intent.side = side
        intent.symbol_index = symbol_index
        intent.quantity = quantity
        intent.price = price
        intent.time_in_force = TIME_IN_FORCE_DAY
        intent.post_only = post_only
        return self.hand_on(&intent)

    cdef uint32_t cancel_order(self, uint32_t handle, uint32_t symbol_index) noexcept nogil:
        """All that is open of an order."""
        cdef Intent intent
        memset(&intent, 0, sizeof(intent))
        intent.action = ACTION_CANCEL
        intent.handle = handle
        intent.symbol_index = symbol_index
        return self.hand_on(&intent)

    cdef uint32_t hand_on(self, Intent *intent) noexcept nogil:
        cdef uint32_t handle
        if (self.is_stopped or not self.enabled) and intent.action != ACTION_CANCEL:
            self.refused += 1
            return 0
        intent.strategy_id = self.strategy_id
        handle = self.execution.intend(intent, self.t_ns)
        if handle == 0:
            self.refused += 1
        else:
            self.intents += 1
        return handle

    cdef void stop(self) noexcept nogil:
        """From now on only cancels pass, whoever enables the strategies; schedules end."""
        self.is_stopped = True
        self.execution.stop_strategy(self.strategy_id)

    def _index(self, symbol):
        if isinstance(symbol, int):
            return symbol
        index = self.symbols(symbol) if self.symbols is not None else -1
        if index < 0:
            raise KeyError(f"the feed has shown no symbol {symbol!r}")
        return index

    def _side(self, side, symbol, quantity, price, time_in_force, post_only, twap_seconds, slices):
        cdef Intent intent
        memset(&intent, 0, sizeof(intent))
        intent.action = ACTION_NEW
        intent.side = side
        intent.symbol_index = self._index(symbol)
        intent.quantity = quantity
        intent.price = price
        intent.time_in_force = TIMES_IN_FORCE[time_in_force]
        intent.post_only = post_only
        if twap_seconds is not None:
            intent.algorithm = ALGORITHM_TWAP
            intent.duration_ns = int(twap_seconds * 1_000_000_000)
            intent.slices = slices
        return self.hand_on(&intent)

    def buy(self, symbol, quantity, price, *, time_in_force="day", post_only=False,
            twap_seconds=None, slices=10):
        """Buy ``quantity`` shares at ``price`` (four implied decimals) or better.

        ``symbol`` is its name or its index; ``time_in_force`` is ``"day"`` or ``"ioc"``. With
        ``twap_seconds`` the quantity is sent in ``slices`` equal parts over that time. Returns the
        handle, 0 when nothing was sent; raises ``KeyError`` for an unknown symbol or time in force.
        """
        return self._side(SIDE_BUY, symbol, quantity, price, time_in_force, post_only,
                          twap_seconds, slices)

    def sell(self, symbol, quantity, price, *, time_in_force="day", post_only=False,
             twap_seconds=None, slices=10):
        """Sell; otherwise as :meth:`buy`."""
        return self._side(SIDE_SELL, symbol, quantity, price, time_in_force, post_only,
                          twap_seconds, slices)

    def replace(self, handle, side, symbol, quantity, price, *, post_only=False):
        """Replace a live order; ``side`` is ``"B"`` or ``"S"``, ``quantity`` the chain's total."""
        return self.replace_order(handle, ord(side), self._index(symbol), quantity, price,
                                  post_only)

    def cancel(self, handle, symbol):
        """Cancel what is open of an order."""
        return self.cancel_order(handle, self._index(symbol))

    def counters(self):
        """Intents handed on, and those that were refused behind us."""
        return {"intents": self.intents, "refused": self.refused}


cdef class FastStrategy:
    """Base of compiled strategies: override the ``on_*`` methods, trade through ``self.orders``.

    All callbacks run on the hot thread, without the interpreter: no allocation, no Python object.
    ``self.tops[symbol_index]`` is the current top of every symbol. ``symbols`` are the names to
    follow, all of them where it is empty; ``on_book`` and ``on_trade`` are called for these only.
    """

    def __init__(self, symbols=()):
        cdef bytes name
        free(self.wanted)
        self.wanted_count = 0
        self.wanted = <uint64_t *> calloc(max(len(symbols), 1), sizeof(uint64_t))
        if self.wanted == NULL:
            raise MemoryError("strategy: no memory for its symbols")
        for symbol in symbols:
            name = symbol.encode("ascii").ljust(8)
            if len(name) != 8:
                raise ValueError(f"strategy: {symbol!r} is longer than 8 characters")
            memcpy(&self.wanted[self.wanted_count], <const char *> name, 8)
            self.wanted_count += 1

    def __dealloc__(self):
        free(self.wanted)
        free(self.subscribed)

    cdef void attach(self, Orders orders, const Top *tops, uint32_t symbol_capacity):
        """Wire the strategy to its engine; allocates, so before the start only."""
        self.orders = orders
        self.tops = tops
        self.symbol_capacity = symbol_capacity
        free(self.subscribed)
        self.subscribed = <uint8_t *> calloc(symbol_capacity, 1)
        if self.subscribed == NULL:
            raise MemoryError("strategy: no memory for its subscriptions")

    cdef bint follows(self, uint32_t symbol_index) noexcept nogil:
        """Whether the symbol of that index is followed; the first answer is remembered."""
        cdef uint32_t i
        if self.subscribed[symbol_index] == SUBSCRIBED_UNKNOWN:
            self.subscribed[symbol_index] = (
                SUBSCRIBED_YES if self.wanted_count == 0 else SUBSCRIBED_NO)
            for i in range(self.wanted_count):
                if self.wanted[i] == self.tops[symbol_index].symbol:
                    self.subscribed[symbol_index] = SUBSCRIBED_YES
        return self.subscribed[symbol_index] == SUBSCRIBED_YES

    cdef void forget_all(self) noexcept nogil:
        """The indices may mean other symbols from now on, for this and the following strategies."""
        memset(self.subscribed, SUBSCRIBED_UNKNOWN, self.symbol_capacity)
        if self.following is not None:
            self.following.forget_all()

    cdef void on_start(self) noexcept nogil:
        """The engine starts."""

    cdef void on_book(self, uint32_t symbol_index) noexcept nogil:
        """Best bid or offer, or the state, of a symbol changed."""

    cdef void on_trade(self, uint32_t symbol_index, int64_t price, int64_t shares,
                       uint8_t resting_side) noexcept nogil:
        """A trade was printed; ``resting_side`` is 0 where the feed does not tell."""

    cdef void on_order(self, const OrderEvent *event) noexcept nogil:
        """One of our own orders changed."""

    cdef void on_timer(self) noexcept nogil:
        """The engine's timer, about once a millisecond."""

    cdef void on_stop(self) noexcept nogil:
        """The engine stops; open orders are cancelled after this."""

    cdef void start_all(self, uint64_t t_ns) noexcept nogil:
        self.orders.t_ns = t_ns
        self.on_start()
        if self.following is not None:
            self.following.start_all(t_ns)

    cdef void book_all(self, uint32_t symbol_index, uint64_t t_ns) noexcept nogil:
        if self.follows(symbol_index):
            self.orders.t_ns = t_ns
            self.on_book(symbol_index)
        if self.following is not None:
            self.following.book_all(symbol_index, t_ns)

    cdef void trade_all(self, uint32_t symbol_index, int64_t price, int64_t shares,
                        uint8_t resting_side, uint64_t t_ns) noexcept nogil:
        if self.follows(symbol_index):
            self.orders.t_ns = t_ns
            self.on_trade(symbol_index, price, shares, resting_side)
        if self.following is not None:
            self.following.trade_all(symbol_index, price, shares, resting_side, t_ns)

    cdef void order_to_owner(self, const OrderEvent *event, uint64_t t_ns) noexcept nogil:
        if event.strategy_id == self.orders.strategy_id:
            self.orders.t_ns = t_ns
            self.on_order(event)
        elif self.following is not None:
            self.following.order_to_owner(event, t_ns)

    cdef void timer_all(self, uint64_t t_ns) noexcept nogil:
        self.orders.t_ns = t_ns
        self.on_timer()
        if self.following is not None:
            self.following.timer_all(t_ns)

    cdef void stop_all(self, uint64_t t_ns) noexcept nogil:
        self.orders.t_ns = t_ns
        self.on_stop()
        if self.following is not None:
            self.following.stop_all(t_ns)

    def report(self):
        """What the strategy wants shown at the end, as a dict of names to numbers."""
        return {}
