# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Frames through a card's lines, and every event held against the host's own parse."""

from cpython.ref cimport PyObject
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from host.risk.gate cimport RiskGate
from nic.framing.arbiter cimport LineArbiter
from nic.framing.parser cimport FramedMessage, LineParser
from nic.offload.record_stream cimport RecordStream
from sim.gateware.card_model cimport GatewareDevice
from sim.offload.ids cimport FEED_PATH_COUNT

cdef enum:
    MOST_MESSAGES = 1 << 12        # of a frame


cdef class FeedAudit:
    cdef readonly object card              # nic.offload.card.Card
    cdef GatewareDevice device
    cdef RecordStream stream
    cdef LineParser parser_a, parser_b
    cdef PyObject *parsers[2]              # the same, by line
    cdef LineArbiter arbiter
    cdef RiskGate gate                     # is told of a difference; None without one
    cdef uint64_t counts[FEED_PATH_COUNT]
    cdef readonly int difference           # EVENT_DIFFERENCE_*; the first, then nothing is compared
    cdef uint64_t difference_number        # its sequence number
    cdef int difference_line
    cdef readonly uint64_t busy_ticks      # of the time stamp counter, spent in the card
    cdef const FramedMessage *messages[MOST_MESSAGES]  # of the last frame: those that are events
    cdef uint8_t *bytes                    # their bytes as the card has them, one slot each
    cdef uint32_t count

    cdef bint has_datagram                 # the last frame had an accepted transport header
    cdef int datagram_kind                 # DATAGRAM_* of it

    # Bring a frame on a line; ``messages`` are then its events.
    cdef void bring(self, int line, const uint8_t *frame, uint32_t length) noexcept nogil
    # The bytes of an event of the last frame.
    cdef const uint8_t *message(self, uint32_t index) noexcept nogil
    cdef void count_one(self, int counter) noexcept nogil
    cdef void expect(self, int line, uint8_t *kinds) noexcept nogil
    cdef int compare(self, int line, uint32_t index, uint8_t kind) noexcept nogil
    cdef void differ(self, int difference, int line, uint64_t sequence_number) noexcept nogil
    cdef const uint8_t *event(self) noexcept nogil
