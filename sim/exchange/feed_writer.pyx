# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Writers of the ITCH 5.0 messages that an exchange sends, straight into its publisher.

``t_ns`` is nanoseconds since midnight. Source: Nasdaq TotalView-ITCH 5.0; layouts from
``nic/wire/itch50.py``.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from nic.wire.itch50_codec cimport *
from sim.exchange.publisher cimport Publisher

cdef enum:
    ROUND_LOT_SHARES = 100


cdef inline void _header(uint8_t *m, uint8_t message_type, uint16_t locate,
                         uint64_t t_ns) noexcept nogil:
    """The first eleven bytes, which every message has alike."""
    itch50_add_order_put_message_type(m, message_type)
    itch50_add_order_put_stock_locate(m, locate)
    itch50_add_order_put_tracking_number(m, 0)
    itch50_add_order_put_timestamp(m, t_ns)


cdef class FeedWriter:
    """Messages about the symbols of one day; symbol n of ``symbols`` has stock locate n + 1."""

    def __cinit__(self, Publisher publisher not None, symbols):
        cdef uint32_t locate = 0
        cdef bytes padded
        self.publisher = publisher
        self.locates = len(symbols) + 1
        if self.locates > 0xFFFF:
            raise ValueError(f"{len(symbols)} symbols: a stock locate has 16 bits")
        self.symbols = <uint64_t *> calloc(self.locates, sizeof(uint64_t))
        if not self.symbols:
            raise MemoryError()
        for symbol in symbols:
            padded = symbol.encode("ascii").ljust(8)
            if len(padded) != 8 or not symbol.strip():
                raise ValueError(f"symbol {symbol!r}: 1 to 8 characters")
            locate += 1
            memcpy(&self.symbols[locate], <const char *> padded, 8)

    def __dealloc__(self):
        free(self.symbols)

    cdef void system_event(self, uint8_t event_code, uint64_t t_ns) noexcept nogil:
        """S: start and end of messages, system hours, market hours."""
        cdef uint8_t *m = self.publisher.reserve(ITCH50_SYSTEM_EVENT_LENGTH)
        _header(m, ITCH50_SYSTEM_EVENT, 0, t_ns)
        itch50_system_event_put_event_code(m, event_code)
        self.publisher.commit(t_ns)

    cdef void stock_directory(self, uint16_t locate, uint8_t authenticity,
                              uint64_t t_ns) noexcept nogil:
        """R: a common stock with round lots of 100; ``authenticity`` P live, T test."""
        cdef Itch50StockDirectory values
        cdef uint8_t *m = self.publisher.reserve(ITCH50_STOCK_DIRECTORY_LENGTH)
        values.stock_locate = locate
        values.tracking_number = 0
        values.timestamp = t_ns
        values.stock = self.symbols[locate]
        values.market_category = b"Q"
        values.financial_status_indicator = b"N"
        values.round_lot_size = ROUND_LOT_SHARES
        values.round_lots_only = b"N"
        values.issue_classification = b"C"
        memcpy(&values.issue_sub_type, b"Z ", 2)
        values.authenticity = authenticity
        values.short_sale_threshold_indicator = b"N"
        values.ipo_flag = b"N"
        values.luld_reference_price_tier = b"1"
        values.etp_flag = b"N"
        values.etp_leverage_factor = 0
        values.inverse_indicator = b"N"
        itch50_stock_directory_encode(&values, m)
        self.publisher.commit(t_ns)

    cdef void trading_action(self, uint16_t locate, uint8_t trading_state, uint32_t reason,
                             uint64_t t_ns) noexcept nogil:
        """H: ``reason`` is four bytes as on the wire."""
        cdef uint8_t *m = self.publisher.reserve(ITCH50_STOCK_TRADING_ACTION_LENGTH)
        _header(m, ITCH50_STOCK_TRADING_ACTION, locate, t_ns)
        itch50_stock_trading_action_put_stock(m, self.symbols[locate])
        itch50_stock_trading_action_put_trading_state(m, trading_state)
        itch50_stock_trading_action_put_reserved(m, b" ")
        itch50_stock_trading_action_put_reason(m, reason)
        self.publisher.commit(t_ns)

    cdef void operational_halt(self, uint16_t locate, uint8_t action, uint64_t t_ns) noexcept nogil:
        """h: ``action`` H halted, T resumed, on this market."""
        cdef uint8_t *m = self.publisher.reserve(ITCH50_OPERATIONAL_HALT_LENGTH)
        _header(m, ITCH50_OPERATIONAL_HALT, locate, t_ns)
        itch50_operational_halt_put_stock(m, self.symbols[locate])
        itch50_operational_halt_put_market_code(m, b"Q")
        itch50_operational_halt_put_operational_halt_action(m, action)
        self.publisher.commit(t_ns)

    cdef void add_order(self, uint16_t locate, uint64_t reference, uint8_t side, uint32_t shares,
                        int64_t price, uint32_t mpid, uint64_t t_ns) noexcept nogil:
        """A, or F with an attribution of four bytes as on the wire."""
        cdef uint8_t *m = self.publisher.reserve(
            ITCH50_ADD_ORDER_WITH_MPID_LENGTH if mpid else ITCH50_ADD_ORDER_LENGTH)
        # both begin alike
        _header(m, ITCH50_ADD_ORDER_WITH_MPID if mpid else ITCH50_ADD_ORDER, locate, t_ns)
        itch50_add_order_put_order_reference_number(m, reference)
        itch50_add_order_put_buy_sell_indicator(m, side)
        itch50_add_order_put_shares(m, shares)
        itch50_add_order_put_stock(m, self.symbols[locate])
        itch50_add_order_put_price(m, <uint32_t> price)
        if mpid:
            itch50_add_order_with_mpid_put_attribution(m, mpid)
        self.publisher.commit(t_ns)

    cdef void order_executed(self, uint16_t locate, uint64_t reference, uint32_t shares,
                             uint64_t match_number, uint64_t t_ns) noexcept nogil:
        """E: a displayed order was executed at its price."""
        cdef uint8_t *m = self.publisher.reserve(ITCH50_ORDER_EXECUTED_LENGTH)
        _header(m, ITCH50_ORDER_EXECUTED, locate, t_ns)
        itch50_order_executed_put_order_reference_number(m, reference)
        itch50_order_executed_put_executed_shares(m, shares)
        itch50_order_executed_put_match_number(m, match_number)
        self.publisher.commit(t_ns)

    cdef void order_cancel(self, uint16_t locate, uint64_t reference, uint32_t shares,
                           uint64_t t_ns) noexcept nogil:
        """X: shares taken off an order, which keeps its place."""
        cdef uint8_t *m = self.publisher.reserve(ITCH50_ORDER_CANCEL_LENGTH)
        _header(m, ITCH50_ORDER_CANCEL, locate, t_ns)
        itch50_order_cancel_put_order_reference_number(m, reference)
        itch50_order_cancel_put_cancelled_shares(m, shares)
        self.publisher.commit(t_ns)

    cdef void order_delete(self, uint16_t locate, uint64_t reference,
                           uint64_t t_ns) noexcept nogil:
        """D: an order is gone."""
        cdef uint8_t *m = self.publisher.reserve(ITCH50_ORDER_DELETE_LENGTH)
        _header(m, ITCH50_ORDER_DELETE, locate, t_ns)
        itch50_order_delete_put_order_reference_number(m, reference)
        self.publisher.commit(t_ns)

    cdef void order_replace(self, uint16_t locate, uint64_t original, uint64_t reference,
                            uint32_t shares, int64_t price, uint64_t t_ns) noexcept nogil:
        """U: an order is gone and another is at the end of its queue."""
        cdef uint8_t *m = self.publisher.reserve(ITCH50_ORDER_REPLACE_LENGTH)
        _header(m, ITCH50_ORDER_REPLACE, locate, t_ns)
        itch50_order_replace_put_original_order_reference_number(m, original)
        itch50_order_replace_put_new_order_reference_number(m, reference)
        itch50_order_replace_put_shares(m, shares)
        itch50_order_replace_put_price(m, <uint32_t> price)
        self.publisher.commit(t_ns)

    cdef void trade(self, uint16_t locate, uint32_t shares, int64_t price, uint64_t match_number,
                    uint64_t t_ns) noexcept nogil:
        """P: a hidden order was executed. Reference 0 and side B, as in today's feed."""
        cdef uint8_t *m = self.publisher.reserve(ITCH50_TRADE_LENGTH)
        _header(m, ITCH50_TRADE, locate, t_ns)
        itch50_trade_put_order_reference_number(m, 0)
        itch50_trade_put_buy_sell_indicator(m, b"B")
        itch50_trade_put_shares(m, shares)
        itch50_trade_put_stock(m, self.symbols[locate])
        itch50_trade_put_price(m, <uint32_t> price)
        itch50_trade_put_match_number(m, match_number)
        self.publisher.commit(t_ns)

    cdef void broken_trade(self, uint16_t locate, uint64_t match_number,
                           uint64_t t_ns) noexcept nogil:
        """B: an execution is undone; books stay as they are."""
        cdef uint8_t *m = self.publisher.reserve(ITCH50_BROKEN_TRADE_LENGTH)
        _header(m, ITCH50_BROKEN_TRADE, locate, t_ns)
        itch50_broken_trade_put_match_number(m, match_number)
        self.publisher.commit(t_ns)

    def event(self, str event_code not None, uint64_t t_ns):
        """A system event by its letter."""
        self.system_event(ord(event_code), t_ns)

    def begin_day(self, uint64_t t_ns):
        """Start of messages, and the directory of all symbols."""
        cdef uint32_t locate
        self.system_event(b"O", t_ns)
        for locate in range(1, self.locates):
            self.stock_directory(<uint16_t> locate, b"P", t_ns)
