# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Price levels: for each side of each symbol a sorted array, best price last.

A change is mostly near the best price, so searches begin at the end of the array and insertions
move little. The arrays hold a key that grows towards the better price, and the number of the level;
what is known of the level stands in a pool under that number, which stays the same while the level
lives, so that an order can point at its level. Entry 0 is a sentinel, worse than every price, of
level 0, which has price and shares 0: the best entry of a side without levels is that. Arrays come
from one arena, in sizes of powers of two; nothing is allocated after opening.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset
from host.book.pages cimport pages_close, pages_open

cdef enum:
    LEVEL_BITS = 24            # of an array entry that number the level
    KEY_BITS = 40              # of an array entry that hold the price key
    SHORTEST_LADDER_BITS = 4   # 16 entries
    NEAR = 16                  # best entries that a search looks at first

cdef extern from *:
    """
    #define TW_KEY_LIMIT (((int64_t)1 << 40) - 1)
    """
    const int64_t KEY_LIMIT "TW_KEY_LIMIT"     # prices are below: 109,951,162.7775

cdef struct PriceLevel:
    int64_t price
    uint64_t shares
    uint32_t orders
    uint32_t first             # slot of the first order in the queue; in a free level the next
    uint32_t last              # slot of the last
    uint32_t side              # 2 * symbol index, + 1 for sell

cdef struct Ladder:            # one side of one symbol
    uint64_t *entries          # key << LEVEL_BITS | level, ascending
    uint32_t count             # entries, with the sentinel; 0 while there is no array
    uint32_t bits              # log2 of the room; 0 while there is no array

cdef struct LevelStore:
    Ladder *ladders            # by side number
    PriceLevel *levels         # number 0 is none
    uint64_t *arena
    uint64_t side_count
    uint64_t level_capacity
    uint64_t arena_capacity
    uint64_t arena_used
    uint32_t level_used
    uint32_t level_free
    uint64_t *arena_free[40]   # arrays given back, by log2 of their size; the first word links

cdef inline bint level_store_open(LevelStore *store, uint64_t symbols, uint64_t levels,
                                  bint prefault) noexcept nogil:
    """Room for ``levels`` price levels over both sides of ``symbols`` symbols; False for none."""
    if levels < 1 or levels >= (<uint64_t>1 << LEVEL_BITS):
        return False
    memset(store, 0, sizeof(LevelStore))
    store.side_count = 2 * symbols
    store.level_capacity = levels
    # An array is at most twice its entries, and the shorter ones that it grew out of are together
    # at most as long as it is.
    store.arena_capacity = 4 * levels + (store.side_count << SHORTEST_LADDER_BITS)
    store.level_used = 1
    store.ladders = <Ladder*>pages_open(store.side_count * sizeof(Ladder), prefault)
    store.levels = <PriceLevel*>pages_open((levels + 1) * sizeof(PriceLevel), prefault)
    store.arena = <uint64_t*>pages_open(store.arena_capacity * sizeof(uint64_t), prefault)
    return store.ladders != NULL and store.levels != NULL and store.arena != NULL

cdef inline void level_store_close(LevelStore *store) noexcept nogil:
    """Give the memory back."""
    pages_close(store.ladders, store.side_count * sizeof(Ladder))
    pages_close(store.levels, (store.level_capacity + 1) * sizeof(PriceLevel))
    pages_close(store.arena, store.arena_capacity * sizeof(uint64_t))
    store.ladders = NULL
    store.levels = NULL
    store.arena = NULL

cdef inline void level_store_clear(LevelStore *store) noexcept nogil:
    """Empty every ladder."""
    memset(store.ladders, 0, store.side_count * sizeof(Ladder))
    memset(store.arena_free, 0, sizeof(store.arena_free))
    store.arena_used = 0
    store.level_used = 1
    store.level_free = 0

cdef inline uint64_t ladder_key(uint32_t side, int64_t price) noexcept nogil:
    """The key of a price from 1 to below KEY_LIMIT: the better for the side, the greater."""
    return <uint64_t>price ^ (<uint64_t>KEY_LIMIT & (0 - <uint64_t>(side & 1)))

cdef inline uint32_t ladder_level(uint64_t entry) noexcept nogil:
    """The level's number in an array entry."""
    return <uint32_t>entry & ((<uint32_t>1 << LEVEL_BITS) - 1)

