# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""What a DEEP 1.0 message says in terms of the normalised feed.

Source: IEX DEEP specification 1.08, chapter Message Formats.
"""

from libc.stdint cimport uint8_t
from host.ipc.feed_codec cimport FeedEvent
from host.ipc.ids cimport EVENT_LEVEL, EVENT_STATE, EVENT_TRADE
from host.model cimport SIDE_BUY, SIDE_SELL
from nic.wire.deep10_codec cimport (
    DEEP10_PRICE_LEVEL_UPDATE_BUY, DEEP10_PRICE_LEVEL_UPDATE_SELL, DEEP10_TRADE_REPORT,
    deep10_price_level_update_buy_price, deep10_price_level_update_buy_size)

cdef inline void deep_event(const uint8_t *m, FeedEvent *event) noexcept nogil:
    """Kind, side, price and quantity of a message that the book has taken."""
    cdef uint8_t code = m[0]
    if code == DEEP10_PRICE_LEVEL_UPDATE_BUY or code == DEEP10_PRICE_LEVEL_UPDATE_SELL:
        # both have these fields at the same places
        event.kind = EVENT_LEVEL
        event.side = SIDE_BUY if code == DEEP10_PRICE_LEVEL_UPDATE_BUY else SIDE_SELL
        event.price = deep10_price_level_update_buy_price(m)
        event.quantity = deep10_price_level_update_buy_size(m)
    elif code == DEEP10_TRADE_REPORT:
        event.kind = EVENT_TRADE
    else:
        event.kind = EVENT_STATE
