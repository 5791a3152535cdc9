# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Follows a normalised feed: every symbol's top, kept from the events.

Each event carries the whole top of its symbol, so a follower is right about a symbol from its first
event on. After an overrun every symbol is ``rebuilding`` until its next event, which comes at the
latest when the publisher repeats it. A subclass sees each event in :meth:`FeedFollower.on_event`,
behind the change of its top.
"""

from libc.string cimport memset
from host.book.pages cimport pages_close, pages_open
from host.ipc.event_stream cimport TAKE_ENDED, TAKE_OVERRUN
from host.ipc.feed_codec cimport feed_event_decode
from host.ipc.ids cimport (
    EVENT_BEGIN, EVENT_END_OF_SESSION, EVENT_FLAG_FEED_STALE, EVENT_FLAG_LAST_TRADE, EVENT_GAP,
    EVENT_RESTART)
from host.model cimport BOOK_GAPPED, BOOK_REBUILDING
from nic.clock cimport rdtsc

from host.book.book import BOOK_STATES
from host.ipc.event import KINDS, decode_event
from host.ipc.event_layout import EVENT_BYTES
from nic.offload.enumerations import MARKET_PHASE


cdef class FeedFollower:
    """Follows ``events``, with room for the publisher's first ``symbols`` symbol indices.

    Raises ``ValueError`` where the stream's events are of another size.
    """

    def __cinit__(self, EventReader events not None, *, uint32_t symbols=65_536):
        if events.slot_bytes != EVENT_BYTES:
            raise ValueError(f"an event of the feed has {EVENT_BYTES} bytes, "
                             f"not {events.slot_bytes}")
        if not 1 <= symbols <= 1 << 24:
            raise ValueError(f"symbols: 1 to {1 << 24}, not {symbols}")
        self.events = events
        self.symbol_capacity = symbols
        self.latency = Histogram()
        self.tops = <Top *> pages_open(<size_t> symbols * sizeof(Top), False)
        if self.tops == NULL:
            raise MemoryError("no memory for the tops")

    def __dealloc__(self):
        if self.tops != NULL:
            pages_close(self.tops, <size_t> self.symbol_capacity * sizeof(Top))

    cdef int follow(self, uint32_t maximum) noexcept nogil:
        """Take and apply up to ``maximum`` events (and at most 64); how many, or TAKE_ENDED."""
        cdef FeedEvent event
        cdef int i
        cdef int count = self.events.take(self.burst, min(maximum, <uint32_t> FOLLOW_BURST))
        if count == TAKE_OVERRUN:
            self.mark(BOOK_REBUILDING)
            return 0
        for i in range(count):
            feed_event_decode(self.burst + i * FEED_EVENT_LENGTH, &event)
            if event.received_tsc:
                self.latency.record(rdtsc() - event.received_tsc)
            self.apply(&event)
            self.on_event(&event)
        return count

    cdef void on_event(self, const FeedEvent *event) noexcept nogil:
        """An event was applied; a subclass does here what it follows the feed for."""

    cdef void apply(self, const FeedEvent *event) noexcept nogil:
        """What an event changes."""
        self.counts[event.kind] += 1
        self.market_phase = event.market_phase
        self.is_stale = event.flags & EVENT_FLAG_FEED_STALE
        self.feed_sequence_number = event.feed_sequence_number
        if event.symbol:
            self.take_top(event)
        elif event.kind == EVENT_GAP:
            self.lost_messages += event.quantity
            self.feed_sequence_number += event.quantity - 1
            self.mark(BOOK_GAPPED)
        elif event.kind == EVENT_RESTART:
            self.is_ended = False
            self.forget(False)
        elif event.kind == EVENT_BEGIN:
            self.is_ended = False
            self.forget(True)
        elif event.kind == EVENT_END_OF_SESSION:
            self.is_ended = True

    cdef bint take_top(self, const FeedEvent *event) noexcept nogil:
        """The symbol's top is now what the event says; False for an index out of range."""
        cdef Top *top
        if event.symbol_index >= self.symbol_capacity:
            self.out_of_range += 1
            return False
        if event.symbol_index >= self.symbol_count:
            self.symbol_count = event.symbol_index + 1
        top = &self.tops[event.symbol_index]
        top.symbol = event.symbol
        top.bid_price = event.bid_price
        top.bid_shares = <int64_t> event.bid_shares
        top.ask_price = event.ask_price
        top.ask_shares = <int64_t> event.ask_shares
        if event.flags & EVENT_FLAG_LAST_TRADE:
            top.last_price = event.price
            top.last_shares = <int64_t> event.quantity
        top.timestamp = event.timestamp
        top.updated_ns = event.received_ns
        top.round_lot_size = event.round_lot_size
        top.trading_state = event.trading_state
        top.operational_halt = event.operational_halt
        top.book_state = event.book_state
        top.short_sale_state = event.short_sale_state
        return True

    cdef void mark(self, uint8_t book_state) noexcept nogil:
        """Every known symbol's book is in this state."""
        cdef uint32_t index
        for index in range(self.symbol_count):
            self.tops[index].book_state = book_state

    cdef void forget(self, bint names) noexcept nogil:
        """Every book is empty; with ``names`` the symbols are unknown as well."""
        cdef uint32_t index, round_lot_size
        cdef uint64_t symbol
        for index in range(self.symbol_count):
            symbol = self.tops[index].symbol
            round_lot_size = self.tops[index].round_lot_size
            memset(&self.tops[index], 0, sizeof(Top))
            if not names:
                self.tops[index].symbol = symbol
                self.tops[index].round_lot_size = round_lot_size
        if names:
            self.symbol_count = 0

    def poll(self, uint32_t maximum=64) -> int:
        """Follow up to ``maximum`` events; how many. 0 may mean that there was an overrun.

        Raises ``EOFError`` when everything was taken and nothing more will come.
        """
        cdef int count = 0
        cdef uint32_t done = 0
        with nogil:
            while done < maximum:
                count = self.follow(maximum - done)
                if count <= 0:
                    break
                done += <uint32_t> count
        if count == TAKE_ENDED and done == 0:
            raise EOFError("the publisher ended and everything was taken")
        return done

    def poll_events(self, uint32_t maximum=64) -> list[dict]:
        """Follow up to ``maximum`` events (and at most 64), and give them; as :meth:`poll`."""
        cdef int count
        cdef int i
        with nogil:
            count = self.follow(maximum)
        if count == TAKE_ENDED:
            raise EOFError("the publisher ended and everything was taken")
        return [decode_event((<const char *> self.burst)[i * FEED_EVENT_LENGTH:
                                                         (i + 1) * FEED_EVENT_LENGTH])
                for i in range(count)]

    def symbols(self) -> list[str]:
        """The symbols that events named, in order of their index."""
        return [(<const char *> &self.tops[index].symbol)[:8].decode("latin-1").rstrip(" ")
                for index in range(self.symbol_count) if self.tops[index].symbol]

    def top_of(self, uint32_t index) -> dict:
        """The top of a symbol index, as :meth:`host.book.book.Book.top`; raises ``KeyError``."""
        cdef const Top *top
        if index >= self.symbol_count or self.tops[index].symbol == 0:
            raise KeyError(index)
        top = &self.tops[index]
        return {
            "bid_price": top.bid_price,
            "bid_shares": top.bid_shares,
            "ask_price": top.ask_price,
            "ask_shares": top.ask_shares,
            "last_price": top.last_price,
            "last_shares": top.last_shares,
            "timestamp": top.timestamp,
            "updated_ns": top.updated_ns,
            "round_lot_size": top.round_lot_size,
            "trading_state": chr(top.trading_state) if top.trading_state else "",
            "operational_halt": bool(top.operational_halt),
            "short_sale_state": chr(top.short_sale_state) if top.short_sale_state else "",
            "book_state": BOOK_STATES[top.book_state],
        }

    def tops_by_symbol(self) -> dict[str, dict]:
        """:meth:`top_of` every symbol that events named, by its name."""
        return {
            (<const char *> &self.tops[index].symbol)[:8].decode("latin-1").rstrip(" "):
            self.top_of(index)
            for index in range(self.symbol_count) if self.tops[index].symbol
        }

    def phase(self) -> str:
        """Phase of the market by the name of ``MARKET_PHASE``."""
        return MARKET_PHASE.name_of(self.market_phase)

    def counters(self) -> dict[str, int]:
        """Events followed by kind, those that came; lost ones; messages that the feed lost."""
        kinds = {KINDS.get(i, f"kind_{i}"): self.counts[i] for i in range(256) if self.counts[i]}
        return {
            **kinds,
            "events": self.events.taken,
            "events_lost": self.events.lost,
            "overruns": self.events.overruns,
            "feed_messages_lost": self.lost_messages,
            "out_of_range": self.out_of_range,
        }
