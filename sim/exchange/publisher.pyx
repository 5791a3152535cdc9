# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""ITCH messages in, MoldUDP64 packets out, and the history that answers re-requests.

Messages lie in the history as MoldUDP64 message blocks, so a packet is a header and a copy of
blocks, on the lines and in an answer alike. A packet is cut when the next message would not fit
or when the driver flushes. Both lines carry the same packets: one list serves them.

Source: Nasdaq MoldUDP64 1.00.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy
from nic.wire.moldudp64_codec cimport (
    MOLDUDP64_BLOCK_LENGTH, MOLDUDP64_HEADER_LENGTH, moldudp64_block_message_length,
    moldudp64_block_put_message_length, moldudp64_header_put_message_count,
    moldudp64_header_put_sequence_number, moldudp64_header_put_session)
from sim.exchange.ids cimport (
    PUBLISHER_BYTES, PUBLISHER_END_OF_SESSION_PACKETS, PUBLISHER_HEARTBEATS,
    PUBLISHER_HISTORY_DROPPED, PUBLISHER_MESSAGES, PUBLISHER_PACKETS)

from nic.wire.moldudp64 import END_OF_SESSION_COUNT, HEARTBEAT_COUNT, MAXIMUM_COUNT
from sim.exchange.enumerations import PUBLISHER

cdef uint16_t END_OF_SESSION = END_OF_SESSION_COUNT
cdef uint16_t HEARTBEAT = HEARTBEAT_COUNT
cdef uint32_t MOST_BLOCKS = MAXIMUM_COUNT


