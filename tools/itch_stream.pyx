# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
# SPDX-License-Identifier: Apache-2.0
"""A generated ITCH 5.0 day: seeded, valid to the last message, for benchmarks and tests.

What makes it day-like: a spin of directories and trading states; books that fill up to a number of
open orders and stay about there; the mix A 44 %, D 39 %, U 8 %, E 4 %, X 2 %, rest 3 % (over 10
million messages with 220,000 open orders; a shorter stream has more A, because the filling weighs
more); activity by symbol after Zipf's law; stock locates spread as among 8,000 symbols; prices near
a wandering middle, most within a few ticks of the touch, some far away; orders that never cross;
executions of the first order at the best price; half of the cancellations among the last 16,384
orders, the others anywhere; references that grow by 1 to 8.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.book.order_book cimport OrderBook
from host.model cimport SIDE_BUY, SIDE_SELL, Top
from nic.wire.byteorder cimport store_be16
from nic.wire.itch50_codec cimport *

import string

import numpy as np

cdef enum:
    RECENT = 16384             # last orders, of which half of the cancellations come
    TICK = 100                 # one cent
    LONGEST = 64               # bytes of a message and its framing, rounded up

# Mix after the books are filled, in 1/10000, cumulative: such that 10 million messages of which
# 220,000 fill the books have the mix that the module's docstring gives.
cdef enum:
    SHARE_A = 4274
    SHARE_D = SHARE_A + 3988
    SHARE_U = SHARE_D + 818
    SHARE_E = SHARE_U + 409
    SHARE_X = SHARE_E + 204
    SHARE_F = SHARE_X + 102
    SHARE_P = SHARE_F + 102
    SHARE_C = SHARE_P + 31
    SHARE_I = SHARE_C + 41     # the remaining 31: market participant positions


cdef class _Stream:
    """The state of the generated day: a book of its own, every open order in a list."""

    cdef OrderBook book
    cdef uint8_t *data
    cdef size_t at
    cdef uint64_t random_state, timestamp, step_ns, reference, match_number
    cdef uint64_t left                 # messages still to write
    cdef uint32_t symbol_count, live, target
    cdef uint32_t[::1] slots           # of the open orders
    cdef uint32_t[::1] places          # in slots, by slot
    cdef uint64_t[::1] recent
    cdef uint32_t recent_at
    cdef uint16_t[::1] choice          # symbol by 16 random bits
    cdef uint16_t[::1] locates
    cdef uint64_t[::1] names
    cdef int64_t[::1] start, middle    # ticks

    cdef uint64_t random(self) noexcept nogil:
        cdef uint64_t z
        self.random_state += <uint64_t>0x9E3779B97F4A7C15
        z = self.random_state
        z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
        z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
        return z ^ (z >> 31)

    cdef uint8_t *open(self, uint8_t code, uint32_t length, uint32_t locate) noexcept nogil:
        """Framing and header of the next message."""
        cdef uint8_t *m = self.data + self.at + 2
        store_be16(m - 2, <uint16_t>length)
        self.timestamp += 1 + self.random() % self.step_ns
        itch50_add_order_put_message_type(m, code)
        itch50_add_order_put_stock_locate(m, <uint16_t>locate)
        itch50_add_order_put_timestamp(m, self.timestamp)
        self.at += 2 + length
        self.left -= 1
        return m

    cdef void system_event(self, uint8_t event) noexcept nogil:
        itch50_system_event_put_event_code(
            self.open(ITCH50_SYSTEM_EVENT, ITCH50_SYSTEM_EVENT_LENGTH, 0), event)

    cdef void directory(self, uint32_t symbol) noexcept nogil:
        cdef uint8_t *m = self.open(ITCH50_STOCK_DIRECTORY, ITCH50_STOCK_DIRECTORY_LENGTH,
                                    self.locates[symbol])
        itch50_stock_directory_put_stock(m, self.names[symbol])
        itch50_stock_directory_put_market_category(m, b"Q")
        itch50_stock_directory_put_financial_status_indicator(m, b"N")
        itch50_stock_directory_put_round_lot_size(m, 100)
        itch50_stock_directory_put_round_lots_only(m, b"N")
        itch50_stock_directory_put_issue_classification(m, b"C")
        itch50_stock_directory_put_issue_sub_type(m, <uint16_t>0x205A)
        itch50_stock_directory_put_authenticity(m, b"P")
        itch50_stock_directory_put_short_sale_threshold_indicator(m, b"N")
        itch50_stock_directory_put_ipo_flag(m, b"N")
        itch50_stock_directory_put_luld_reference_price_tier(m, b"1")
        itch50_stock_directory_put_etp_flag(m, b"N")
        itch50_stock_directory_put_inverse_indicator(m, b"N")

    cdef void trading_action(self, uint32_t symbol) noexcept nogil:
        cdef uint8_t *m = self.open(ITCH50_STOCK_TRADING_ACTION, ITCH50_STOCK_TRADING_ACTION_LENGTH,
                                    self.locates[symbol])
        itch50_stock_trading_action_put_stock(m, self.names[symbol])
        itch50_stock_trading_action_put_trading_state(m, b"T")
        itch50_stock_trading_action_put_reserved(m, b" ")
        itch50_stock_trading_action_put_reason(m, <uint32_t>0x20202020)

    cdef uint32_t any_symbol(self) noexcept nogil:
        return self.choice[self.random() & 0xFFFF]

    cdef int64_t passive_price(self, uint32_t symbol, uint8_t side) noexcept nogil:
        """A price of the side near the middle that does not cross the other side."""
        cdef uint64_t r = self.random()
        cdef Top *top = &self.book.tops[self.locates[symbol]]
        cdef int64_t ticks
        cdef int64_t depth = 0
        if r & 63 == 0:
            self.middle[symbol] += 1 if (r >> 6) & 1 else -1
            if self.middle[symbol] < self.start[symbol] * 8 // 10:
                self.middle[symbol] += 2
            elif self.middle[symbol] > self.start[symbol] * 12 // 10:
                self.middle[symbol] -= 2
        r >>= 8
        if r & 127 < 96:
            r >>= 8
            while r & 3:
                depth += 1
                r = r >> 2 if r >> 2 else self.random()
        elif r & 127 < 122:
            depth = (r >> 8) % 40
        else:
            depth = (r >> 8) % 200
        if side == SIDE_BUY:
            ticks = self.middle[symbol] - 1 - depth
            if top.ask_price and ticks * TICK >= top.ask_price:
                ticks = top.ask_price // TICK - 1
        else:
            ticks = self.middle[symbol] + 1 + depth
            if top.bid_price and ticks * TICK <= top.bid_price:
                ticks = top.bid_price // TICK + 1
        return ticks * TICK

    cdef uint32_t some_shares(self) noexcept nogil:
        cdef uint64_t r = self.random()
        if r & 7 < 5:
            return 100
        if r & 7 < 7:
            return 100 * (1 + <uint32_t>((r >> 3) % 20))
        return 1 + <uint32_t>((r >> 3) % 250)

    cdef uint64_t new_reference(self) noexcept nogil:
        self.reference += 1 + (self.random() & 7)
        return self.reference

    cdef void remember(self, uint64_t reference) noexcept nogil:
        """The order was just added: put it into the lists."""
        cdef uint32_t slot = <uint32_t>self.book.find_order(reference)
        self.slots[self.live] = slot
        self.places[slot] = self.live
        self.live += 1
        self.recent[self.recent_at & (RECENT - 1)] = reference
        self.recent_at += 1

    cdef void forget(self, uint32_t slot) noexcept nogil:
        """The order is about to go: take it off the list."""
        cdef uint32_t place = self.places[slot]
        self.live -= 1
        self.slots[place] = self.slots[self.live]
        self.places[self.slots[place]] = place

    cdef int64_t open_order(self) noexcept nogil:
        """The slot of an open order, one of the newest half of the time; -1 for none."""
        cdef uint64_t r = self.random()
        cdef int64_t slot
        if r & 1:
            slot = self.book.find_order(self.recent[(r >> 1) & (RECENT - 1)])
            if slot >= 0:
                return slot
        if self.live == 0:
            return -1
        return self.slots[(r >> 16) % self.live]

    cdef void add(self, bint with_mpid) noexcept nogil:
        cdef uint32_t symbol = self.any_symbol()
        cdef uint32_t locate = self.locates[symbol]
        cdef uint8_t side = SIDE_BUY if self.random() & 1 else SIDE_SELL
        cdef uint64_t reference = self.new_reference()
        cdef uint32_t shares = self.some_shares()
        cdef int64_t price = self.passive_price(symbol, side)
        cdef uint8_t *m
        if with_mpid:
            m = self.open(ITCH50_ADD_ORDER_WITH_MPID, ITCH50_ADD_ORDER_WITH_MPID_LENGTH, locate)
            itch50_add_order_with_mpid_put_attribution(m, <uint32_t>0x50504D54)
        else:
            m = self.open(ITCH50_ADD_ORDER, ITCH50_ADD_ORDER_LENGTH, locate)
        # Both begin with the same fields.
        itch50_add_order_put_order_reference_number(m, reference)
        itch50_add_order_put_buy_sell_indicator(m, side)
        itch50_add_order_put_shares(m, shares)
        itch50_add_order_put_stock(m, self.names[symbol])
        itch50_add_order_put_price(m, <uint32_t>price)
        self.book.add_order(locate, reference, side, shares, price)
        self.remember(reference)

    cdef void delete(self, int64_t slot) noexcept nogil:
        cdef uint64_t reference = self.book.order_reference(slot)
        cdef uint8_t *m = self.open(ITCH50_ORDER_DELETE, ITCH50_ORDER_DELETE_LENGTH,
                                    self.book.order_index(slot))
        itch50_order_delete_put_order_reference_number(m, reference)
        self.forget(<uint32_t>slot)
        self.book.delete_order(reference)

    cdef void replace(self, int64_t slot, uint32_t symbol) noexcept nogil:
        cdef uint64_t reference = self.book.order_reference(slot)
        cdef uint64_t replacement = self.new_reference()
        cdef uint32_t shares = self.some_shares()
        cdef uint32_t locate = self.book.order_index(slot)
        cdef int64_t price = self.passive_price(symbol, self.book.order_side(slot))
        cdef uint8_t *m = self.open(ITCH50_ORDER_REPLACE, ITCH50_ORDER_REPLACE_LENGTH, locate)
        itch50_order_replace_put_original_order_reference_number(m, reference)
        itch50_order_replace_put_new_order_reference_number(m, replacement)
        itch50_order_replace_put_shares(m, shares)
        itch50_order_replace_put_price(m, <uint32_t>price)
        self.forget(<uint32_t>slot)
        self.book.replace_order(reference, replacement, shares, price)
        self.remember(replacement)

    cdef void cancel(self, int64_t slot) noexcept nogil:
        cdef uint64_t reference = self.book.order_reference(slot)
        cdef uint32_t shares = 1 + <uint32_t>(self.random() % (self.book.order_shares(slot) - 1))
        cdef uint8_t *m = self.open(ITCH50_ORDER_CANCEL, ITCH50_ORDER_CANCEL_LENGTH,
                                    self.book.order_index(slot))
        itch50_order_cancel_put_order_reference_number(m, reference)
        itch50_order_cancel_put_cancelled_shares(m, shares)
        self.book.reduce_order(reference, shares)

    cdef void execute(self, int64_t slot, bint with_price) noexcept nogil:
        cdef uint64_t reference = self.book.order_reference(slot)
        cdef uint32_t shares = self.book.order_shares(slot)
        cdef uint32_t locate = self.book.order_index(slot)
        cdef int64_t price = self.book.order_price(slot)
        cdef uint8_t *m
        if self.live < self.target and shares > 1:
            shares = 1 + <uint32_t>(self.random() % (shares - 1))
        self.match_number += 1
        if with_price:
            m = self.open(ITCH50_ORDER_EXECUTED_WITH_PRICE,
                          ITCH50_ORDER_EXECUTED_WITH_PRICE_LENGTH, locate)
            itch50_order_executed_with_price_put_printable(m, b"N" if self.random() & 3 == 0
                                                           else b"Y")
            itch50_order_executed_with_price_put_execution_price(m, <uint32_t>(price + TICK // 2))
        else:
            m = self.open(ITCH50_ORDER_EXECUTED, ITCH50_ORDER_EXECUTED_LENGTH, locate)
        # Both begin with the same fields.
        itch50_order_executed_put_order_reference_number(m, reference)
        itch50_order_executed_put_executed_shares(m, shares)
        itch50_order_executed_put_match_number(m, self.match_number)
        if shares == self.book.order_shares(slot):
            self.forget(<uint32_t>slot)
        self.book.reduce_order(reference, shares)

    cdef void hidden_trade(self) noexcept nogil:
        cdef uint32_t symbol = self.any_symbol()
        cdef uint8_t *m = self.open(ITCH50_TRADE, ITCH50_TRADE_LENGTH, self.locates[symbol])
        self.match_number += 1
        itch50_trade_put_buy_sell_indicator(m, SIDE_BUY)
        itch50_trade_put_shares(m, self.some_shares())
        itch50_trade_put_stock(m, self.names[symbol])
        itch50_trade_put_price(m, <uint32_t>(self.middle[symbol] * TICK))
        itch50_trade_put_match_number(m, self.match_number)

    cdef void imbalance(self) noexcept nogil:
        cdef uint32_t symbol = self.any_symbol()
        cdef uint8_t *m = self.open(ITCH50_NET_ORDER_IMBALANCE_INDICATOR,
                                    ITCH50_NET_ORDER_IMBALANCE_INDICATOR_LENGTH,
                                    self.locates[symbol])
        itch50_net_order_imbalance_indicator_put_imbalance_direction(m, b"N")
        itch50_net_order_imbalance_indicator_put_stock(m, self.names[symbol])
        itch50_net_order_imbalance_indicator_put_cross_type(m, b"O")
        itch50_net_order_imbalance_indicator_put_price_variation_indicator(m, b" ")

    cdef void position(self) noexcept nogil:
        cdef uint32_t symbol = self.any_symbol()
        cdef uint8_t *m = self.open(ITCH50_MARKET_PARTICIPANT_POSITION,
                                    ITCH50_MARKET_PARTICIPANT_POSITION_LENGTH,
                                    self.locates[symbol])
        itch50_market_participant_position_put_mpid(m, <uint32_t>0x50504D54)
        itch50_market_participant_position_put_stock(m, self.names[symbol])
        itch50_market_participant_position_put_primary_market_maker(m, b"N")
        itch50_market_participant_position_put_market_maker_mode(m, b"N")
        itch50_market_participant_position_put_market_participant_state(m, b"A")

    cdef void step(self) noexcept nogil:
        """Write one message of the filled books' mix; an add where the book has no order for it."""
        cdef uint32_t kind = <uint32_t>(self.random() % 10000)
        cdef int64_t slot
        if kind < SHARE_A or SHARE_X <= kind < SHARE_F:
            self.add(kind >= SHARE_X)
        elif kind < SHARE_X and not SHARE_U <= kind < SHARE_E:
            slot = self.open_order()
            if slot < 0:
                self.add(False)
            elif kind < SHARE_D or (kind >= SHARE_E and self.book.order_shares(slot) == 1):
                self.delete(slot)
            elif kind < SHARE_U:
                self.replace(slot, self.symbol_of(self.book.order_index(slot)))
            else:
                self.cancel(slot)
        elif kind < SHARE_E or SHARE_P <= kind < SHARE_C:
            slot = self.book.best(self.locates[self.any_symbol()],
                                  SIDE_BUY if self.random() & 1 else SIDE_SELL)
            if slot < 0:
                self.add(False)
            else:
                self.execute(slot, kind >= SHARE_P)
        elif kind < SHARE_P:
            self.hidden_trade()
        elif kind < SHARE_I:
            self.imbalance()
        else:
            self.position()

    cdef uint32_t symbol_of(self, uint32_t locate) noexcept nogil:
        """The inverse of locates, which grow by 16 on average."""
        return (locate - 1) // 16

    cdef void run(self) noexcept nogil:
        cdef uint32_t symbol
        self.system_event(b"O")
        for symbol in range(self.symbol_count):
            self.directory(symbol)
        for symbol in range(self.symbol_count):
            self.trading_action(symbol)
        self.system_event(b"S")
        while self.live < self.target and self.left > 1:
            self.add(False)
        while self.left > 1:
            self.step()
        self.system_event(b"C")


