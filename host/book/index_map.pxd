# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""A hash map from 64-bit keys to positions in an array whose elements hold the keys.

Open addressing with linear probing at half load or less; eight bytes an entry. Keys are spread by a
multiplication, so that nothing assumes that they are dense, and the entry after one is mostly free:
the loops below then end at their first, well predicted, test. An entry's tag gives its home, so
that removal (by moving later entries back; there are no tombstones) touches nothing but the map.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from host.book.pages cimport pages_close, pages_open

cdef extern from *:
    """
    #define tw_prefetch(p) __builtin_prefetch((p), 1, 3)
    #define tw_prefetch_read(p) __builtin_prefetch((p), 0, 3)
    """
    void prefetch_line "tw_prefetch"(const void *p) noexcept nogil       # it will be written
    void prefetch_read "tw_prefetch_read"(const void *p) noexcept nogil  # it will be read

cdef struct IndexEntry:
    uint32_t value             # position in the array, 1 or more; 0 for a free entry
    uint32_t tag               # the hash

cdef struct IndexMap:
    IndexEntry *entries
    uint64_t capacity          # entries, a power of two
    uint32_t mask
    uint32_t shift             # from tag to home

cdef inline bint index_map_open(IndexMap *map, uint64_t keys, bint prefault) noexcept nogil:
    """Room for ``keys`` keys at half load; False when there is no memory or too many keys."""
    cdef uint32_t bits = 4
    while (<uint64_t>1 << bits) < 2 * keys:
        bits += 1
    if bits > 31:
        return False
    map.capacity = <uint64_t>1 << bits
    map.mask = <uint32_t>(map.capacity - 1)
    map.shift = 32 - bits
    map.entries = <IndexEntry*>pages_open(map.capacity * sizeof(IndexEntry), prefault)
    return map.entries != NULL

cdef inline void index_map_close(IndexMap *map) noexcept nogil:
    """Give the memory back."""
    pages_close(map.entries, map.capacity * sizeof(IndexEntry))
    map.entries = NULL

cdef inline void index_map_clear(IndexMap *map) noexcept nogil:
    """Forget every key."""
    memset(map.entries, 0, map.capacity * sizeof(IndexEntry))

cdef inline uint32_t index_tag(uint64_t key) noexcept nogil:
    """What an entry keeps of its key: the high bits of a Fibonacci hash."""
    return <uint32_t>((key * <uint64_t>0x9E3779B97F4A7C15) >> 32)

cdef inline uint32_t index_home(const IndexMap *map, uint32_t tag) noexcept nogil:
    """Where the search for a tag begins."""
    return tag >> map.shift

cdef inline uint32_t index_map_seek(const IndexMap *map, uint64_t key, const void *keys,
                                    size_t stride) noexcept nogil:
    """Position of the key's entry, or of the free entry (value 0) where it belongs.

    The key of value v lies at ``keys + v * stride``.
    """
    cdef uint32_t tag = index_tag(key)
    cdef uint32_t at = index_home(map, tag)
    cdef IndexEntry entry
    while True:
        entry = map.entries[at]
        if entry.value == 0:
            return at
        if entry.tag == tag and (<const uint64_t*>(<const uint8_t*>keys
                                                   + entry.value * stride))[0] == key:
            return at
        at = (at + 1) & map.mask

cdef inline void index_map_put(IndexMap *map, uint32_t at, uint64_t key,
                               uint32_t value) noexcept nogil:
    """Fill the free entry that index_map_seek() found; the caller keeps half of the map free."""
    map.entries[at].value = value
    map.entries[at].tag = index_tag(key)

cdef inline void index_map_remove(IndexMap *map, uint32_t hole) noexcept nogil:
    """Remove the entry at a position; later entries that may move nearer to their home do."""
    cdef uint32_t at = hole
    cdef IndexEntry entry
    while True:
        at = (at + 1) & map.mask
        entry = map.entries[at]
        if entry.value == 0:
            break
        if ((at - index_home(map, entry.tag)) & map.mask) >= ((at - hole) & map.mask):
            map.entries[hole] = entry
            hole = at
    map.entries[hole].value = 0
    map.entries[hole].tag = 0

cdef inline uint32_t index_map_guess(const IndexMap *map, uint64_t key) noexcept nogil:
    """The value at a key's home if the tag is the key's, else 0: to prefetch, without a branch."""
    cdef uint32_t tag = index_tag(key)
    cdef IndexEntry entry = map.entries[index_home(map, tag)]
    return entry.value & -<uint32_t>(entry.tag == tag)

cdef inline void index_map_prefetch(const IndexMap *map, uint64_t key) noexcept nogil:
    """Bring the line of a key in."""
    prefetch_line(&map.entries[index_home(map, index_tag(key))])
