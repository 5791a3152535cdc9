# SPDX-License-Identifier: Apache-2.0
"""Reasons of the risk gate in order of evaluation, numbers of its limits, its fixed sizes."""

from dataclasses import fields

from nic.enumeration import Entry, Enumeration, enumeration
from nic.offload.limits import MAXIMUM_PRICE, MAXIMUM_QUANTITY_SHARES, Limits

RISK = enumeration(
    "risk",
    passed="the request passed every check",
    no_limits_set="no default limits were ever set",
    kill_global="everything is killed",
    heartbeat_lost="the control thread fell silent, or was never heard",
    kill_session="the order-entry session is killed",
    kill_strategy="the strategy is killed",
    kill_symbol="the symbol is killed",
    order_entry_down="the venue's session is not up, or could not take the order",
    invalid_request="unknown action, side, time in force; quantity or price out of range",
    unknown_symbol="the symbol index is not in the table of symbols",
    unknown_order="the order to replace or cancel is not open",
    order_busy="the order to replace has a replace or a cancel of all in flight",
    replace_below_executed="the total of a replace is not above what is executed",
    order_table_full="as many orders are open as the table holds",
    symbol_restricted="the symbol is on the restricted list",
    symbol_not_allowed="the symbol is not on the list of allowed ones",
    order_type_not_allowed="side, time in force, post-only or replace is not allowed",
    market_phase="the market is in a phase that is not allowed, or in an unknown one",
    symbol_not_clean="the symbol's book is gapped or rebuilding",
    feed_stale="nothing is heard from the feed",
    symbol_halted="the symbol is not in state trading, or is halted operationally",
    market_crossed="the best bid is at or above the best offer",
    price_band="a buy above the upper, a sell below the lower price band, or no band is known",
    minimum_quantity="fewer open shares than an order must have",
    lot_size="the open shares are no multiple of the lot size",
    tick_size="the price is no multiple of the tick size",
    maximum_quantity="more open shares than one order may have",
    maximum_notional="more price times open shares than one order may have",
    average_daily_volume="more open shares than the allowed part of an average day's volume",
    no_fresh_reference="no opposite best price or no last trade, or the data is too old",
    collar_best_price="the price is too far beyond the opposite best price",
    collar_last_trade="the price is too far beyond the last trade",
    short_sale_mark="a sale that may sell short is marked long",
    short_sale_locate="more shares would be sold short than are located",
    short_sale_restricted="a short sale at or below the best bid while such are restricted",
    maximum_long_position="too long a position if every open buy order filled",
    maximum_short_position="too short a position if every open sell order filled",
    gross_notional="open orders and positions together would be worth too much",
    net_notional="positions would be worth too much on one side if its orders filled",
    daily_quantity="too many shares ordered since the start of the day",
    daily_notional="too much value ordered since the start of the day",
    loss_limit="cash and positions have lost too much",
    credit_limit="open buys and what was paid would need too much cash",
    open_orders="as many orders are open as allowed",
    unacknowledged_orders="the exchange has not answered as many orders as allowed",
    message_rate="the session's token bucket is empty",
    symbol_message_rate="the symbol's token bucket is empty",
    strategy_message_rate="the strategy's token bucket is empty",
    repeated_execution="the strategy executed as often as it may until it is released",
    order_to_trade_ratio="too many messages for the executions",
    duplicate_order="the same order passed within the window",
    self_trade="it would trade with an own open order",
)

FIRST_OF_NEW_RISK = RISK.value("symbol_restricted")
"""Reasons from here on hold against new risk only, each with a bit in ``enabled_checks``."""

ALL_CHECKS = (1 << RISK.count) - (1 << FIRST_OF_NEW_RISK)
"""``enabled_checks`` with every check that can be disabled."""


def checks(*names: str) -> int:
    """Bits of ``enabled_checks`` for reasons by name; raises ``KeyError`` for another name."""
    return sum({1 << RISK.value(name) for name in names})


LIMIT = Enumeration(
    "limit",
    tuple(Entry(f.name, i, f.metadata["meaning"]) for i, f in enumerate(fields(Limits))),
)

ORDER_TYPE = enumeration(
    "order_type",
    day="time in force day",
    ioc="time in force immediate or cancel",
    post_only="adds liquidity or is not taken",
    buy="side B",
    sell="side S",
    sell_short="side T",
    sell_short_exempt="side E",
    replace="a replace",
)
"""What a request can be; bits of ``allowed_order_types``, all of a request's must be there."""

MARKET_PHASE = enumeration(
    "market_phase",
    unknown="no system event was heard",
    closed="before the system hours, or after them",
    pre_market="system hours before the market hours",
    market="market hours",
    post_market="system hours behind the market hours",
)
"""Phases of the day; bits of ``allowed_phases``."""

PHASE_OF_EVENT = {
    "O": MARKET_PHASE.value("closed"),
    "S": MARKET_PHASE.value("pre_market"),
    "Q": MARKET_PHASE.value("market"),
    "R": MARKET_PHASE.value("market"),
    "M": MARKET_PHASE.value("post_market"),
    "E": MARKET_PHASE.value("closed"),
    "C": MARKET_PHASE.value("closed"),
}
"""Code of a System Event message (ITCH 5.0 section 1.1: O S Q M E C; DEEP 1.0: O S R M E C)."""

KILL_SCOPE = Enumeration(
    "kill_scope",
    (
        Entry("global", 0, "everything"),
        Entry("session", 1, "one order-entry session, by its venue"),
        Entry("strategy", 2, "one strategy"),
        Entry("symbol", 3, "one symbol"),
        Entry("heartbeat", 4, "what a lost heartbeat killed; can only be reset"),
    ),
)

KILL_STATE = enumeration(
    "kill_state",
    running="not killed",
    draining="killed, and orders are still open",
    drained="killed, and no order is open",
)

GATE = Enumeration(
    "gate",
    (
        Entry("maximum_quantity_shares", MAXIMUM_QUANTITY_SHARES, "most shares of a request"),
        Entry("maximum_price", MAXIMUM_PRICE, "highest price of a request"),
        Entry("basis_points", 10_000, "what basis points are parts of"),
        Entry("venues", 16, "order-entry sessions the gate can tell apart"),
        Entry("strategies", 1 << 16, "strategies the gate can tell apart"),
        Entry("duplicate_set_bits", 10, "the table of recent orders has two to this power sets"),
        Entry("duplicate_ways", 4, "recent orders in a set"),
    ),
)
"""Sizes, not an array's indices: take the values one by one."""

ENUMERATIONS = (RISK, LIMIT, ORDER_TYPE, MARKET_PHASE, KILL_SCOPE, KILL_STATE, GATE)
