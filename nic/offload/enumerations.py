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
    kill_strategy="the strategy is killed",
    kill_symbol="the symbol is killed",
    order_entry_down="the venue's session is not up, or could not take the order",
    invalid_request="unknown action, side, time in force; quantity or price out of range",
    unknown_symbol="the symbol index is not in the table of symbols",
    unknown_order="the order to replace or cancel is not open",
    order_busy="the order to replace has a replace or a cancel of all in flight",
    replace_below_executed="the total of a replace is not above what is executed",
    order_table_full="as many orders are open as the table holds",
    symbol_not_clean="the symbol's book is gapped or rebuilding",
    feed_stale="nothing is heard from the feed",
    symbol_halted="the symbol is not in state trading, or is halted operationally",
    maximum_quantity="more open shares than one order may have",
    maximum_notional="more price times open shares than one order may have",
    no_fresh_reference="no opposite best price or no last trade, or the data is too old",
    collar_best_price="the price is too far beyond the opposite best price",
    collar_last_trade="the price is too far beyond the last trade",
    maximum_long_position="too long a position if every open buy order filled",
    maximum_short_position="too short a position if every open sell order filled",
    gross_notional="open orders and positions together would be worth too much",
    message_rate="the token bucket is empty",
    duplicate_order="the same order passed within the window",
    self_trade="it would trade with an own open order",
)

LIMIT = Enumeration(
    "limit",
    tuple(Entry(f.name, i, f.metadata["meaning"]) for i, f in enumerate(fields(Limits))),
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

ENUMERATIONS = (RISK, LIMIT, GATE)
