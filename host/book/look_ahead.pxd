# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Prefetching for messages that will be applied soon.

What a message touches hangs on a chain (map entry, order, price level and neighbours in the queue),
and each link may be a cache miss of a hundred nanoseconds. So every message goes through three
stages, some messages apart: each stage reads what the one before has brought in, and prefetches the
next link. All of it is a guess that changes nothing: only references are remembered, never the
message's bytes, and what they name may have gone by the time it is looked at. There are no branches
on the kind of message, which would be mispredicted: every order message has its reference at the
same place, what is not found is slot 0, and to prefetch that costs nothing.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from host.book.index_map cimport index_map_guess, index_map_prefetch, prefetch_line
from host.book.order_store cimport Order, OrderStore
from nic.wire.itch50_codec cimport (
    ITCH50_ORDER_DELETE_LENGTH, ITCH50_ORDER_REPLACE, ITCH50_ORDER_REPLACE_LENGTH,
    itch50_order_delete_order_reference_number, itch50_order_replace_new_order_reference_number)

cdef enum:
    AHEAD_RING = 16            # messages in mind, a power of two above two stages
    AHEAD_STAGE = 4            # messages between two stages
    AHEAD_MESSAGES = 12        # how far ahead of the applied message to look

cdef struct LookAhead:
    uint64_t references[AHEAD_RING]
    uint32_t slots[AHEAD_RING]
    uint32_t at

cdef inline void look_ahead(LookAhead *ahead, const OrderStore *store, const uint8_t *m,
                            uint32_t length) noexcept nogil:
    """Take one more message into mind, and move the others on."""
    cdef uint32_t here = ahead.at
    cdef uint32_t second = (here - AHEAD_STAGE) & (AHEAD_RING - 1)
    cdef const Order *order = &store.pool[ahead.slots[(here - 2 * AHEAD_STAGE) & (AHEAD_RING - 1)]]
    cdef uint64_t reference = 0, other
    prefetch_line(&store.levels.levels[order.level])
    prefetch_line(&store.pool[order.previous])
    prefetch_line(&store.pool[order.next])
    ahead.slots[second] = index_map_guess(&store.map, ahead.references[second])
    prefetch_line(&store.pool[ahead.slots[second]])
    if length >= ITCH50_ORDER_DELETE_LENGTH:
        reference = itch50_order_delete_order_reference_number(m)
        other = reference
        if length == ITCH50_ORDER_REPLACE_LENGTH and m[0] == ITCH50_ORDER_REPLACE:
            other = itch50_order_replace_new_order_reference_number(m)
        index_map_prefetch(&store.map, reference)
        index_map_prefetch(&store.map, other)
    ahead.references[here] = reference
    ahead.at = (here + 1) & (AHEAD_RING - 1)
