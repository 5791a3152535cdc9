# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The checks against new risk, in the order of the table RISK; 0 when none holds.

The semantics stand in ``host/risk/reference_checks.py``. A check that would refuse looks last
whether it is enabled: that costs nothing as long as nothing is wrong.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from host.model cimport (
    ACTION_REPLACE, BOOK_CLEAN, SIDE_BUY, SIDE_SELL, SIDE_SELL_SHORT, TIME_IN_FORCE_DAY,
    OrderRequest, Top)
from host.risk.exposure cimport (
    BUYS, SELLS, Exposures, OpenOrder, SideExposure, SymbolExposure)
from host.risk.limit_rows cimport GateLimits, SymbolLimits, is_enabled, is_multiple
from nic.offload.ids cimport *

cdef enum:
    TRADING = 84           # b"T", Stock Trading Action of ITCH 5.0
    UNRESTRICTED = 48      # b"0", Reg SHO Restriction of ITCH 5.0

cdef struct Change:                # what a request adds to the worst case, if it passes
    int64_t leaves                 # shares the order would leave open
    int64_t notional               # their price times shares
    int64_t shares_added           # to the shares reserved on its side
    int64_t notional_added
    bint is_smaller                # a replace that is in no way more than the order it replaces

cdef struct Totals:                # what the gate counted of the messages that passed
    int64_t daily_shares           # added by orders and replaces since the start of the day
    int64_t daily_notional
    int64_t messages               # orders, replaces and cancels since the start of the day
    int64_t credit_alerts          # buys that left more than 70 % of the credit in use


cdef inline bint is_there(int64_t price) noexcept nogil:
    """Whether a price of the market can serve as a reference."""
    return 0 < price <= GATE_MAXIMUM_PRICE


cdef inline int64_t direction_of(const OrderRequest *request) noexcept nogil:
    """1 of a buy, -1 of every sell."""
    return 1 if request.side == SIDE_BUY else -1


cdef inline int64_t order_types(const OrderRequest *request) noexcept nogil:
    """Bits of ORDER_TYPE that a valid request has."""
    cdef int side = ORDER_TYPE_BUY
    if request.side != SIDE_BUY:
        side = ORDER_TYPE_SELL if request.side == SIDE_SELL else (
            ORDER_TYPE_SELL_SHORT if request.side == SIDE_SELL_SHORT
            else ORDER_TYPE_SELL_SHORT_EXEMPT)
    return (1 << side
            | (1 << ORDER_TYPE_DAY if request.time_in_force == TIME_IN_FORCE_DAY
               else 1 << ORDER_TYPE_IOC)
            | <int64_t> (request.post_only != 0) << ORDER_TYPE_POST_ONLY
            | <int64_t> (request.action == ACTION_REPLACE) << ORDER_TYPE_REPLACE)


cdef inline int check_permission(const OrderRequest *request, const SymbolLimits *limits,
                                 uint8_t phase) noexcept nogil:
    """What may be traded at all, how, and when."""
    if limits.values[LIMIT_IS_RESTRICTED] and is_enabled(limits, RISK_SYMBOL_RESTRICTED):
        return RISK_SYMBOL_RESTRICTED
    if not limits.values[LIMIT_IS_ALLOWED] and is_enabled(limits, RISK_SYMBOL_NOT_ALLOWED):
        return RISK_SYMBOL_NOT_ALLOWED
    if (order_types(request) & ~limits.values[LIMIT_ALLOWED_ORDER_TYPES]
            and is_enabled(limits, RISK_ORDER_TYPE_NOT_ALLOWED)):
        return RISK_ORDER_TYPE_NOT_ALLOWED
    if (not limits.values[LIMIT_ALLOWED_PHASES] >> phase & 1
            and is_enabled(limits, RISK_MARKET_PHASE)):
        return RISK_MARKET_PHASE
    return RISK_PASSED


