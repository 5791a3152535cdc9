# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The deterministic core: packets, bytes, time and commands in; orders out.

Nothing in here reads a clock, a random number, a file or a socket: live trading, replay of a
capture and tests drive the same calls. The time stamp counter is read only to fill
``Trace.stamps``, which no decision looks at. The same inputs with the same times give the same
orders, byte for byte.
"""

from host.enumerations import ENGINE
from host.ids cimport *
from host.model cimport (
    CHANGED_BBO, CHANGED_STATE, CHANGED_TRADE, STAGE_BOOK, STAGE_DECODED, STAGE_RECEIVED,
    TRACE_NO_PACKET)
from host.gateway.ouch cimport OuchChannel
from host.strategy.strategy cimport Orders
from nic.clock cimport rdtsc
from nic.enumerations import FRAME
from nic.frame cimport UdpDatagram, frame_parse_udp
from nic.ids cimport FRAME_OK


cdef class BookObserver:
    """Sees what the book did; the plain class looks away."""

    cdef void on_bbo(self, Book book, uint32_t symbol_index) noexcept nogil:
        """A best bid or offer changed."""

    cdef void on_change(self, Book book, uint32_t symbol_index, uint32_t changes,
                        uint64_t t_ns) noexcept nogil:
        """Anything changed (CHANGED_* bits), before the strategies are told."""

    cdef void on_reset(self, Book book, uint64_t t_ns) noexcept nogil:
        """The sequence began anew: every book is empty."""


cdef class FeedTap:
    """Sees what came of every message and of the feed, behind the strategies; this looks away."""

    cdef void on_message(self, Book book, const uint8_t *message, uint32_t changes,
                         uint64_t sequence_number, uint64_t t_ns, uint64_t tsc) noexcept nogil:
        """The book took a message that changed something (CHANGED_* bits), or nothing: 0.

        ``tsc`` is the time stamp counter when its packet was taken, 0 where there is none.
        """

    cdef void on_packet_end(self) noexcept nogil:
        """The messages of a packet are through."""

    cdef void on_lost(self, Book book, uint64_t first, uint64_t last,
                      uint64_t t_ns) noexcept nogil:
        """Messages never came: every book is gapped."""

    cdef void on_restart(self, Book book, int reason, uint64_t t_ns) noexcept nogil:
        """The sequence began anew: every book is empty."""

    cdef void on_stale(self, bint is_stale, uint64_t t_ns) noexcept nogil:
        """The feed fell silent, or is heard again."""

    cdef void on_end_of_session(self, uint64_t t_ns) noexcept nogil:
        """The feed's session is over."""

    cdef void on_timer(self, Book book, uint64_t t_ns) noexcept nogil:
        """Time goes on."""


cdef class EventRouter(OrderEventSink):
    """Takes the order management's events to the strategy that owns the order."""

    def __cinit__(self, Engine engine not None):
        self.engine = engine

    cdef void on_order_event(self, const OrderEvent *event, uint64_t t_ns) noexcept nogil:
        self.engine.on_own_order(event, t_ns)