cdef inline uint32_t ladder_position(const Ladder *ladder, uint64_t key) noexcept nogil:
    """Number of entries worse than the key: where it is, or belongs. The ladder has an array."""
    cdef const uint64_t *entries = ladder.entries
    cdef uint64_t target = key << LEVEL_BITS
    cdef uint32_t at = ladder.count
    cdef uint32_t low, half
    cdef int i
    if at < NEAR:
        # The sentinel is below every target and ends the loop.
        while entries[at - 1] >= target:
            at -= 1
        return at
    # Mostly the place is among the best; counting them all is cheaper than a mispredicted branch.
    low = at - NEAR
    at = low
    for i in range(NEAR):
        at += entries[low + i] < target
    if at > low:
        return at
    at = 0
    while low > 1:
        half = low >> 1
        at += half if entries[at + half - 1] < target else 0
        low -= half
    return at + (entries[at] < target)

cdef inline uint64_t *arena_take(LevelStore *store, uint32_t bits) noexcept nogil:
    """An array of ``1 << bits`` entries, NULL when the arena has none."""
    cdef uint64_t *array = store.arena_free[bits]
    if array != NULL:
        store.arena_free[bits] = (<uint64_t**>array)[0]
        return array
    if store.arena_used + (<uint64_t>1 << bits) > store.arena_capacity:
        return NULL
    array = store.arena + store.arena_used
    store.arena_used += <uint64_t>1 << bits
    return array

cdef inline bint ladder_grow(LevelStore *store, Ladder *ladder) noexcept nogil:
    """Give a ladder its first array, or one of twice the room; False when the arena has none."""
    cdef uint32_t bits = ladder.bits + 1 if ladder.bits else SHORTEST_LADDER_BITS
    cdef uint64_t *array = arena_take(store, bits)
    if array == NULL:
        return False
    if ladder.bits:
        memcpy(array, ladder.entries, ladder.count * sizeof(uint64_t))
        (<uint64_t**>ladder.entries)[0] = store.arena_free[ladder.bits]
        store.arena_free[ladder.bits] = ladder.entries
    else:
        array[0] = 0
        ladder.count = 1
    ladder.entries = array
    ladder.bits = bits
    return True

cdef inline uint32_t level_find_or_insert(LevelStore *store, uint32_t side,
                                          int64_t price) noexcept nogil:
    """Number of the level at a price from 1 to below KEY_LIMIT, made if need be; 0 for no room."""
    cdef Ladder *ladder = &store.ladders[side]
    cdef uint64_t key = ladder_key(side, price)
    cdef uint32_t position, number
    cdef PriceLevel *level
    if ladder.bits == 0 and not ladder_grow(store, ladder):
        return 0
    position = ladder_position(ladder, key)
    if position < ladder.count and ladder.entries[position] >> LEVEL_BITS == key:
        return ladder_level(ladder.entries[position])
    number = store.level_free
    if number == 0 and store.level_used > store.level_capacity:
        return 0
    if ladder.count >> ladder.bits and not ladder_grow(store, ladder):
        return 0
    if number != 0:
        store.level_free = store.levels[number].first
    else:
        number = store.level_used
        store.level_used += 1
    memmove(ladder.entries + position + 1, ladder.entries + position,
            (ladder.count - position) * sizeof(uint64_t))
    ladder.entries[position] = key << LEVEL_BITS | number
    ladder.count += 1
    level = &store.levels[number]
    level.price = price
    level.shares = 0
    level.orders = 0
    level.first = 0
    level.last = 0
    level.side = side
    return number

cdef inline uint32_t level_find(const LevelStore *store, uint32_t side,
                                int64_t price) noexcept nogil:
    """Number of the level at a price from 1 to below KEY_LIMIT, 0 for none."""
    cdef const Ladder *ladder = &store.ladders[side]
    cdef uint64_t key = ladder_key(side, price)
    cdef uint32_t position
    if ladder.bits == 0:
        return 0
    position = ladder_position(ladder, key)
    if position < ladder.count and ladder.entries[position] >> LEVEL_BITS == key:
        return ladder_level(ladder.entries[position])
    return 0

cdef inline void level_remove(LevelStore *store, uint32_t number) noexcept nogil:
    """Take a level out of its ladder and give its number back."""
    cdef PriceLevel *level = &store.levels[number]
    cdef Ladder *ladder = &store.ladders[level.side]
    cdef uint32_t position = ladder_position(ladder, ladder_key(level.side, level.price))
    ladder.count -= 1
    memmove(ladder.entries + position, ladder.entries + position + 1,
            (ladder.count - position) * sizeof(uint64_t))
    level.first = store.level_free
    store.level_free = number

cdef inline PriceLevel *ladder_best(const LevelStore *store, uint32_t side) noexcept nogil:
    """The best level of a side; level 0, with price and shares 0, when it is empty."""
    cdef const Ladder *ladder = &store.ladders[side]
    if ladder.bits == 0:
        return &store.levels[0]
    return &store.levels[ladder_level(ladder.entries[ladder.count - 1])]

cdef inline uint32_t ladder_levels(const Ladder *ladder) noexcept nogil:
    """How many levels a side has."""
    return ladder.count - 1 if ladder.count else 0
