# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A line's parser for the hot path: a frame in, its messages and one result out."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from nic.framing.ids cimport PARSER_COUNT

cdef enum:
    TYPE_CODES = 256

cdef struct FramedMessage:         # a message of a known type and that type's length
    const uint8_t *message         # inside the frame
    uint64_t sequence_number
    uint32_t last_byte             # place of its last byte in the frame
    uint16_t length

cdef struct FramedDatagram:        # a transport header that was accepted
    uint64_t sequence_number       # of its first message, or of the next one to come
    uint32_t count                 # messages; of a heartbeat or an end of session 0
    int kind                       # DATAGRAM_*


cdef class LineParser:
    cdef readonly object settings          # nic.framing.reference.LineSettings
    cdef uint64_t counts[PARSER_COUNT]     # by FRAMING_* and PARSER_*
    cdef FramedMessage *messages           # of the last frame
    cdef uint32_t message_count
    cdef FramedDatagram datagram           # of the last frame
    cdef bint has_datagram
    cdef uint8_t known_lengths[TYPE_CODES]   # by type code, 0 where there is no such type
    cdef uint32_t shortest, longest, type_offset, header_length
    cdef uint32_t destination_address, session_length
    cdef uint16_t destination_port
    cdef uint8_t session[16]
    cdef bint is_iextp

    # FRAMING_* of a frame; its messages stand in ``messages`` until the next.
    cdef int parse(self, const uint8_t *frame, uint32_t length, bint error) noexcept nogil
    cdef int _headers(self, const uint8_t *frame, uint32_t length) noexcept nogil
    cdef int _transport(self, const uint8_t *frame, uint32_t start, uint32_t there,
                        uint32_t length) noexcept nogil
    cdef int _accept_moldudp64(self, const uint8_t *header) noexcept nogil
    cdef int _accept_iextp(self, const uint8_t *header, uint32_t length) noexcept nogil
    cdef int _blocks(self, const uint8_t *frame, uint32_t start, uint32_t there,
                     uint32_t length) noexcept nogil
