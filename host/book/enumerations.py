# SPDX-License-Identifier: Apache-2.0
"""Counters of the books."""

from nic.enumeration import enumeration

BOOK = enumeration(
    "book",
    bbo_changes="messages after which a symbol's published best bid or offer was another one",
    trades="messages that report a trade",
    unknown_type="messages of a type the venue's table does not have, ignored",
    wrong_length="messages whose length is not that of their type, ignored",
    locate_out_of_range="messages of one instrument with locate 0 or beyond the tables, ignored",
    unknown_order="executions, cancels, deletes and replaces of an order the book does not hold",
    duplicate_reference="orders added under a reference that is in the book, ignored",
    reduced_too_much="executions and cancels of more shares than were open; the order is removed",
    bad_side="orders that neither buy nor sell, ignored",
    bad_price="orders or levels with a price of 0, below 0 or beyond the tables, ignored",
    zero_shares="orders, executions, cancels and trades of 0 shares, ignored",
    locate_mismatch="changes of an order that name another instrument than the order's own",
    symbol_mismatch="orders whose symbol is not the one known for their stock locate",
    order_pool_full="orders that found no room; their symbol is gapped from then on",
    level_pool_full="orders or levels that found no price level free; their symbol is gapped",
    symbol_pool_full="messages without a symbol, or of one that found no room, ignored",
    orphan_transition="price level updates while an event with another timestamp was not complete",
    absent_level="deletes of a price level that is not there",
    gaps="times that every book was marked as gapped",
    resets="times that every book was emptied",
)

ENUMERATIONS = (BOOK,)
