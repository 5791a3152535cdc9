# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The replayed market at the other end of an order-entry session in memory.

The client's gateway talks SoupBinTCP and OUCH 5.0 to it as to any exchange; the bytes go through
a stream in memory, the times are those of the recording.
"""

from host.model cimport CHANGED_BBO, CHANGED_DEPTH, CHANGED_TRADE

from sim.exchange.config import SessionConfig
from sim.exchange.replay_exchange import ReplayExchange

cdef enum:
    TIMER_NS = 500_000_000
    ROOM_BYTES = 1 << 22       # a sweep of many fills in one packet of the recording

SESSION = "REPLAY"
USERNAME = "replay"
PASSWORD = "replay"
FIRM = "RPLY"


cdef class ReplayObserver(BookObserver):
    """Shows the market what the recording did to the book, then shows it to ``following``."""

    def __init__(self, ReplayMarket market not None, BookObserver following=None):
        self.market = market
        self.following = following

    cdef void on_bbo(self, Book book, uint32_t symbol_index) noexcept nogil:
        if self.following is not None:
            self.following.on_bbo(book, symbol_index)

    cdef void on_change(self, Book book, uint32_t symbol_index, uint32_t changes,
                        uint64_t t_ns) noexcept nogil:
        if changes & (CHANGED_BBO | CHANGED_DEPTH | CHANGED_TRADE):
            self.market.observe(symbol_index, changes, t_ns)
        if self.following is not None:
            self.following.on_change(book, symbol_index, changes, t_ns)

    cdef void on_reset(self, Book book, uint64_t t_ns) noexcept nogil:
        with gil:
            self.market.restart(t_ns)
        if self.following is not None:
            self.following.on_reset(book, t_ns)


cdef class ReplayVenue(Counterparty):
    """A :class:`~sim.exchange.replay_exchange.ReplayExchange` behind a stream in memory.

    ``orders``: client orders that may be live at once.
    """

    def __init__(self, Book book not None, uint32_t orders=1 << 16):
        login = SessionConfig(name=SESSION, username=USERNAME, password=PASSWORD, firm=FIRM)
        self.exchange = ReplayExchange(book, (login,), tick=1, live_orders=orders,
                                       unknown_state_trades=True)
        self.desk = self.exchange.desk
        self.market = self.exchange.market
        self.store = self.exchange.sessions[0].store

    def connect(self):
        """Open a connection at the time of the latest step; the client's end of it."""
        client, self.stream = MemoryStream.pair(ROOM_BYTES)
        self.connections += 1
        self.exchange.on_client_connected(self.connections, self.last_ns)
        return client

    cdef void work(self, uint64_t t_ns) noexcept nogil:
        self.last_ns = t_ns
        if self.stream is None:
            return
        self.desk.on_timer(t_ns)
        if (self.stream.begin != self.stream.end or self.store.bytes_.count != self.answered
                or t_ns >= self.next_timer_ns):
            self.exchange_bytes(t_ns)

    cdef void exchange_bytes(self, uint64_t t_ns) noexcept with gil:
        """Take what the client sent, and write what there is for it."""
        if t_ns >= self.next_timer_ns:
            self.next_timer_ns = t_ns + TIMER_NS
            self.exchange.on_timer(t_ns)
        if data := self.stream.read(ROOM_BYTES):
            self.exchange.on_client_bytes(self.connections, data, t_ns)
        for identity, written, is_closed in self.exchange.take_client_output(t_ns):
            if identity == self.connections:
                self.stream.write(written)
                if is_closed:
                    self.stream.close()
        self.answered = self.store.bytes_.count

    def step(self, uint64_t t_ns):
        """Work once, from Python."""
        self.work(t_ns)

    def counters(self):
        """What the market and its order desk counted."""
        return {**self.market.counters(), **self.desk.counters()}
