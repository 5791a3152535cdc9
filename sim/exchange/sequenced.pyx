# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The sequenced messages of one order-entry session, kept for the day.

They lie as SoupBinTCP sequenced data packets, ready to be sent from any sequence number on: a
reconnect replays them. The store survives connections; it doubles when it is full.

Source: Nasdaq SoupBinTCP 3.00, section 2.2.3.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from nic.wire.soupbintcp_codec cimport (
    SOUPBINTCP_SEQUENCED_DATA, SOUPBINTCP_SEQUENCED_DATA_LENGTH,
    SOUPBINTCP_SEQUENCED_DATA_PACKET_TYPE_OFFSET, soupbintcp_sequenced_data_packet_length,
    soupbintcp_sequenced_data_put_packet_length, soupbintcp_sequenced_data_put_packet_type)


cdef uint8_t *sequenced_reserve(SequencedBytes *store, uint32_t length) noexcept nogil:
    """Room for the next message of ``length`` bytes; fill it, then commit."""
    cdef uint64_t needed = store.used + SOUPBINTCP_SEQUENCED_DATA_LENGTH + length
    cdef void *grown
    if needed > store.capacity:
        grown = realloc(store.data, needed * 2)
        if grown is NULL:
            store.failed += 1
            return NULL
        store.data = <uint8_t *> grown
        store.capacity = needed * 2
    if store.count + 1 >= store.starts_capacity:
        grown = realloc(store.starts, store.starts_capacity * 2 * sizeof(uint64_t))
        if grown is NULL:
            store.failed += 1
            return NULL
        store.starts = <uint64_t *> grown
        store.starts_capacity *= 2
    # the length field does not count itself
    soupbintcp_sequenced_data_put_packet_length(
        store.data + store.used,
        <uint16_t> (length + SOUPBINTCP_SEQUENCED_DATA_LENGTH
                    - SOUPBINTCP_SEQUENCED_DATA_PACKET_TYPE_OFFSET))
    soupbintcp_sequenced_data_put_packet_type(store.data + store.used, SOUPBINTCP_SEQUENCED_DATA)
    return store.data + store.used + SOUPBINTCP_SEQUENCED_DATA_LENGTH


cdef void sequenced_commit(SequencedBytes *store) noexcept nogil:
    """The reserved message is complete: number it."""
    store.used += (SOUPBINTCP_SEQUENCED_DATA_PACKET_TYPE_OFFSET
                   + soupbintcp_sequenced_data_packet_length(store.data + store.used))
    store.count += 1
    store.starts[store.count] = store.used


cdef class SequencedStore:
    """Append-only packets of one session; the first has sequence number 1."""

    def __cinit__(self, uint64_t capacity=1 << 20):
        cdef SequencedBytes *store = &self.bytes_
        store.capacity = max(capacity, 1024)
        store.starts_capacity = max(capacity // 32, 64)
        store.data = <uint8_t *> malloc(store.capacity)
        store.starts = <uint64_t *> malloc(store.starts_capacity * sizeof(uint64_t))
        if not store.data or not store.starts:
            raise MemoryError()
        store.starts[0] = 0

    def __dealloc__(self):
        free(self.bytes_.data)
        free(self.bytes_.starts)

    @property
    def count(self):
        """Messages in the store; the last one's sequence number."""
        return self.bytes_.count

    def packets(self, uint64_t first, uint64_t last):
        """Packets of the sequence numbers first..last (inclusive), as one piece of bytes."""
        cdef uint64_t begin
        if first < 1 or last > self.bytes_.count or first > last:
            return b""
        begin = self.bytes_.starts[first - 1]
        return (<char *> self.bytes_.data + begin)[:self.bytes_.starts[last] - begin]

    def messages(self, uint64_t first=1):
        """The messages (payloads of the packets) from sequence number ``first`` on."""
        cdef uint64_t number, begin
        found = []
        for number in range(max(first, 1), self.bytes_.count + 1):
            begin = self.bytes_.starts[number - 1] + SOUPBINTCP_SEQUENCED_DATA_LENGTH
            found.append((<char *> self.bytes_.data + begin)[
                :self.bytes_.starts[number] - begin])
        return found
