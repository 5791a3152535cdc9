# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A line's parser for the hot path: a frame in, its messages and one result out.

The specification is :mod:`nic.framing.reference`; tests hold this one against it. It decides what
``hw.line_parser`` decides, frame by frame, so it can stand beside a card and audit it.
"""

import numpy as np

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy
from nic.frame cimport frame_checksum
from nic.framing.ids cimport (
    DATAGRAM_DATA, DATAGRAM_END_OF_SESSION, DATAGRAM_HEARTBEAT, FRAMING_BAD_IP_CHECKSUM,
    FRAMING_BAD_IP_HEADER, FRAMING_BAD_UDP_LENGTH, FRAMING_BLOCK_BEYOND_DATAGRAM,
    FRAMING_COUNT_BEYOND_DATAGRAM, FRAMING_FOREIGN_SESSION, FRAMING_FRAGMENT,
    FRAMING_MESSAGE_LENGTH, FRAMING_NOT_IPV4, FRAMING_NOT_UDP, FRAMING_NOT_WANTED, FRAMING_OK,
    FRAMING_PAYLOAD_LENGTH_MISMATCH, FRAMING_SEQUENCE_OUT_OF_RANGE, FRAMING_TOO_SHORT,
    FRAMING_TRAILING_BYTES, FRAMING_TRUNCATED, FRAMING_WRONG_PROTOCOL, FRAMING_WRONG_VERSION,
    PARSER_ENDS_OF_SESSION, PARSER_FCS_ERRORS, PARSER_HEARTBEATS, PARSER_MESSAGES,
    PARSER_UNKNOWN_TYPE)
from nic.wire.byteorder cimport load_be16, load_le16
from nic.wire.iextp_codec cimport (
    IEXTP_HEADER_LENGTH, IEXTP_HEADER_SESSION_ID_OFFSET, IEXTP_MESSAGE_PROTOCOL_DEEP10,
    IEXTP_VERSION, iextp_header_first_message_sequence_number, iextp_header_message_count,
    iextp_header_message_protocol_id, iextp_header_payload_length, iextp_header_version)
from nic.wire.internet_codec cimport (
    INTERNET_ETHERNET_LENGTH, INTERNET_ETHERTYPE_IPV4, INTERNET_ETHERTYPE_VLAN,
    INTERNET_IP_PROTOCOL_UDP, INTERNET_IPV4_FRAGMENT_OFFSET_MASK, INTERNET_IPV4_LENGTH,
    INTERNET_IPV4_MORE_FRAGMENTS, INTERNET_UDP_LENGTH, INTERNET_VLAN_LENGTH,
    internet_ethernet_ethertype, internet_ipv4_destination_address,
    internet_ipv4_flags_and_fragment_offset, internet_ipv4_protocol, internet_ipv4_total_length,
    internet_ipv4_version_and_header_length, internet_udp_destination_port, internet_udp_length,
    internet_vlan_ethertype)
from nic.wire.moldudp64_codec cimport (
    MOLDUDP64_BLOCK_LENGTH, MOLDUDP64_END_OF_SESSION_COUNT,
    MOLDUDP64_HEADER_SESSION_OFFSET, MOLDUDP64_HEARTBEAT_COUNT, moldudp64_header_message_count,
    moldudp64_header_sequence_number)

from nic.framing.enumerations import DATAGRAM, FRAMING, PARSER
from nic.framing.feed_format import FEEDS, IEX, LARGEST_SEQUENCE_NUMBER
from nic.framing.reference import ParsedDatagram, ParsedFrame, ParsedMessage

cdef enum:
    PREFIX = MOLDUDP64_BLOCK_LENGTH      # IEX-TP has the same, little-endian
    LARGEST_PACKET = 0xFFFF              # what an IP total length can say

cdef uint64_t LARGEST_SEQUENCE = LARGEST_SEQUENCE_NUMBER


cdef class LineParser:
    """One line's parser; ``settings`` is a :class:`nic.framing.reference.LineSettings`.

    Raises ``ValueError`` for a feed that is not in ``FEEDS``.
    """

    def __cinit__(self, settings not None):
        cdef bytes session = settings.session
        feed = settings.feed
        if FEEDS.get(feed.name) is not feed:
            raise ValueError(f"{feed.name} is not one of {', '.join(FEEDS)}")
        self.settings = settings
        self.is_iextp = feed is IEX
        for code, length in feed.lengths_bytes.items():
            self.known_lengths[code] = length
        self.shortest = feed.shortest_bytes
        self.longest = feed.longest_bytes
        self.type_offset = feed.messages.type_offset
        self.header_length = feed.header.length
        self.destination_address = settings.destination_address
        self.destination_port = settings.destination_port
        self.session_length = len(session)
        memcpy(self.session, <const uint8_t *> session, len(session))
        self.messages = <FramedMessage *> calloc(
            LARGEST_PACKET // (PREFIX + self.shortest), sizeof(FramedMessage))
        if self.messages is NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.messages)

    cdef int parse(self, const uint8_t *frame, uint32_t length, bint error) noexcept nogil:
        cdef int result
        self.message_count = 0
        self.has_datagram = False
        result = self._headers(frame, length)
        self.counts[result] += 1
        self.counts[PARSER_MESSAGES] += self.message_count
        self.counts[PARSER_FCS_ERRORS] += error
        return result

    cdef int _headers(self, const uint8_t *frame, uint32_t length) noexcept nogil:
        """Ethernet, IPv4 and UDP; ``at`` is the place of the header that is looked at."""
        cdef uint32_t at = INTERNET_ETHERNET_LENGTH
        cdef uint32_t header_length, total_length, udp_length, end
        cdef uint16_t ethertype
        cdef const uint8_t *ip
        cdef int result
        if length < at:
            return FRAMING_TRUNCATED
        ethertype = internet_ethernet_ethertype(frame)
        if ethertype == INTERNET_ETHERTYPE_VLAN:
            if length < at + INTERNET_VLAN_LENGTH:
                return FRAMING_TRUNCATED
            ethertype = internet_vlan_ethertype(frame + at)
            at += INTERNET_VLAN_LENGTH
        if ethertype != INTERNET_ETHERTYPE_IPV4:
            return FRAMING_NOT_IPV4
        if length < at + INTERNET_IPV4_LENGTH:
            return FRAMING_TRUNCATED
        ip = frame + at
        if internet_ipv4_version_and_header_length(ip) >> 4 != 4:
            return FRAMING_NOT_IPV4
        header_length = (internet_ipv4_version_and_header_length(ip) & 0x0F) << 2
        total_length = internet_ipv4_total_length(ip)
        if header_length < INTERNET_IPV4_LENGTH or header_length > total_length:
            return FRAMING_BAD_IP_HEADER
        if length < at + header_length:
            return FRAMING_TRUNCATED
        if frame_checksum(ip, header_length) != 0:
            return FRAMING_BAD_IP_CHECKSUM
        if internet_ipv4_flags_and_fragment_offset(ip) & (
                INTERNET_IPV4_MORE_FRAGMENTS | INTERNET_IPV4_FRAGMENT_OFFSET_MASK):
            return FRAMING_FRAGMENT
        if internet_ipv4_protocol(ip) != INTERNET_IP_PROTOCOL_UDP:
            return FRAMING_NOT_UDP
        end = at + total_length
        at += header_length
        if length < at + INTERNET_UDP_LENGTH:
            return FRAMING_TRUNCATED
        udp_length = internet_udp_length(frame + at)
        if udp_length < INTERNET_UDP_LENGTH or udp_length > total_length - header_length:
            return FRAMING_BAD_UDP_LENGTH
        if (internet_ipv4_destination_address(ip) != self.destination_address
                or internet_udp_destination_port(frame + at) != self.destination_port):
            return FRAMING_NOT_WANTED
        at += INTERNET_UDP_LENGTH
        udp_length -= INTERNET_UDP_LENGTH
        result = self._transport(frame, at, min(length - at, udp_length), udp_length)
        if result == FRAMING_OK and length < end:
            return FRAMING_TRUNCATED
        return result

    cdef int _transport(self, const uint8_t *frame, uint32_t start, uint32_t there,
                        uint32_t length) noexcept nogil:
        """A datagram of ``length`` bytes at ``start``, of which the frame holds ``there``."""
        cdef int result
        if length < self.header_length:
            return FRAMING_TOO_SHORT
        if there < self.header_length:
            return FRAMING_TRUNCATED
        if self.is_iextp:
            result = self._accept_iextp(frame + start, length)
        else:
            result = self._accept_moldudp64(frame + start)
        if result != FRAMING_OK:
            return result
        self.has_datagram = True
        if self.datagram.kind == DATAGRAM_HEARTBEAT:
            self.counts[PARSER_HEARTBEATS] += 1
        elif self.datagram.kind == DATAGRAM_END_OF_SESSION:
            self.counts[PARSER_ENDS_OF_SESSION] += 1
        return self._blocks(frame, start, there, length)

    cdef int _accept_moldudp64(self, const uint8_t *header) noexcept nogil:
        """FRAMING_OK and ``datagram``, or why the header is not accepted."""
        cdef uint32_t count = moldudp64_header_message_count(header)
        if self.session_length and memcmp(header + MOLDUDP64_HEADER_SESSION_OFFSET, self.session,
                                          self.session_length) != 0:
            return FRAMING_FOREIGN_SESSION
        self.datagram.sequence_number = moldudp64_header_sequence_number(header)
        if not 0 < self.datagram.sequence_number <= LARGEST_SEQUENCE:
            return FRAMING_SEQUENCE_OUT_OF_RANGE
        self.datagram.kind = DATAGRAM_DATA
        if count == MOLDUDP64_HEARTBEAT_COUNT:
            self.datagram.kind = DATAGRAM_HEARTBEAT
        elif count == MOLDUDP64_END_OF_SESSION_COUNT:
            self.datagram.kind = DATAGRAM_END_OF_SESSION
            count = 0
        self.datagram.count = count
        return FRAMING_OK

    cdef int _accept_iextp(self, const uint8_t *header, uint32_t length) noexcept nogil:
        """The same of a segment of ``length`` bytes."""
        if iextp_header_version(header) != IEXTP_VERSION:
            return FRAMING_WRONG_VERSION
        if iextp_header_message_protocol_id(header) != IEXTP_MESSAGE_PROTOCOL_DEEP10:
            return FRAMING_WRONG_PROTOCOL
        if iextp_header_payload_length(header) != length - IEXTP_HEADER_LENGTH:
            return FRAMING_PAYLOAD_LENGTH_MISMATCH
        if self.session_length and memcmp(header + IEXTP_HEADER_SESSION_ID_OFFSET, self.session,
                                          self.session_length) != 0:
            return FRAMING_FOREIGN_SESSION
        # Signed on the wire: what is negative there is too large here.
        self.datagram.sequence_number = <uint64_t> iextp_header_first_message_sequence_number(
            header)
        if not 0 < self.datagram.sequence_number <= LARGEST_SEQUENCE:
            return FRAMING_SEQUENCE_OUT_OF_RANGE
        self.datagram.count = iextp_header_message_count(header)
        self.datagram.kind = DATAGRAM_DATA if self.datagram.count else DATAGRAM_HEARTBEAT
        return FRAMING_OK

    cdef int _blocks(self, const uint8_t *frame, uint32_t start, uint32_t there,
                     uint32_t length) noexcept nogil:
        """The messages behind the transport header, into ``messages``."""
        cdef const uint8_t *data = frame + start
        cdef uint32_t at = self.header_length, index, size, known
        cdef FramedMessage *message
        for index in range(self.datagram.count):
            if length - at < PREFIX:
                return FRAMING_COUNT_BEYOND_DATAGRAM
            if at + PREFIX > there:
                return FRAMING_TRUNCATED
            size = load_le16(data + at) if self.is_iextp else load_be16(data + at)
            at += PREFIX
            if not self.shortest <= size <= self.longest:
                return FRAMING_MESSAGE_LENGTH
            if size > length - at:
                return FRAMING_BLOCK_BEYOND_DATAGRAM
            if at + self.type_offset >= there:
                return FRAMING_TRUNCATED
            known = self.known_lengths[data[at + self.type_offset]]
            if known and known != size:
                return FRAMING_MESSAGE_LENGTH
            if at + size > there:
                return FRAMING_TRUNCATED
            message = self.messages + self.message_count
            message.message = data + at
            message.sequence_number = self.datagram.sequence_number + index
            message.last_byte = start + at + size - 1
            message.length = <uint16_t> size
            self.message_count += 1
            if not known:
                self.counts[PARSER_UNKNOWN_TYPE] += 1
            at += size
        return FRAMING_OK if at == length else FRAMING_TRAILING_BYTES

    @property
    def counters(self):
        """Every counter of ``FRAMING`` and ``PARSER`` by its name."""
        return FRAMING.as_dict(self.counts) | PARSER.as_dict(self.counts)

    def frame(self, const uint8_t[::1] frame not None, bint error=False):
        """Take a frame apart; ``error``: the MAC found its check sequence wrong.

        A :class:`nic.framing.reference.ParsedFrame`.
        """
        cdef const uint8_t *data = &frame[0] if frame.shape[0] else NULL
        cdef int result = self.parse(data, <uint32_t> frame.shape[0], error)
        cdef uint32_t i
        datagram = None
        if self.has_datagram:
            datagram = ParsedDatagram(self.datagram.sequence_number, self.datagram.count,
                                      DATAGRAM.name_of(self.datagram.kind))
        messages = [
            ParsedMessage(self.messages[i].sequence_number,
                          <bytes> self.messages[i].message[:self.messages[i].length],
                          self.messages[i].last_byte)
            for i in range(self.message_count)
        ]
        return ParsedFrame(FRAMING.name_of(result), datagram, messages)

    def frames(self, const uint8_t[::1] data not None, const uint32_t[::1] lengths not None,
               const uint8_t[::1] errors=None):
        """Take many frames apart that lie one behind the other in ``data``.

        ``lengths``: bytes of each; ``errors``: 1 where the check sequence is wrong. Raises
        ``ValueError`` where the three do not fit together. Arrays by name. One row per frame:
        ``result`` (values of ``FRAMING``). One per accepted header: ``datagram_frame``,
        ``datagram_sequence_number``, ``datagram_count``, ``datagram_kind`` (values of
        ``DATAGRAM``). One per message: ``frame``, ``sequence_number``, ``length``, ``last_byte``
        (place in its frame) and ``message`` (the longest length wide, zeros behind it).
        """
        cdef Py_ssize_t count = lengths.shape[0], i, at = 0, found = 0, headers = 0
        cdef Py_ssize_t room = data.shape[0] // (PREFIX + self.shortest) + 1
        cdef uint32_t j
        if int(np.sum(lengths, dtype=np.uint64)) != data.shape[0]:
            raise ValueError("the lengths do not add up to the data")
        if errors is not None and errors.shape[0] != count:
            raise ValueError("as many errors as frames, or none")
        result_array = np.zeros(count, np.uint8)
        header_arrays = [np.zeros(count, kind) for kind in (np.uint32, np.uint64, np.uint16,
                                                            np.uint8)]
        message_arrays = [np.zeros(room, kind) for kind in (np.uint32, np.uint64, np.uint16,
                                                            np.uint32)]
        rows_array = np.zeros((room, self.longest), np.uint8)
        cdef uint8_t[::1] results = result_array
        cdef uint32_t[::1] header_frames = header_arrays[0]
        cdef uint64_t[::1] header_numbers = header_arrays[1]
        cdef uint16_t[::1] header_counts = header_arrays[2]
        cdef uint8_t[::1] header_kinds = header_arrays[3]
        cdef uint32_t[::1] frames = message_arrays[0]
        cdef uint64_t[::1] numbers = message_arrays[1]
        cdef uint16_t[::1] sizes = message_arrays[2]
        cdef uint32_t[::1] places = message_arrays[3]
        cdef uint8_t[:, ::1] rows = rows_array
        with nogil:
            for i in range(count):
                results[i] = <uint8_t> self.parse(&data[0] + at if lengths[i] else NULL,
                                                  lengths[i], errors is not None and errors[i])
                at += lengths[i]
                if self.has_datagram:
                    header_frames[headers] = <uint32_t> i
                    header_numbers[headers] = self.datagram.sequence_number
                    header_counts[headers] = <uint16_t> self.datagram.count
                    header_kinds[headers] = <uint8_t> self.datagram.kind
                    headers += 1
                for j in range(self.message_count):
                    frames[found] = <uint32_t> i
                    numbers[found] = self.messages[j].sequence_number
                    sizes[found] = self.messages[j].length
                    places[found] = self.messages[j].last_byte
                    memcpy(&rows[found, 0], self.messages[j].message, self.messages[j].length)
                    found += 1
        header_names = ("datagram_frame", "datagram_sequence_number", "datagram_count",
                        "datagram_kind")
        message_names = ("frame", "sequence_number", "length", "last_byte")
        return {
            "result": result_array,
            **{name: array[:headers] for name, array in zip(header_names, header_arrays)},
            **{name: array[:found] for name, array in zip(message_names, message_arrays)},
            "message": rows_array[:found],
        }
