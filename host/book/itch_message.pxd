# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""ITCH 5.0 messages applied to an OrderBook.

Source: Nasdaq TotalView-ITCH 5.0, sections 1.2 (directory and states), 1.3 (add), 1.4 (modify) and
1.5 (trades). Messages that change neither book nor state are counted by type and have no effect.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from host.book.ids cimport (
    BOOK_BBO_CHANGES, BOOK_LOCATE_MISMATCH, BOOK_LOCATE_OUT_OF_RANGE, BOOK_SYMBOL_MISMATCH,
    BOOK_UNKNOWN_TYPE, BOOK_WRONG_LENGTH, BOOK_ZERO_SHARES)
from host.book.order_book cimport OrderBook
from host.book.order_change cimport add, execute, publish, reduce, replace, seek, trade
from host.book.order_store cimport Order, order_store_remove
from host.model cimport CHANGED_BBO, CHANGED_DEPTH, CHANGED_STATE, Top
from nic.wire.itch50_codec cimport (
    ITCH50_ADD_ORDER, ITCH50_ADD_ORDER_WITH_MPID, ITCH50_CROSS_TRADE, ITCH50_OPERATIONAL_HALT,
    ITCH50_ORDER_CANCEL, ITCH50_ORDER_DELETE, ITCH50_ORDER_EXECUTED,
    ITCH50_ORDER_EXECUTED_WITH_PRICE, ITCH50_ORDER_REPLACE,
    ITCH50_REG_SHO_RESTRICTION, ITCH50_STOCK_DIRECTORY, ITCH50_STOCK_TRADING_ACTION,
    ITCH50_SYSTEM_EVENT, ITCH50_TRADE,
    itch50_add_order_buy_sell_indicator, itch50_add_order_order_reference_number,
    itch50_add_order_price, itch50_add_order_shares, itch50_add_order_stock,
    itch50_add_order_stock_locate, itch50_add_order_timestamp,
    itch50_add_order_with_mpid_buy_sell_indicator,
    itch50_add_order_with_mpid_order_reference_number, itch50_add_order_with_mpid_price,
    itch50_add_order_with_mpid_shares, itch50_add_order_with_mpid_stock,
    itch50_cross_trade_cross_price, itch50_cross_trade_shares,
    itch50_operational_halt_market_code, itch50_operational_halt_operational_halt_action,
    itch50_operational_halt_stock, itch50_order_cancel_cancelled_shares,
    itch50_order_delete_order_reference_number, itch50_order_executed_executed_shares,
    itch50_order_executed_with_price_executed_shares,
    itch50_order_executed_with_price_execution_price, itch50_order_executed_with_price_printable,
    itch50_order_replace_new_order_reference_number, itch50_order_replace_price,
    itch50_order_replace_shares, itch50_reg_sho_restriction_reg_sho_action,
    itch50_reg_sho_restriction_stock, itch50_stock_directory_round_lot_size,
    itch50_stock_directory_stock, itch50_stock_trading_action_stock,
    itch50_stock_trading_action_trading_state, itch50_system_event_event_code, itch50_trade_price,
    itch50_trade_shares)

cdef inline uint32_t know(OrderBook self, uint32_t locate, uint64_t symbol) noexcept nogil:
    """A message names the symbol of a locate: remember it if it is the first to do so."""
    if self.tops[locate].symbol == 0:
        return CHANGED_STATE if self.name_symbol(locate, symbol) else 0
    self.counts[BOOK_SYMBOL_MISMATCH] += 1
    return 0

cdef inline uint32_t directory(OrderBook self, const uint8_t *m, uint32_t locate) noexcept nogil:
    """Stock Directory: the authority on a locate's symbol, and the round lot."""
    cdef uint32_t changed = 0
    if self.name_symbol(locate, itch50_stock_directory_stock(m)):
        changed = CHANGED_STATE
    if self.tops[locate].round_lot_size != itch50_stock_directory_round_lot_size(m):
        self.tops[locate].round_lot_size = itch50_stock_directory_round_lot_size(m)
        changed = CHANGED_STATE
    return changed

