# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""What an ITCH 5.0 message says in terms of the normalised feed.

Source: Nasdaq TotalView-ITCH 5.0, sections 1.2 to 1.5.
"""

from libc.stdint cimport uint8_t, uint64_t
from host.ipc.feed_codec cimport FeedEvent
from host.ipc.ids cimport (
    EVENT_ADD, EVENT_DELETE, EVENT_EXECUTE, EVENT_REDUCE, EVENT_REPLACE, EVENT_STATE, EVENT_TRADE)
from nic.wire.itch50_codec cimport (
    ITCH50_ADD_ORDER, ITCH50_ADD_ORDER_WITH_MPID, ITCH50_CROSS_TRADE, ITCH50_ORDER_CANCEL,
    ITCH50_ORDER_DELETE, ITCH50_ORDER_EXECUTED, ITCH50_ORDER_EXECUTED_WITH_PRICE,
    ITCH50_ORDER_REPLACE, ITCH50_TRADE, itch50_add_order_buy_sell_indicator,
    itch50_add_order_order_reference_number, itch50_add_order_price, itch50_add_order_shares,
    itch50_order_cancel_cancelled_shares, itch50_order_delete_order_reference_number,
    itch50_order_executed_executed_shares, itch50_order_executed_with_price_executed_shares,
    itch50_order_replace_new_order_reference_number,
    itch50_order_replace_original_order_reference_number, itch50_order_replace_price,
    itch50_order_replace_shares)

cdef inline void itch_event(const uint8_t *m, FeedEvent *event) noexcept nogil:
    """Kind, order, side, price and quantity of a message that the book has taken."""
    cdef uint8_t code = m[0]
    if code == ITCH50_ADD_ORDER or code == ITCH50_ADD_ORDER_WITH_MPID:
        # both have these fields at the same places
        event.kind = EVENT_ADD
        event.side = itch50_add_order_buy_sell_indicator(m)
        event.order_reference_number = itch50_add_order_order_reference_number(m)
        event.price = itch50_add_order_price(m)
        event.quantity = itch50_add_order_shares(m)
    elif code == ITCH50_ORDER_DELETE:
        event.kind = EVENT_DELETE
        event.order_reference_number = itch50_order_delete_order_reference_number(m)
    elif code == ITCH50_ORDER_EXECUTED:
        event.kind = EVENT_EXECUTE
        event.order_reference_number = itch50_order_delete_order_reference_number(m)
        event.quantity = itch50_order_executed_executed_shares(m)
    elif code == ITCH50_ORDER_EXECUTED_WITH_PRICE:
        event.kind = EVENT_EXECUTE
        event.order_reference_number = itch50_order_delete_order_reference_number(m)
        event.quantity = itch50_order_executed_with_price_executed_shares(m)
    elif code == ITCH50_ORDER_CANCEL:
        event.kind = EVENT_REDUCE
        event.order_reference_number = itch50_order_delete_order_reference_number(m)
        event.quantity = itch50_order_cancel_cancelled_shares(m)
    elif code == ITCH50_ORDER_REPLACE:
        event.kind = EVENT_REPLACE
        event.order_reference_number = itch50_order_replace_new_order_reference_number(m)
        event.previous_order_reference_number = (
            itch50_order_replace_original_order_reference_number(m))
        event.price = itch50_order_replace_price(m)
        event.quantity = itch50_order_replace_shares(m)
    elif code == ITCH50_TRADE or code == ITCH50_CROSS_TRADE:
        event.kind = EVENT_TRADE
    else:
        event.kind = EVENT_STATE
