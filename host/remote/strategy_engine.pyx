# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The engine of a strategy host: events of a followed feed in, order requests out.

Strategies are told what they would be told beside the feed handler: a top that changed, a trade, an
event of an own order, the timer. What they want goes by execution (slices are worked here) to the
feed host. After an overrun, a gap or a restart every symbol is shown to them once more, so that
they see that its book is not clean.
"""

from posix.unistd cimport usleep
from host.ipc.event_stream cimport TAKE_ENDED
from host.ipc.ids cimport EVENT_TOP
from host.model cimport CHANGED_BBO, CHANGED_STATE, CHANGED_TRADE, Top
from host.strategy.strategy cimport Orders

cdef enum:
    IDLE_SLEEP_US = 50
    EVENTS_AT_ONCE = 16      # before the reports are looked at again
    REPORTS_AT_ONCE = 64


cdef class EventsToOwner(OrderEventSink):
    """Takes order events to the strategy that owns the order."""

    cdef void on_order_event(self, const OrderEvent *event, uint64_t t_ns) noexcept nogil:
        if self.first is not None:
            self.first.order_to_owner(event, t_ns)


cdef class StrategyEngine(FeedFollower):
    """Strategies on a followed feed; :meth:`connect` is called once, then strategies are added.

    Made as a :class:`~host.publish.follower.FeedFollower` is.
    """

    def connect(self, RemoteGate gate not None, Clock clock not None, *, bint spin=True,
                uint64_t timer_interval_ns=1_000_000):
        """Send orders by ``gate``. ``spin`` False lets the thread sleep for 50 microseconds."""
        self.gate = gate
        self.clock = clock
        self.spin = spin
        self.timer_interval_ns = timer_interval_ns
        self.execution = Execution(gate, self.symbol_capacity)
        self.owner = EventsToOwner()
        self.indices = {}
        gate.events = self.owner
        gate.bind_tops(self.tops, self.symbol_capacity)

    def add_strategy(self, FastStrategy strategy not None, int strategy_id):
        """Add a strategy behind those that are there; events reach it by its number."""
        cdef FastStrategy last
        orders = Orders(self.execution, strategy_id, self.symbol_index)
        strategy.attach(orders, self.tops, self.symbol_capacity)
        if self.first is None:
            self.first = strategy
            self.owner.first = strategy
            return
        last = self.first
        while last.following is not None:
            last = last.following
        last.following = strategy

    def symbol_index(self, str symbol):
        """Index of a symbol by its name, -1 where no event has named it."""
        cdef bytes name = symbol.encode("ascii").ljust(8)
        cdef uint32_t index
        if self.named != self.naming:
            self.indices, self.named = {}, self.naming
        known = self.indices.get(symbol)
        if known is not None:
            return known
        if len(name) == 8:
            for index in range(self.symbol_count):
                if self.tops[index].symbol == (<const uint64_t *> <const char *> name)[0]:
                    self.indices[symbol] = index
                    return index
        return -1

    # ------------------------------------------------------------------ from the feed

    cdef bint take_top(self, const FeedEvent *event) noexcept nogil:
        """The symbol's top is what the event says; whether that is a change is remembered."""
        cdef const Top *top
        self.moved = True
        if event.symbol_index < self.symbol_capacity:
            top = &self.tops[event.symbol_index]
            if top.symbol != event.symbol:
                self.naming += 1
                if top.symbol != 0 and self.first is not None:
                    self.first.forget_all()
            self.moved = (
                top.symbol != event.symbol or top.book_state != event.book_state
                or top.bid_price != event.bid_price or top.ask_price != event.ask_price
                or <uint64_t> top.bid_shares != event.bid_shares
                or <uint64_t> top.ask_shares != event.ask_shares
                or top.trading_state != event.trading_state
                or top.operational_halt != event.operational_halt
                or top.short_sale_state != event.short_sale_state)
        return FeedFollower.take_top(self, event)

    cdef void on_event(self, const FeedEvent *event) noexcept nogil:
        """Tell the strategies."""
        if (event.symbol == 0 or event.symbol_index >= self.symbol_capacity
                or self.first is None or not self.is_trading):
            return
        if event.changes & CHANGED_TRADE:
            self.first.trade_all(event.symbol_index, event.price, <int64_t> event.quantity,
                                 event.side, self.t_ns)
        if (event.changes & (CHANGED_BBO | CHANGED_STATE)
                or event.kind == EVENT_TOP and self.moved):
            self.first.book_all(event.symbol_index, self.t_ns)

    cdef void mark(self, uint8_t book_state) noexcept nogil:
        """No book is clean any more: the strategies see it at once."""
        FeedFollower.mark(self, book_state)
        self.tell_all()

    cdef void forget(self, bint names) noexcept nogil:
        """Every book is empty, and with ``names`` the indices mean nothing any more."""
        FeedFollower.forget(self, names)
        if names:
            self.naming += 1
            if self.first is not None:
                self.first.forget_all()
        else:
            self.tell_all()

    cdef void tell_all(self) noexcept nogil:
        """Show every known symbol to the strategies."""
        cdef uint32_t index
        if self.first is None or not self.is_trading:
            return
        for index in range(self.symbol_count):
            if self.tops[index].symbol:
                self.first.book_all(index, self.t_ns)

    # ------------------------------------------------------------------ the loop

    cdef void turn(self, uint64_t deadline_ns) noexcept nogil:
        """Turn until the deadline, or until there is no feed or no line any more."""
        cdef int events
        cdef uint32_t reports
        while True:
            self.rounds += 1
            self.t_ns = self.clock.now_ns()
            # first what is known of own orders: a fill is often what moved the book
            reports = self.gate.poll(REPORTS_AT_ONCE, self.t_ns)
            events = self.follow(EVENTS_AT_ONCE)
            if events > 0 or reports:
                self.busy_rounds += 1
            if self.t_ns >= self.next_timer_ns:
                self.next_timer_ns = self.t_ns + self.timer_interval_ns
                self.gate.on_timer(self.t_ns)
                if self.is_trading:
                    self.execution.on_timer(self.t_ns)
                    if self.first is not None:
                        self.first.timer_all(self.t_ns)
            if events == TAKE_ENDED:
                self.is_exhausted = True
                return
            if self.t_ns >= deadline_ns:
                return
            if events <= 0 and not reports and not self.spin:
                usleep(IDLE_SLEEP_US)

    def run(self, uint64_t nanoseconds):
        """Run for so long at the most, without the interpreter lock."""
        cdef uint64_t deadline_ns = self.clock.now_ns() + nanoseconds
        with nogil:
            self.turn(deadline_ns)

    def start(self):
        """Tell the strategies that the engine starts; from now on they are told everything."""
        self.t_ns = self.clock.now_ns()
        self.is_trading = True
        if self.first is not None:
            self.first.start_all(self.t_ns)
        self.tell_all()

    def stop(self):
        """Stop trading: strategies are told, then may only cancel; open orders are cancelled."""
        self.t_ns = self.clock.now_ns()
        if self.first is not None:
            self.first.stop_all(self.t_ns)
        self.enable_strategies(False)
        self.execution.cancel_schedules()
        self.gate.cancel_all(self.t_ns)

    def enable_strategies(self, bint enabled):
        """Let the strategies trade, or let them cancel only."""
        cdef FastStrategy strategy = self.first
        while strategy is not None:
            strategy.orders.enabled = enabled
            strategy = strategy.following

    def strategies(self):
        """The strategies, in the order they are told."""
        found = []
        strategy = self.first
        while strategy is not None:
            found.append(strategy)
            strategy = strategy.following
        return found
