# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""ITCH messages in, MoldUDP64 packets out, and the history that answers re-requests."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from sim.exchange.ids cimport PUBLISHER_COUNT

cdef enum:
    MAXIMUM_PAYLOAD_BYTES = 1400   # of one UDP datagram, its MoldUDP64 header included

cdef class Publisher:
    cdef uint8_t session[10]
    cdef uint8_t *history          # ring of message blocks; a block never wraps
    cdef uint64_t history_bytes
    cdef uint64_t head             # bytes ever laid into the ring, the gaps at its end included
    cdef uint64_t *places          # value of head where a message's block begins, ring by sequence
    cdef uint64_t history_messages
    cdef uint64_t first_kept
    cdef uint64_t next_number      # sequence number of the next message
    cdef uint64_t next_unsent      # first message that is in no packet yet
    cdef uint64_t unsent_bytes     # blocks of the messages that are in no packet yet
    cdef uint8_t *outbox           # packets not taken yet: length (native u32), bytes
    cdef uint64_t outbox_bytes
    cdef uint64_t outbox_used
    cdef uint64_t last_packet_ns
    cdef uint64_t now_ns
    cdef uint64_t heartbeat_ns
    cdef uint64_t counts[PUBLISHER_COUNT]
    cdef uint64_t types[256]       # messages published by type code
    cdef readonly bint ended

    cdef uint8_t *reserve(self, uint32_t length) noexcept nogil
    cdef void commit(self, uint64_t t_ns) noexcept nogil
    cdef void flush(self, uint64_t t_ns) noexcept nogil
    cdef void on_timer(self, uint64_t t_ns) noexcept nogil
    cdef void end_session(self, uint64_t t_ns) noexcept nogil
    cdef uint32_t copy_blocks(self, uint64_t first, uint32_t maximum, uint8_t *out,
                              uint32_t capacity, uint16_t *count) noexcept nogil
    cdef void write_header(self, uint8_t *out, uint64_t sequence_number,
                           uint16_t count) noexcept nogil
    cdef void _cut_packet(self) noexcept nogil
    cdef uint8_t *_outbox_room(self, uint32_t length) noexcept nogil
    cdef void _empty_packet(self, uint16_t count) noexcept nogil