cdef class Engine(MessageSink):
    """Feed, book, strategies, execution, gate and order management, wired.

    ``connect`` is called once all stages exist (they need the engine's trace and event sink
    first); then strategies are added. ``is_measured`` stamps the stages of each message's way.
    """

    def __cinit__(self, Book book not None, *, bint is_measured=False):
        self.book = book
        self.is_measured = is_measured
        self.events = EventRouter(self)
        self.trace.line = TRACE_NO_PACKET

    def connect(self, FeedHandler feed not None, Execution execution=None, RiskGate gate=None,
                OrderManager oms=None, channels=(), BookObserver observer=None):
        """Take the stages; those that are None have no part in this run."""
        cdef OuchChannel channel
        self.feed = feed
        self.feed.trace = &self.trace
        self.execution = execution
        self.gate = gate
        self.oms = oms
        self.observer = observer
        if execution is not None:
            execution.trace = &self.trace
        if gate is not None:
            gate.trace = &self.trace
            gate.bind_tops(self.book.tops, self.book.symbol_capacity, &self.book.market_phase)
        for channel in channels:
            channel.trace = &self.trace

    def set_tap(self, FeedTap tap):
        """Let ``tap`` see every message and what came of it; None for nobody."""
        self.tap = tap

    def add_strategy(self, FastStrategy strategy not None, int strategy_id):
        """Add a strategy behind those that are there; events reach it by its number."""
        cdef FastStrategy last
        orders = Orders(self.execution, strategy_id, self.symbol_index)
        strategy.attach(orders, self.book.tops, self.book.symbol_capacity)
        if self.first is None:
            self.first = strategy
            return
        last = self.first
        while last.following is not None:
            last = last.following
        last.following = strategy

    def set_line(self, int line, uint32_t group, uint16_t port):
        """Take datagrams to ``group`` and ``port`` as line 0 (A), 1 (B) or 2 (re-request)."""
        if not 0 <= line < LINES:
            raise ValueError(f"engine: there is no line {line}")
        self.lines[line].group = group
        self.lines[line].port = port
        self.lines[line].is_set = True

    def symbol_index(self, str symbol):
        """Index of a symbol by its name, -1 where the feed has not shown it."""
        cdef bytes name = symbol.encode("ascii").ljust(8)
        if len(name) != 8:
            return -1
        return self.book.find((<const uint64_t *> <const char *> name)[0])

    # ------------------------------------------------------------------ inputs

    cdef int line_of(self, int line, uint32_t group, uint16_t port) noexcept nogil:
        """The line that a destination belongs to: ``line`` itself, of ANY_LINE the first; or -1."""
        cdef int first = line if line != ANY_LINE else 0
        cdef int last = line if line != ANY_LINE else LINES - 1
        cdef int i
        for i in range(first, last + 1):
            if (self.lines[i].is_set and self.lines[i].port == port
                    and self.lines[i].group == group):
                return i
        return -1

    cdef void on_frame(self, int line, const uint8_t *frame, uint32_t length, uint64_t tsc,
                       uint64_t t_ns) noexcept nogil:
        """One frame from a port that keeps its headers, received on ``line`` or ANY_LINE."""
        cdef UdpDatagram datagram
        cdef int result = frame_parse_udp(frame, length, &datagram)
        self.frame_results[result] += 1
        if result != FRAME_OK:
            self.counts[ENGINE_PACKETS] += 1
            return
        line = self.line_of(line, datagram.destination_address, datagram.destination_port)
        if line >= 0:
            self.on_datagram(line, datagram.payload, datagram.length, tsc, t_ns)
            return
        self.counts[ENGINE_PACKETS] += 1
        self.counts[ENGINE_UNWANTED] += 1

    cdef void on_datagram(self, int line, const uint8_t *payload, uint32_t length, uint64_t tsc,
                          uint64_t t_ns) noexcept nogil:
        """One datagram of a line."""
        self.counts[ENGINE_PACKETS] += 1
        self.t_ns = t_ns
        self.trace.stamps[STAGE_RECEIVED] = tsc
        self.packet_tsc = tsc
        self.feed.on_datagram(line, payload, length, t_ns)
        self.packet_tsc = 0
        self.trace.line = TRACE_NO_PACKET
        if self.tap is not None:
            self.tap.on_packet_end()

    cdef void message_at(self, const uint8_t *message, uint32_t length, uint64_t sequence_number,
                         uint64_t t_ns) noexcept nogil:
        """One message that no transport carried, out of a file: it comes in order by itself."""
        self.t_ns = t_ns
        self.on_message(message, length, sequence_number)

    cdef void on_timer(self, uint64_t t_ns) noexcept nogil:
        """Time goes on: gaps, slices, strategies."""
        self.counts[ENGINE_TIMERS] += 1
        self.t_ns = t_ns
        self.trace.line = TRACE_NO_PACKET
        self.feed.on_timer(t_ns)
        self.trace.line = TRACE_NO_PACKET
        if self.gate is not None:
            self.gate.on_timer(t_ns)
        if self.execution is not None:
            self.execution.on_timer(t_ns)
        if self.first is not None:
            self.first.timer_all(t_ns)
        if self.tap is not None:
            self.tap.on_timer(self.book, t_ns)

    cdef void begin_reports(self, uint64_t t_ns) noexcept nogil:
        """The exchange, or a strategy host, speaks next: what follows from it has no packet."""
        self.t_ns = t_ns
        self.trace.line = TRACE_NO_PACKET

    cdef void on_own_order(self, const OrderEvent *event, uint64_t t_ns) noexcept nogil:
        """One of our orders changed: its strategy is told."""
        self.counts[ENGINE_ORDER_EVENTS] += 1
        if self.first is not None:
            self.first.order_to_owner(event, t_ns)

    # ------------------------------------------------------------------ from the feed handler

    cdef void prefetch(self, const uint8_t *message, uint32_t length) noexcept nogil:
        self.book.prefetch(message, length)

    cdef void on_message(self, const uint8_t *message, uint32_t length,
                         uint64_t sequence_number) noexcept nogil:
        cdef uint32_t changes, symbol_index
        if self.is_measured:
            self.trace.stamps[STAGE_DECODED] = rdtsc()
        self.counts[ENGINE_MESSAGES] += 1
        if length > 0:
            self.types[message[0]] += 1
        changes = self.book.apply(message, length)
        if changes == 0:
            if self.tap is not None:
                self.tap.on_message(self.book, message, 0, sequence_number, self.t_ns,
                                    self.packet_tsc)
            return
        symbol_index = self.book.symbol_index
        self.book.tops[symbol_index].updated_ns = self.t_ns
        if self.is_measured:
            self.trace.stamps[STAGE_BOOK] = rdtsc()
        if changes & CHANGED_BBO:
            self.counts[ENGINE_BBO_CHANGES] += 1
            if self.observer is not None:
                self.observer.on_bbo(self.book, symbol_index)
        if self.observer is not None:
            self.observer.on_change(self.book, symbol_index, changes, self.t_ns)
        if changes & CHANGED_TRADE:
            self.counts[ENGINE_TRADES] += 1
            if self.first is not None:
                self.first.trade_all(symbol_index, self.book.trade_price, self.book.trade_shares,
                                     self.book.trade_side, self.t_ns)
        if changes & CHANGED_STATE:
            self.counts[ENGINE_STATE_CHANGES] += 1
        if changes & (CHANGED_BBO | CHANGED_STATE) and self.first is not None:
            if self.gate is not None:
                self.gate.prefetch(symbol_index)
            self.first.book_all(symbol_index, self.t_ns)
        # behind the strategies: an order never waits for the value of a position
        if changes & (CHANGED_BBO | CHANGED_TRADE) and self.gate is not None:
            self.gate.mark(symbol_index)
        if self.tap is not None:
            self.tap.on_message(self.book, message, changes, sequence_number, self.t_ns,
                                self.packet_tsc)

    cdef void on_lost(self, uint64_t first, uint64_t last) noexcept nogil:
        self.counts[ENGINE_LOST_MESSAGES] += last - first + 1
        self.book.mark_gapped()
        if self.tap is not None:
            self.tap.on_lost(self.book, first, last, self.t_ns)

    cdef void on_restart(self, int reason) noexcept nogil:
        self.counts[ENGINE_RESTARTS] += 1
        self.book.reset()
        if self.observer is not None:
            self.observer.on_reset(self.book, self.t_ns)
        if self.first is not None:
            self.first.forget_all()
        if self.tap is not None:
            self.tap.on_restart(self.book, reason, self.t_ns)

    cdef void on_stale(self, bint is_stale) noexcept nogil:
        if is_stale:
            self.counts[ENGINE_STALE] += 1
        if self.gate is not None:
            self.gate.set_stale(is_stale)
        if self.tap is not None:
            self.tap.on_stale(is_stale, self.t_ns)

    cdef void on_end_of_session(self) noexcept nogil:
        self.counts[ENGINE_END_OF_SESSION] += 1
        if self.tap is not None:
            self.tap.on_end_of_session(self.t_ns)

    # ------------------------------------------------------------------ commands and reports

    def frame(self, bytes frame, uint64_t t_ns):
        """One frame, from Python: for tests and tools."""
        self.on_frame(ANY_LINE, frame, len(frame), 0, t_ns)

    def datagram(self, int line, bytes payload, uint64_t t_ns):
        """One datagram of a line, from Python: for tests and tools."""
        self.on_datagram(line, payload, len(payload), 0, t_ns)

    def timer(self, uint64_t t_ns):
        """The timer, from Python: for tests and tools."""
        self.on_timer(t_ns)

    def start(self, uint64_t t_ns):
        """Tell the strategies that the engine starts."""
        if self.first is not None:
            self.first.start_all(t_ns)

    def stop(self, uint64_t t_ns):
        """Stop trading: strategies are told, then may only cancel; slices end.

        Open orders are cancelled; until that is confirmed they may still fill.
        """
        if self.first is not None:
            self.first.stop_all(t_ns)
        self.enable_strategies(False)
        if self.execution is not None:
            self.execution.cancel_schedules()
        if self.oms is not None:
            self.oms.cancel_all(t_ns)

    def enable_strategies(self, bint enabled):
        """Let the strategies trade, or let them cancel only."""
        cdef FastStrategy strategy = self.first
        while strategy is not None:
            strategy.orders.enabled = enabled
            strategy = strategy.following

    def finish(self, uint64_t t_ns):
        """The input is at its end: give up the open gaps and deliver what waits behind them."""
        self.t_ns = t_ns
        self.feed.flush(t_ns)

    def strategies(self):
        """The strategies, in the order they are told."""
        found = []
        strategy = self.first
        while strategy is not None:
            found.append(strategy)
            strategy = strategy.following
        return found

    def message_types(self):
        """Messages delivered by type letter."""
        return {chr(i): self.types[i] for i in range(256) if self.types[i]}

    def frame_errors(self):
        """Frames that hold no UDP datagram, by reason."""
        found = FRAME.as_dict([self.frame_results[i] for i in range(FRAME_COUNT)])
        del found["ok"]
        return {name: count for name, count in found.items() if count}

    def counters(self):
        """The engine's counters by name."""
        return ENGINE.as_dict([self.counts[i] for i in range(ENGINE_COUNT)])