cdef inline uint32_t trading_action(OrderBook self, const uint8_t *m,
                                    uint32_t locate) noexcept nogil:
    """Stock Trading Action."""
    cdef Top *top = &self.tops[locate]
    cdef uint32_t changed = 0
    if top.symbol != itch50_stock_trading_action_stock(m):
        changed = know(self, locate, itch50_stock_trading_action_stock(m))
    if top.trading_state != itch50_stock_trading_action_trading_state(m):
        top.trading_state = itch50_stock_trading_action_trading_state(m)
        changed = CHANGED_STATE
    return changed

cdef inline uint32_t short_sale(OrderBook self, const uint8_t *m, uint32_t locate) noexcept nogil:
    """Reg SHO Short Sale Price Test Restricted Indicator."""
    cdef Top *top = &self.tops[locate]
    cdef uint32_t changed = 0
    if top.symbol != itch50_reg_sho_restriction_stock(m):
        changed = know(self, locate, itch50_reg_sho_restriction_stock(m))
    if top.short_sale_state != itch50_reg_sho_restriction_reg_sho_action(m):
        top.short_sale_state = itch50_reg_sho_restriction_reg_sho_action(m)
        changed = CHANGED_STATE
    return changed

cdef inline uint32_t operational_halt(OrderBook self, const uint8_t *m,
                                      uint32_t locate) noexcept nogil:
    """Operational Halt: halted while any of the markets that share the feed's format says so."""
    cdef Top *top = &self.tops[locate]
    cdef uint8_t market = itch50_operational_halt_market_code(m)
    cdef uint8_t bit = 1 if market == b"Q" else 2 if market == b"B" else 4 if market == b"X" else 8
    cdef uint8_t halted
    cdef uint32_t changed = 0
    if top.symbol != itch50_operational_halt_stock(m):
        changed = know(self, locate, itch50_operational_halt_stock(m))
    if itch50_operational_halt_operational_halt_action(m) == b"T":
        self.halted_markets[locate] &= ~bit
    else:
        self.halted_markets[locate] |= bit
    halted = self.halted_markets[locate] != 0
    if top.operational_halt != halted:
        top.operational_halt = halted
        changed = CHANGED_STATE
    return changed

cdef inline uint32_t apply_to_symbol(OrderBook self, const uint8_t *m,
                                     uint32_t locate) noexcept nogil:
    """The messages that act on the instrument their locate names."""
    cdef uint8_t code = m[0]
    cdef uint32_t changed = 0
    if locate == 0 or locate >= self.symbol_capacity:
        self.counts[BOOK_LOCATE_OUT_OF_RANGE] += 1
        return 0
    if code == ITCH50_ADD_ORDER:
        if self.tops[locate].symbol != itch50_add_order_stock(m):
            changed = know(self, locate, itch50_add_order_stock(m))
        return changed | add(
            self, locate, itch50_add_order_order_reference_number(m),
            itch50_add_order_buy_sell_indicator(m), itch50_add_order_shares(m),
            itch50_add_order_price(m))
    if code == ITCH50_ADD_ORDER_WITH_MPID:
        if self.tops[locate].symbol != itch50_add_order_with_mpid_stock(m):
            changed = know(self, locate, itch50_add_order_with_mpid_stock(m))
        return changed | add(
            self, locate, itch50_add_order_with_mpid_order_reference_number(m),
            itch50_add_order_with_mpid_buy_sell_indicator(m),
            itch50_add_order_with_mpid_shares(m), itch50_add_order_with_mpid_price(m))
    if code == ITCH50_TRADE:
        if itch50_trade_shares(m) == 0:
            self.counts[BOOK_ZERO_SHARES] += 1
            return 0
        return trade(self, locate, itch50_trade_price(m), itch50_trade_shares(m), 0)
    if code == ITCH50_CROSS_TRADE:
        # A cross without shares is sent where nothing was paired.
        if <int64_t>itch50_cross_trade_shares(m) <= 0:
            return 0
        return trade(self, locate, itch50_cross_trade_cross_price(m),
                     <int64_t>itch50_cross_trade_shares(m), 0)
    if code == ITCH50_STOCK_DIRECTORY:
        return directory(self, m, locate)
    if code == ITCH50_STOCK_TRADING_ACTION:
        return trading_action(self, m, locate)
    if code == ITCH50_REG_SHO_RESTRICTION:
        return short_sale(self, m, locate)
    return operational_halt(self, m, locate)

