# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Turns what the engine saw into events of the normalised feed.

One event for each message that changed something, with the whole top of its symbol after it; and
one for whatever happens to the feed as a whole. So that a follower who came late, or was overrun,
is complete again without asking anybody, every known symbol's top is repeated from time to time,
spread evenly over the timer calls.
"""

from libc.stdint cimport uint16_t
from libc.string cimport memset
from host.book.order_book cimport OrderBook
from host.ipc.feed_codec cimport feed_event_encode
from host.ipc.ids cimport (
    EVENT_BEGIN, EVENT_END_OF_SESSION, EVENT_FLAG_FEED_STALE, EVENT_FLAG_LAST_TRADE, EVENT_GAP,
    EVENT_LIVE, EVENT_PHASE, EVENT_RESTART, EVENT_STALE, EVENT_STATE, EVENT_TOP)
from host.model cimport CHANGED_STATE, CHANGED_TRADE, Top
from host.publish.deep_event cimport deep_event
from host.publish.itch_event cimport itch_event

from host.ipc.enumerations import EVENT
from host.ipc.event_layout import EVENT_BYTES

cdef enum:
    REFRESH_LIMIT = 64       # tops that one timer call repeats at the most
    LARGEST_LOT = 0xFFFF


cdef class FeedPublisher(FeedTap):
    """Publishes what happens to ``book`` on ``events``, whose slots hold one event each.

    ``refresh_ns``: in so long every known symbol's top is repeated once; 0 for never. More than 64
    in one timer call are not made, so that it never takes long: very many symbols take longer.
    """

    def __cinit__(self, EventPublisher events not None, Book book not None, *,
                  uint64_t refresh_ns=1_000_000_000, uint64_t t_ns=0):
        cdef FeedEvent event
        if events.slot_bytes != EVENT_BYTES:
            raise ValueError(f"an event of the feed has {EVENT_BYTES} bytes, "
                             f"not {events.slot_bytes}")
        self.events = events
        self.has_orders = isinstance(book, OrderBook)
        self.refresh_ns = refresh_ns
        self.market_phase = book.market_phase
        self.clear(&event, EVENT_BEGIN, t_ns)
        self.send(&event)
        events.flush()

    cdef void clear(self, FeedEvent *event, uint8_t kind, uint64_t t_ns) noexcept nogil:
        """An event of no symbol."""
        memset(event, 0, sizeof(FeedEvent))
        event.kind = kind
        event.flags = self.flags
        event.market_phase = self.market_phase
        event.feed_sequence_number = self.feed_sequence
        event.received_ns = t_ns

    cdef void put_symbol(self, FeedEvent *event, Book book, uint32_t index) noexcept nogil:
        """The symbol and its top."""
        cdef const Top *top = &book.tops[index]
        event.symbol = top.symbol
        event.symbol_index = index
        event.book_state = top.book_state
        event.trading_state = top.trading_state
        event.operational_halt = top.operational_halt
        event.short_sale_state = top.short_sale_state
        event.round_lot_size = <uint16_t> min(top.round_lot_size, <uint32_t> LARGEST_LOT)
        event.timestamp = top.timestamp
        event.bid_price = top.bid_price
        event.bid_shares = <uint64_t> top.bid_shares
        event.ask_price = top.ask_price
        event.ask_shares = <uint64_t> top.ask_shares

    cdef void send(self, FeedEvent *event) noexcept nogil:
        """Publish, and count."""
        feed_event_encode(event, self.wire)
        if self.events.publish(self.wire):
            self.counts[event.kind] += 1
        else:
            self.refused += 1

    cdef void on_message(self, Book book, const uint8_t *message, uint32_t changes,
                         uint64_t sequence_number, uint64_t t_ns, uint64_t tsc) noexcept nogil:
        """The book took a message; ``changes`` 0 when it changed nothing of a symbol."""
        cdef FeedEvent event
        cdef const Top *top
        self.feed_sequence = sequence_number
        if book.market_phase != self.market_phase:
            self.market_phase = book.market_phase
            self.clear(&event, EVENT_PHASE, t_ns)
            event.received_tsc = tsc
            self.send(&event)
        if changes == 0:
            return
        self.clear(&event, EVENT_STATE, t_ns)
        event.changes = <uint8_t> changes
        event.received_tsc = tsc
        self.put_symbol(&event, book, book.symbol_index)
        if changes & ~<uint32_t> CHANGED_STATE:
            if self.has_orders:
                itch_event(message, &event)
            else:
                deep_event(message, &event)
        if changes & CHANGED_TRADE:
            top = &book.tops[book.symbol_index]
            event.price = book.trade_price
            event.quantity = <uint64_t> book.trade_shares
            event.side = book.trade_side
            if top.last_price == book.trade_price and top.last_shares == book.trade_shares:
                event.flags |= EVENT_FLAG_LAST_TRADE
        self.send(&event)

    cdef void on_packet_end(self) noexcept nogil:
        """The messages of a packet are through."""
        self.events.flush()

    cdef void on_lost(self, Book book, uint64_t first, uint64_t last,
                      uint64_t t_ns) noexcept nogil:
        """Messages never came: every book is gapped."""
        cdef FeedEvent event
        self.clear(&event, EVENT_GAP, t_ns)
        event.feed_sequence_number = first
        event.quantity = last - first + 1
        self.send(&event)

    cdef void on_restart(self, Book book, int reason, uint64_t t_ns) noexcept nogil:
        """The books were emptied."""
        cdef FeedEvent event
        self.market_phase = book.market_phase
        self.feed_sequence = 0
        self.clear(&event, EVENT_RESTART, t_ns)
        event.quantity = <uint64_t> reason
        self.send(&event)

    cdef void on_stale(self, bint is_stale, uint64_t t_ns) noexcept nogil:
        """The feed fell silent, or is heard again."""
        cdef FeedEvent event
        self.flags = EVENT_FLAG_FEED_STALE if is_stale else 0
        self.clear(&event, EVENT_STALE if is_stale else EVENT_LIVE, t_ns)
        self.send(&event)

    cdef void on_end_of_session(self, uint64_t t_ns) noexcept nogil:
        """The feed's session is over."""
        cdef FeedEvent event
        self.clear(&event, EVENT_END_OF_SESSION, t_ns)
        self.send(&event)

    cdef void on_timer(self, Book book, uint64_t t_ns) noexcept nogil:
        """The heartbeat, and the tops that are due to be repeated."""
        self.events.heartbeat(t_ns)
        if self.refresh_ns:
            self.refresh(book, t_ns)
        self.events.flush()

    cdef void refresh(self, Book book, uint64_t t_ns) noexcept nogil:
        """Repeat as many tops as the time since the last call is worth."""
        cdef FeedEvent event
        cdef const Top *top
        cdef uint64_t due, elapsed
        elapsed = t_ns - self.refreshed_ns if t_ns > self.refreshed_ns > 0 else 0
        self.refreshed_ns = t_ns
        self.owed += book.symbol_count * min(elapsed, self.refresh_ns)
        due = min(self.owed // self.refresh_ns, <uint64_t> REFRESH_LIMIT)
        # what one call can't serve is let go: the rest comes with the next calls
        self.owed = min(self.owed - due * self.refresh_ns, self.refresh_ns)
        while due:
            due -= 1
            if self.next_symbol >= book.symbol_count:
                self.next_symbol = 0
            top = &book.tops[self.next_symbol]
            if top.symbol:
                self.clear(&event, EVENT_TOP, t_ns)
                self.put_symbol(&event, book, self.next_symbol)
                event.received_ns = top.updated_ns
                event.flags |= EVENT_FLAG_LAST_TRADE
                event.price = top.last_price
                event.quantity = <uint64_t> top.last_shares
                self.send(&event)
            self.next_symbol += 1

    def counters(self) -> dict[str, int]:
        """Events published by kind, those that came at least once, and ``refused`` ones."""
        found = EVENT.as_dict(self.counts)
        return {**{name: count for name, count in found.items() if count},
                "refused": self.refused}