cdef inline int check_market(const OrderRequest *request, const Top *top,
                             const SymbolLimits *limits, bint is_stale) noexcept nogil:
    """Book, feed, trading state and bands: nothing new is risked on what is not known."""
    cdef int64_t band
    if top.book_state != BOOK_CLEAN and is_enabled(limits, RISK_SYMBOL_NOT_CLEAN):
        return RISK_SYMBOL_NOT_CLEAN
    if is_stale and is_enabled(limits, RISK_FEED_STALE):
        return RISK_FEED_STALE
    if ((top.trading_state != TRADING or top.operational_halt)
            and is_enabled(limits, RISK_SYMBOL_HALTED)):
        return RISK_SYMBOL_HALTED
    if (top.bid_price >= top.ask_price and is_there(top.bid_price) and is_there(top.ask_price)
            and is_enabled(limits, RISK_MARKET_CROSSED)):
        return RISK_MARKET_CROSSED
    band = top.band_upper_price if request.side == SIDE_BUY else top.band_lower_price
    if ((not is_there(band) or direction_of(request) * (request.price - band) > 0)
            and is_enabled(limits, RISK_PRICE_BAND)):
        return RISK_PRICE_BAND
    return RISK_PASSED


cdef inline int check_size(const OrderRequest *request, const Change *change,
                           const SymbolLimits *limits) noexcept nogil:
    """What one order may leave open, and its price's grid."""
    if (change.leaves < limits.values[LIMIT_MINIMUM_QUANTITY_SHARES]
            and is_enabled(limits, RISK_MINIMUM_QUANTITY)):
        return RISK_MINIMUM_QUANTITY
    if not is_multiple(&limits.lot, change.leaves) and is_enabled(limits, RISK_LOT_SIZE):
        return RISK_LOT_SIZE
    if (request.price >= limits.values[LIMIT_TICK_SIZE_FROM_PRICE]
            and not is_multiple(&limits.tick, request.price)
            and is_enabled(limits, RISK_TICK_SIZE)):
        return RISK_TICK_SIZE
    if (change.leaves > limits.values[LIMIT_MAXIMUM_QUANTITY_SHARES]
            and is_enabled(limits, RISK_MAXIMUM_QUANTITY)):
        return RISK_MAXIMUM_QUANTITY
    if (change.notional > limits.values[LIMIT_MAXIMUM_NOTIONAL]
            and is_enabled(limits, RISK_MAXIMUM_NOTIONAL)):
        return RISK_MAXIMUM_NOTIONAL
    if (change.leaves > limits.values[LIMIT_AVERAGE_DAILY_VOLUME_BOUND_SHARES]
            and is_enabled(limits, RISK_AVERAGE_DAILY_VOLUME)):
        return RISK_AVERAGE_DAILY_VOLUME
    return RISK_PASSED


cdef inline bint is_beyond(const OrderRequest *request, int64_t reference, int64_t basis_points,
                           int64_t price_units) noexcept nogil:
    """Whether a price goes beyond its reference by more than both measures; so without one."""
    cdef int64_t beyond = direction_of(request) * (request.price - reference)
    return not is_there(reference) or (
        beyond > price_units and beyond * GATE_BASIS_POINTS > reference * basis_points)


cdef inline int check_collars(const OrderRequest *request, const Top *top,
                              const SymbolLimits *limits, uint64_t t_ns) noexcept nogil:
    """How far the price goes beyond the opposite best price and beyond the last trade."""
    cdef int64_t best = top.ask_price if request.side == SIDE_BUY else top.bid_price
    # a time before the update makes a huge age: not fresh
    if ((not is_there(best) or not is_there(top.last_price)
            or t_ns - top.updated_ns > <uint64_t> limits.values[LIMIT_REFERENCE_AGE_LIMIT_NS])
            and is_enabled(limits, RISK_NO_FRESH_REFERENCE)):
        return RISK_NO_FRESH_REFERENCE
    if (is_beyond(request, best, limits.values[LIMIT_COLLAR_BEST_BASIS_POINTS],
                  limits.values[LIMIT_COLLAR_BEST_PRICE_UNITS])
            and is_enabled(limits, RISK_COLLAR_BEST_PRICE)):
        return RISK_COLLAR_BEST_PRICE
    if (is_beyond(request, top.last_price, limits.values[LIMIT_COLLAR_LAST_BASIS_POINTS],
                  limits.values[LIMIT_COLLAR_LAST_PRICE_UNITS])
            and is_enabled(limits, RISK_COLLAR_LAST_TRADE)):
        return RISK_COLLAR_LAST_TRADE
    return RISK_PASSED


