# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Orders by reference, each in the queue of its price level. No checks of what a feed may say."""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t
from host.book.index_map cimport (
    IndexMap, index_map_clear, index_map_close, index_map_open, index_map_put, index_map_remove,
    index_map_seek)
from host.book.ladder cimport (
    LevelStore, PriceLevel, level_find_or_insert, level_remove, level_store_clear,
    level_store_close, level_store_open)
from host.book.pages cimport pages_close, pages_open

cdef enum:                     # of order_store_add()
    STORE_ADDED = 0
    STORE_DUPLICATE = 1
    STORE_NO_ORDER = 2
    STORE_NO_LEVEL = 3

cdef struct Order:             # 32 bytes, two in a cache line
    uint64_t reference
    uint32_t shares            # open
    uint32_t price
    uint32_t previous          # slot of the order ahead of it at its price, 0 for none
    uint32_t next              # slot of the order behind it; in a free slot the next free one
    uint32_t level             # number of its price level
    uint32_t side              # 2 * symbol index, + 1 for sell

cdef struct OrderStore:
    Order *pool                # slot 0 is none
    IndexMap map               # reference to slot
    LevelStore levels
    uint64_t capacity
    uint64_t count             # orders in the store
    uint32_t used              # slots that were ever taken, and slot 0
    uint32_t free              # slot that was freed last, 0 for none

cdef inline bint order_store_open(OrderStore *store, uint64_t symbols, uint64_t orders,
                                  uint64_t levels, bint prefault) noexcept nogil:
    """Make room; False when there is not so much memory, or more than can be numbered."""
    if orders < 1 or orders > <uint64_t>0x3FFFFFFF:
        return False
    store.capacity = orders
    store.count = 0
    store.used = 1
    store.free = 0
    store.pool = <Order*>pages_open((orders + 1) * sizeof(Order), prefault)
    return (store.pool != NULL and index_map_open(&store.map, orders, prefault)
            and level_store_open(&store.levels, symbols, levels, prefault))

cdef inline void order_store_close(OrderStore *store) noexcept nogil:
    """Give the memory back."""
    pages_close(store.pool, (store.capacity + 1) * sizeof(Order))
    store.pool = NULL
    index_map_close(&store.map)
    level_store_close(&store.levels)

cdef inline void order_store_clear(OrderStore *store) noexcept nogil:
    """Remove every order."""
    if store.used > 1:
        index_map_clear(&store.map)
        level_store_clear(&store.levels)
    store.count = 0
    store.used = 1
    store.free = 0

cdef inline uint32_t order_store_seek(const OrderStore *store, uint64_t reference) noexcept nogil:
    """Place of a reference in the map; its value there is the order's slot, 0 for none."""
    return index_map_seek(&store.map, reference, store.pool, sizeof(Order))

cdef inline int order_store_add(OrderStore *store, uint32_t side, uint64_t reference,
                                uint32_t shares, uint32_t price) noexcept nogil:
    """Add an order to the end of the queue at its price; STORE_*."""
    cdef uint32_t at = order_store_seek(store, reference)
    cdef uint32_t slot = store.free
    cdef uint32_t number
    cdef PriceLevel *level
    cdef Order *order
    if store.map.entries[at].value != 0:
        return STORE_DUPLICATE
    if slot == 0 and store.used > store.capacity:
        return STORE_NO_ORDER
    number = level_find_or_insert(&store.levels, side, price)
    if number == 0:
        return STORE_NO_LEVEL
    if slot != 0:
        store.free = store.pool[slot].next
    else:
        slot = store.used
        store.used += 1
    level = &store.levels.levels[number]
    order = &store.pool[slot]
    order.reference = reference
    order.shares = shares
    order.price = price
    order.previous = level.last
    order.next = 0
    order.level = number
    order.side = side
    # Without a branch: the neighbour that is not there is slot 0, where writing does no harm.
    store.pool[level.last].next = slot
    level.first = level.first if level.last else slot
    level.last = slot
    level.shares += shares
    level.orders += 1
    index_map_put(&store.map, at, reference, slot)
    store.count += 1
    return STORE_ADDED

cdef inline void order_store_remove(OrderStore *store, uint32_t at) noexcept nogil:
    """Remove the order at a place of the map that has one."""
    cdef uint32_t slot = store.map.entries[at].value
    cdef Order *order = &store.pool[slot]
    cdef PriceLevel *level = &store.levels.levels[order.level]
    # Without a branch: the neighbour that is not there is slot 0, where writing does no harm.
    store.pool[order.previous].next = order.next
    store.pool[order.next].previous = order.previous
    level.first = level.first if order.previous else order.next
    level.last = level.last if order.next else order.previous
    level.shares -= order.shares
    level.orders -= 1
    if level.orders == 0:
        level_remove(&store.levels, order.level)
    order.next = store.free
    store.free = slot
    index_map_remove(&store.map, at)
    store.count -= 1

cdef inline void order_store_reduce(OrderStore *store, uint32_t at, uint32_t shares) noexcept nogil:
    """Deduct shares from the order at a place of the map; it is removed when none are left."""
    cdef Order *order = &store.pool[store.map.entries[at].value]
    if shares >= order.shares:
        order_store_remove(store, at)
    else:
        order.shares -= shares
        store.levels.levels[order.level].shares -= shares