cdef class Publisher:
    """Numbers the messages of one session, packs them and keeps them.

    ``history_bytes`` and ``history_messages`` bound the memory: the oldest messages go first, and
    are then no longer served on request. ``heartbeat_ns`` is the silence after which a heartbeat
    with the next sequence number is sent.
    """

    def __cinit__(self, str session, uint64_t history_bytes=1 << 28,
                  uint64_t history_messages=1 << 23, uint64_t heartbeat_ns=1_000_000_000):
        cdef bytes padded = session.encode("ascii").ljust(10)
        if len(padded) != 10:
            raise ValueError(f"session name {session!r} is longer than 10 characters")
        if history_bytes < 1 << 16 or history_messages < 1 << 10:
            raise ValueError("the history needs 65,536 bytes and 1,024 messages at least")
        memcpy(self.session, <const char *> padded, 10)
        self.history_bytes = history_bytes
        self.history_messages = history_messages
        self.heartbeat_ns = heartbeat_ns
        self.outbox_bytes = 1 << 20
        self.history = <uint8_t *> malloc(history_bytes)
        self.places = <uint64_t *> malloc(history_messages * sizeof(uint64_t))
        self.outbox = <uint8_t *> malloc(self.outbox_bytes)
        if not self.history or not self.places or not self.outbox:
            raise MemoryError()
        self.first_kept = 1
        self.next_number = 1
        self.next_unsent = 1

    def __dealloc__(self):
        free(self.history)
        free(self.places)
        free(self.outbox)

    cdef uint8_t *reserve(self, uint32_t length) noexcept nogil:
        """Room for the next message of ``length`` bytes (64 at most); fill it, then commit."""
        cdef uint32_t block = MOLDUDP64_BLOCK_LENGTH + length
        cdef uint64_t position, end
        if (MOLDUDP64_HEADER_LENGTH + self.unsent_bytes + block > MAXIMUM_PAYLOAD_BYTES
                or self.next_number - self.next_unsent >= MOST_BLOCKS):
            self._cut_packet()
        position = self.head % self.history_bytes
        if position + block > self.history_bytes:
            self.head += self.history_bytes - position
        end = self.head + block
        while self.first_kept < self.next_number and (
                end - self.places[self.first_kept % self.history_messages] > self.history_bytes
                or self.next_number - self.first_kept >= self.history_messages):
            self.first_kept += 1
            self.counts[PUBLISHER_HISTORY_DROPPED] += 1
        position = self.head % self.history_bytes
        moldudp64_block_put_message_length(self.history + position, <uint16_t> length)
        return self.history + position + MOLDUDP64_BLOCK_LENGTH

    cdef void commit(self, uint64_t t_ns) noexcept nogil:
        """The reserved message is complete: number it."""
        cdef uint8_t *block = self.history + self.head % self.history_bytes
        cdef uint32_t length = moldudp64_block_message_length(block)
        self.now_ns = t_ns
        self.places[self.next_number % self.history_messages] = self.head
        self.head += MOLDUDP64_BLOCK_LENGTH + length
        self.unsent_bytes += MOLDUDP64_BLOCK_LENGTH + length
        self.next_number += 1
        self.counts[PUBLISHER_MESSAGES] += 1
        self.counts[PUBLISHER_BYTES] += length
        self.types[block[MOLDUDP64_BLOCK_LENGTH]] += 1

    cdef void flush(self, uint64_t t_ns) noexcept nogil:
        """Put what waits into a packet."""
        self.now_ns = t_ns
        if self.next_unsent < self.next_number:
            self._cut_packet()

    cdef void on_timer(self, uint64_t t_ns) noexcept nogil:
        """Flush; after a silence send a heartbeat, or the end of the session again."""
        self.flush(t_ns)
        if t_ns - self.last_packet_ns >= self.heartbeat_ns:
            self._empty_packet(END_OF_SESSION if self.ended else HEARTBEAT)

    cdef void end_session(self, uint64_t t_ns) noexcept nogil:
        """Flush and announce the end; requests are still answered."""
        self.flush(t_ns)
        self.ended = True
        self._empty_packet(END_OF_SESSION)

    cdef uint32_t copy_blocks(self, uint64_t first, uint32_t maximum, uint8_t *out,
                              uint32_t capacity, uint16_t *count) noexcept nogil:
        """Copy the blocks of up to ``maximum`` messages from ``first`` on; the bytes copied."""
        cdef uint32_t used = 0, copied = 0, size
        cdef uint64_t number = first
        cdef const uint8_t *block
        while copied < maximum and number < self.next_number and number >= self.first_kept:
            block = self.history + self.places[number % self.history_messages] % self.history_bytes
            size = MOLDUDP64_BLOCK_LENGTH + moldudp64_block_message_length(block)
            if used + size > capacity:
                break
            memcpy(out + used, block, size)
            used += size
            copied += 1
            number += 1
        count[0] = <uint16_t> copied
        return used

    cdef void write_header(self, uint8_t *out, uint64_t sequence_number,
                           uint16_t count) noexcept nogil:
        """A downstream packet header of this session."""
        moldudp64_header_put_session(out, self.session)
        moldudp64_header_put_sequence_number(out, sequence_number)
        moldudp64_header_put_message_count(out, count)

    cdef void _cut_packet(self) noexcept nogil:
        cdef uint32_t length = MOLDUDP64_HEADER_LENGTH + <uint32_t> self.unsent_bytes
        cdef uint8_t *out = self._outbox_room(length)
        cdef uint16_t count = 0
        if out is not NULL:
            self.copy_blocks(self.next_unsent, MOST_BLOCKS, out + MOLDUDP64_HEADER_LENGTH,
                             <uint32_t> self.unsent_bytes, &count)
            self.write_header(out, self.next_unsent, count)
            self.counts[PUBLISHER_PACKETS] += 1
        self.next_unsent = self.next_number
        self.unsent_bytes = 0
        self.last_packet_ns = self.now_ns

    cdef uint8_t *_outbox_room(self, uint32_t length) noexcept nogil:
        cdef uint64_t needed = self.outbox_used + sizeof(uint32_t) + length
        cdef uint8_t *grown
        if needed > self.outbox_bytes:
            # only a driver that does not take its packets gets here: that is the start of day
            grown = <uint8_t *> realloc(self.outbox, needed * 2)
            if grown is NULL:
                return NULL
            self.outbox = grown
            self.outbox_bytes = needed * 2
        memcpy(self.outbox + self.outbox_used, &length, sizeof(uint32_t))
        grown = self.outbox + self.outbox_used + sizeof(uint32_t)
        self.outbox_used = needed
        return grown

    cdef void _empty_packet(self, uint16_t count) noexcept nogil:
        cdef uint8_t *out = self._outbox_room(MOLDUDP64_HEADER_LENGTH)
        if out is NULL:
            return
        self.write_header(out, self.next_number, count)
        self.last_packet_ns = self.now_ns
        if count == END_OF_SESSION:
            self.counts[PUBLISHER_END_OF_SESSION_PACKETS] += 1
        else:
            self.counts[PUBLISHER_HEARTBEATS] += 1

    @property
    def next_sequence_number(self):
        """Sequence number that the next message will get."""
        return self.next_number

    @property
    def first_sequence_number(self):
        """Oldest message that the history still holds."""
        return self.first_kept

    @property
    def session_name(self):
        """The session, ten bytes, padded with spaces."""
        return (<char *> self.session)[:10]

    def publish(self, bytes message, uint64_t t_ns):
        """Publish one message (1 to 64 bytes) at time ``t_ns``; it waits for the next packet."""
        if not 1 <= len(message) <= 64:
            raise ValueError(f"a message of {len(message)} bytes")
        memcpy(self.reserve(<uint32_t> len(message)), <const char *> message, len(message))
        self.commit(t_ns)

    def flush_now(self, uint64_t t_ns):
        """Put what waits into a packet."""
        self.flush(t_ns)

    def timer(self, uint64_t t_ns):
        """Flush, and send a heartbeat or end of session packet when it is time."""
        self.on_timer(t_ns)

    def end(self, uint64_t t_ns):
        """Flush and announce the end of the session."""
        self.end_session(t_ns)

    def take_packets(self):
        """The packets made since the last call, in order: a list of UDP payloads."""
        cdef uint64_t at = 0
        cdef uint32_t length
        packets = []
        while at < self.outbox_used:
            memcpy(&length, self.outbox + at, sizeof(uint32_t))
            at += sizeof(uint32_t)
            packets.append((<char *> self.outbox + at)[:length])
            at += length
        self.outbox_used = 0
        return packets

    def messages(self, uint64_t first, uint64_t count):
        """Up to ``count`` messages of the history from sequence number ``first`` on."""
        cdef uint64_t number
        cdef const uint8_t *block
        found = []
        for number in range(max(first, self.first_kept), min(first + count, self.next_number)):
            block = self.history + self.places[number % self.history_messages] % self.history_bytes
            found.append((<char *> block + MOLDUDP64_BLOCK_LENGTH)[
                :moldudp64_block_message_length(block)])
        return found

    def counters(self):
        """The counters, by name."""
        return PUBLISHER.as_dict(self.counts)

    def messages_by_type(self):
        """Messages published, by type letter."""
        return {chr(code): self.types[code] for code in range(256) if self.types[code]}