cdef inline int check_position(const OrderRequest *request, const Change *change, const Top *top,
                               const SymbolExposure *symbol,
                               const SymbolLimits *limits) noexcept nogil:
    """Short-sale rules, then the worst-case position of the side where the request adds to it."""
    cdef int64_t worst
    if request.side == SIDE_BUY:
        worst = symbol.position + symbol.sides[BUYS].open_shares + change.shares_added
        if (change.shares_added > 0
                and worst > limits.values[LIMIT_MAXIMUM_LONG_POSITION_SHARES]
                and is_enabled(limits, RISK_MAXIMUM_LONG_POSITION)):
            return RISK_MAXIMUM_LONG_POSITION
        return RISK_PASSED
    worst = symbol.sides[SELLS].open_shares + change.shares_added - symbol.position
    if change.shares_added > 0:
        if request.side == SIDE_SELL:
            if worst > 0 and is_enabled(limits, RISK_SHORT_SALE_MARK):
                return RISK_SHORT_SALE_MARK
        elif (worst > limits.values[LIMIT_SHORT_SALE_LOCATE_SHARES]
                and is_enabled(limits, RISK_SHORT_SALE_LOCATE)):
            return RISK_SHORT_SALE_LOCATE
    if (request.side == SIDE_SELL_SHORT and top.short_sale_state != UNRESTRICTED
            and (not is_there(top.bid_price) or request.price <= top.bid_price)
            and is_enabled(limits, RISK_SHORT_SALE_RESTRICTED)):
        return RISK_SHORT_SALE_RESTRICTED
    if (change.shares_added > 0
            and worst > limits.values[LIMIT_MAXIMUM_SHORT_POSITION_SHARES]
            and is_enabled(limits, RISK_MAXIMUM_SHORT_POSITION)):
        return RISK_MAXIMUM_SHORT_POSITION
    return RISK_PASSED


cdef inline int64_t credit_in_use(const Change *change, Exposures exposures) noexcept nogil:
    """Cash that went out, and what open buys with this one may need."""
    return ((-exposures.cash if exposures.cash < 0 else 0) + exposures.open_notional[BUYS]
            + change.notional_added)


cdef inline bint is_credit_alert(const OrderRequest *request, const Change *change,
                                 Exposures exposures, const GateLimits *gate,
                                 const SymbolLimits *limits) noexcept nogil:
    """Whether a request that passes leaves more than 70 % of the credit limit in use."""
    return (request.side == SIDE_BUY and change.notional_added > 0
            and credit_in_use(change, exposures) > gate.credit_alert_above
            and is_enabled(limits, RISK_CREDIT_LIMIT))


cdef inline int check_money(const OrderRequest *request, const Change *change,
                            Exposures exposures, const Totals *totals, const GateLimits *gate,
                            const SymbolLimits *limits) noexcept nogil:
    """Sums over all symbols, where the request adds to them; and the loss."""
    cdef bint is_buy = request.side == SIDE_BUY
    cdef int64_t net
    if change.notional_added > 0:
        net = change.notional_added + (
            exposures.open_notional[BUYS] + exposures.net_position_notional if is_buy
            else exposures.open_notional[SELLS] - exposures.net_position_notional)
        if (exposures.gross_notional + change.notional_added
                > gate.values[LIMIT_MAXIMUM_GROSS_NOTIONAL]
                and is_enabled(limits, RISK_GROSS_NOTIONAL)):
            return RISK_GROSS_NOTIONAL
        if (net > gate.values[LIMIT_MAXIMUM_NET_NOTIONAL]
                and is_enabled(limits, RISK_NET_NOTIONAL)):
            return RISK_NET_NOTIONAL
    if (change.shares_added > 0
            and totals.daily_shares + change.shares_added
            > gate.values[LIMIT_MAXIMUM_DAILY_QUANTITY_SHARES]
            and is_enabled(limits, RISK_DAILY_QUANTITY)):
        return RISK_DAILY_QUANTITY
    if (change.notional_added > 0
            and totals.daily_notional + change.notional_added
            > gate.values[LIMIT_MAXIMUM_DAILY_NOTIONAL]
            and is_enabled(limits, RISK_DAILY_NOTIONAL)):
        return RISK_DAILY_NOTIONAL
    if (-(exposures.cash + exposures.net_position_notional) > gate.values[LIMIT_MAXIMUM_LOSS]
            and is_enabled(limits, RISK_LOSS_LIMIT)):
        return RISK_LOSS_LIMIT
    if (is_buy and change.notional_added > 0
            and credit_in_use(change, exposures) > gate.values[LIMIT_MAXIMUM_CREDIT]
            and is_enabled(limits, RISK_CREDIT_LIMIT)):
        return RISK_CREDIT_LIMIT
    return RISK_PASSED