cdef inline uint32_t apply_to_order(OrderBook self, const uint8_t *m,
                                    uint32_t locate) noexcept nogil:
    """The messages that act on the order they reference."""
    cdef uint8_t code = m[0]
    cdef uint32_t at
    # The reference stands at the same place in all five.
    cdef Order *order = seek(self, itch50_order_delete_order_reference_number(m), &at)
    cdef uint32_t side
    cdef int64_t price
    if order == NULL:
        return 0
    side = order.side
    if side >> 1 != locate:
        self.counts[BOOK_LOCATE_MISMATCH] += 1
        self.symbol_index = side >> 1
    if code == ITCH50_ORDER_DELETE:
        order_store_remove(&self.store, at)
        return CHANGED_DEPTH | publish(self, side)
    if code == ITCH50_ORDER_REPLACE:
        return replace(self, order, at, itch50_order_replace_new_order_reference_number(m),
                       itch50_order_replace_shares(m), itch50_order_replace_price(m))
    if code == ITCH50_ORDER_EXECUTED:
        return execute(self, order, at, itch50_order_executed_executed_shares(m), order.price)
    if code == ITCH50_ORDER_CANCEL:
        return reduce(self, order, at, itch50_order_cancel_cancelled_shares(m))
    price = 0
    if itch50_order_executed_with_price_printable(m) == b"Y":
        price = itch50_order_executed_with_price_execution_price(m)
    return execute(self, order, at, itch50_order_executed_with_price_executed_shares(m), price)

cdef inline uint32_t apply_itch(OrderBook self, const uint8_t *m, uint32_t length) noexcept nogil:
    """Apply one message: check it, find out on what it acts, count what it changed."""
    cdef uint32_t locate, changed
    cdef uint8_t code
    if length == 0:
        self.counts[BOOK_WRONG_LENGTH] += 1
        return 0
    code = m[0]
    self.messages[code] += 1
    if self.lengths[code] != length:
        self.counts[BOOK_WRONG_LENGTH if self.lengths[code] else BOOK_UNKNOWN_TYPE] += 1
        return 0
    locate = itch50_add_order_stock_locate(m)
    self.symbol_index = 0
    if locate < self.symbol_capacity:
        self.symbol_index = locate
        self.tops[locate].timestamp = itch50_add_order_timestamp(m)
    if (code == ITCH50_ORDER_DELETE or code == ITCH50_ORDER_REPLACE
            or code == ITCH50_ORDER_EXECUTED or code == ITCH50_ORDER_CANCEL
            or code == ITCH50_ORDER_EXECUTED_WITH_PRICE):
        changed = apply_to_order(self, m, locate)
    elif (code == ITCH50_ADD_ORDER or code == ITCH50_ADD_ORDER_WITH_MPID or code == ITCH50_TRADE
            or code == ITCH50_CROSS_TRADE or code == ITCH50_STOCK_DIRECTORY
            or code == ITCH50_STOCK_TRADING_ACTION or code == ITCH50_OPERATIONAL_HALT
            or code == ITCH50_REG_SHO_RESTRICTION):
        changed = apply_to_symbol(self, m, locate)
    else:
        if code == ITCH50_SYSTEM_EVENT:
            self.system_event(itch50_system_event_event_code(m))
        return 0
    self.counts[BOOK_BBO_CHANGES] += changed & CHANGED_BBO
    return changed