def generate(uint64_t messages, uint32_t symbols=500, uint32_t live_orders=220_000,
             uint64_t seed=1) -> np.ndarray:
    """``messages`` ITCH messages in BinaryFILE framing, as an array of bytes.

    The books of ``symbols`` symbols (1 to 4,000) fill up to ``live_orders`` open orders and stay
    about there. Same arguments, same bytes. Raises ValueError when the messages do not even hold
    the day's opening spin.
    """
    cdef _Stream stream = _Stream.__new__(_Stream)
    cdef uint32_t i
    if not 1 <= symbols <= 4000:
        raise ValueError(f"symbols: 1 to 4000, not {symbols}")
    if messages < 2 * symbols + 3:
        raise ValueError(f"messages: {2 * symbols + 3} or more for {symbols} symbols")
    room = live_orders + 100_000 + messages // 50
    data = np.zeros(messages * LONGEST, dtype=np.uint8)
    cdef uint8_t[::1] view = data
    stream.book = OrderBook(orders=room)
    stream.data = &view[0]
    stream.random_state = seed
    stream.timestamp = 4 * 3600 * 1_000_000_000
    stream.step_ns = max(2 * 16 * 3600 * 1_000_000_000 // messages, 1)
    stream.left = messages
    stream.symbol_count = symbols
    stream.target = live_orders
    stream.slots = np.zeros(room + 1, dtype=np.uint32)
    stream.places = np.zeros(room + 1, dtype=np.uint32)
    stream.recent = np.zeros(RECENT, dtype=np.uint64)
    weight = np.cumsum(1 / np.arange(1, symbols + 1) ** 0.9)
    stream.choice = np.searchsorted(weight / weight.max(), (np.arange(65536) + 0.5) / 65536
                                    ).astype(np.uint16)
    number = np.arange(symbols)
    stream.locates = (1 + 16 * number + 7 * number % 16).astype(np.uint16)
    letters = string.ascii_uppercase
    names = "".join(f"{letters[i // 676]}{letters[i // 26 % 26]}{letters[i % 26]}T    "
                    for i in range(symbols)).encode()
    stream.names = np.frombuffer(names, dtype="<u8").copy()
    stream.start = (500 + (number * 7919) % 30000).astype(np.int64)
    stream.middle = np.array(stream.start)
    with nogil:
        stream.run()
    return data[: stream.at].copy()