cdef inline int check_counts(Exposures exposures, const GateLimits *gate,
                             const SymbolLimits *limits) noexcept nogil:
    """Orders that are open or not answered."""
    if (exposures.open_orders >= gate.values[LIMIT_MAXIMUM_OPEN_ORDERS]
            and is_enabled(limits, RISK_OPEN_ORDERS)):
        return RISK_OPEN_ORDERS
    if (exposures.unacknowledged_orders >= gate.values[LIMIT_MAXIMUM_UNACKNOWLEDGED_ORDERS]
            and is_enabled(limits, RISK_UNACKNOWLEDGED_ORDERS)):
        return RISK_UNACKNOWLEDGED_ORDERS
    return RISK_PASSED


cdef inline int check_executions(const OrderRequest *request, Exposures exposures,
                                 const Totals *totals, const GateLimits *gate,
                                 const SymbolLimits *limits) noexcept nogil:
    """Executions of the strategy, and messages for the executions."""
    if (exposures.strategies[request.strategy_id].executions
            >= gate.values[LIMIT_MAXIMUM_EXECUTIONS]
            and is_enabled(limits, RISK_REPEATED_EXECUTION)):
        return RISK_REPEATED_EXECUTION
    if (totals.messages >= gate.values[LIMIT_ORDER_TO_TRADE_FLOOR]
            + gate.values[LIMIT_ORDER_TO_TRADE_RATIO] * exposures.executions
            and is_enabled(limits, RISK_ORDER_TO_TRADE_RATIO)):
        return RISK_ORDER_TO_TRADE_RATIO
    return RISK_PASSED


cdef inline void measure(const OrderRequest *request, const OpenOrder *order,
                         Change *change) noexcept nogil:
    """What the worst case grows by: a new order by itself, a replace by what it asks more."""
    cdef int64_t notional_before
    change.is_smaller = False
    if order == NULL:
        change.leaves = request.quantity
        change.notional = change.leaves * request.price
        change.shares_added = change.leaves
        change.notional_added = change.notional
        return
    notional_before = <int64_t> order.leaves * order.price
    change.leaves = <int64_t> request.quantity - order.executed
    change.notional = change.leaves * request.price
    change.shares_added = max(change.leaves - <int64_t> order.leaves, 0)
    change.notional_added = max(change.notional - notional_before, 0)
    change.is_smaller = (
        change.shares_added == 0 and change.notional_added == 0
        and (request.price <= order.price if request.side == SIDE_BUY
             else request.price >= order.price))


cdef inline bint reduces(const OrderRequest *request, const Change *change,
                         const SymbolExposure *symbol) noexcept nogil:
    """Whether a request that crosses no own order closes, or is less than what it replaces."""
    cdef int64_t closing
    if change.is_smaller:
        return True
    if request.side == SIDE_BUY:
        closing = symbol.sides[BUYS].open_shares + change.shares_added
        return symbol.position < 0 and closing <= -symbol.position
    closing = symbol.sides[SELLS].open_shares + change.shares_added
    return symbol.position > 0 and closing <= symbol.position


cdef inline bint crosses_own(const OrderRequest *request,
                             const SymbolExposure *symbol) noexcept nogil:
    """Whether the price reaches the best own open order of the other side."""
    cdef const SideExposure *other
    if request.side == SIDE_BUY:
        other = &symbol.sides[SELLS]
        return other.best_price != 0 and request.price >= other.best_price
    other = &symbol.sides[BUYS]
    return other.best_price != 0 and request.price <= other.best_price
