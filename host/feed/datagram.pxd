# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Takes a datagram of either transport apart into one normalised struct, and walks its blocks.

Sources: Nasdaq MoldUDP64 1.00, sections Downstream Packet Header and Message Block; IEX Transport
1.26, section Outbound Segment. Both functions answer 0, or the number of the ``FEED`` counter that
names what is wrong; they never read past ``length``.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.feed.ids cimport (
    DATAGRAM_DATA, DATAGRAM_END_OF_SESSION, DATAGRAM_HEARTBEAT, FEED_BLOCK_BEYOND_DATAGRAM,
    FEED_COUNT_BEYOND_DATAGRAM, FEED_PAYLOAD_LENGTH_MISMATCH, FEED_SEQUENCE_OUT_OF_RANGE,
    FEED_TOO_SHORT, FEED_TRAILING_BYTES, FEED_WRONG_PROTOCOL, FEED_WRONG_VERSION)
from host.interfaces cimport MessageSink
from nic.wire.byteorder cimport load_be16, load_le16, load_le64
from nic.wire.iextp_codec cimport (
    IEXTP_HEADER_LENGTH, IEXTP_VERSION, iextp_header_channel_id,
    iextp_header_first_message_sequence_number, iextp_header_message_count,
    iextp_header_message_protocol_id, iextp_header_payload_length, iextp_header_send_time,
    iextp_header_session_id, iextp_header_stream_offset, iextp_header_version)
from nic.wire.moldudp64_codec cimport (
    MOLDUDP64_BLOCK_LENGTH, MOLDUDP64_END_OF_SESSION_COUNT, MOLDUDP64_HEADER_LENGTH,
    MOLDUDP64_HEARTBEAT_COUNT, moldudp64_header_message_count, moldudp64_header_sequence_number,
    moldudp64_header_session)

cdef enum:
    BLOCK_PREFIX = MOLDUDP64_BLOCK_LENGTH    # IEX-TP has the same, little-endian
    LARGEST_COUNT = 0xFFFF                   # of a two-byte message count

cdef extern from *:
    """
    #define TICKWIRE_LARGEST_SEQUENCE ((uint64_t) INT64_MAX - 0x10000)
    """
    const uint64_t TICKWIRE_LARGEST_SEQUENCE

cdef struct Datagram:
    const uint8_t *blocks     # the first message block
    uint64_t session_low      # MoldUDP64: session bytes 0 to 7; IEX-TP: session id
    uint64_t session_high     # MoldUDP64: session bytes 8 and 9; IEX-TP: channel id
    uint64_t sequence_number  # of the first message, or of the next one
    uint64_t next             # sequence number after the last message
    int64_t stream_offset     # IEX-TP only, as is the send time
    int64_t send_time_ns
    uint32_t length           # bytes at blocks
    uint32_t count            # message blocks
    int kind                  # DATAGRAM_*

cdef inline int parse_moldudp64(const uint8_t *payload, uint32_t length,
                                Datagram *out) noexcept nogil:
    """The header of a MoldUDP64 packet."""
    cdef uint32_t count
    if length < MOLDUDP64_HEADER_LENGTH:
        return FEED_TOO_SHORT
    out.session_low = load_le64(moldudp64_header_session(payload))
    out.session_high = load_le16(moldudp64_header_session(payload) + 8)
    out.sequence_number = moldudp64_header_sequence_number(payload)
    count = moldudp64_header_message_count(payload)
    out.kind = DATAGRAM_DATA
    if count == MOLDUDP64_HEARTBEAT_COUNT:
        out.kind = DATAGRAM_HEARTBEAT
    elif count == MOLDUDP64_END_OF_SESSION_COUNT:
        out.kind = DATAGRAM_END_OF_SESSION
        count = 0
    out.count = count
    out.next = out.sequence_number + count
    out.blocks = payload + MOLDUDP64_HEADER_LENGTH
    out.length = length - MOLDUDP64_HEADER_LENGTH
    out.stream_offset = 0
    out.send_time_ns = 0
    return 0

cdef inline int parse_iextp(const uint8_t *payload, uint32_t length, uint16_t message_protocol_id,
                            Datagram *out) noexcept nogil:
    """The header of an IEX-TP segment that must carry the given message protocol."""
    if length < IEXTP_HEADER_LENGTH:
        return FEED_TOO_SHORT
    if iextp_header_version(payload) != IEXTP_VERSION:
        return FEED_WRONG_VERSION
    if iextp_header_message_protocol_id(payload) != message_protocol_id:
        return FEED_WRONG_PROTOCOL
    out.session_low = iextp_header_session_id(payload)
    out.session_high = iextp_header_channel_id(payload)
    out.sequence_number = <uint64_t> iextp_header_first_message_sequence_number(payload)
    out.count = iextp_header_message_count(payload)
    out.next = out.sequence_number + out.count
    out.length = iextp_header_payload_length(payload)
    out.blocks = payload + IEXTP_HEADER_LENGTH
    out.kind = DATAGRAM_DATA if out.count else DATAGRAM_HEARTBEAT
    out.stream_offset = iextp_header_stream_offset(payload)
    out.send_time_ns = iextp_header_send_time(payload)
    if IEXTP_HEADER_LENGTH + out.length < length:
        return FEED_TRAILING_BYTES
    if IEXTP_HEADER_LENGTH + out.length > length or (out.count == 0 and out.length != 0):
        return FEED_PAYLOAD_LENGTH_MISMATCH
    return 0

cdef inline uint32_t block_length(const uint8_t *block, bint big_endian) noexcept nogil:
    """Length of the message in a block, without its prefix."""
    return load_be16(block) if big_endian else load_le16(block)

cdef inline int check_blocks(const Datagram *datagram, bint big_endian, MessageSink sink,
                             bint wanted, uint32_t *ends) noexcept nogil:
    """Whether the blocks fill the datagram exactly, and the sequence number can be.

    Where each block ends (bytes from the first one) is left in ``ends``, so that nobody has to
    follow the chain of lengths again. Where the datagram is ``wanted`` the sink is told of each
    message on the way, so that its cache misses overlap; a hint may be about a datagram that turns
    out malformed at its end.
    """
    cdef uint32_t at = 0, i, size
    if not 0 < datagram.sequence_number <= TICKWIRE_LARGEST_SEQUENCE:
        return FEED_SEQUENCE_OUT_OF_RANGE
    for i in range(datagram.count):
        if datagram.length - at < BLOCK_PREFIX:
            return FEED_COUNT_BEYOND_DATAGRAM
        size = block_length(datagram.blocks + at, big_endian)
        at += BLOCK_PREFIX
        if datagram.length - at < size:
            return FEED_BLOCK_BEYOND_DATAGRAM
        if wanted:
            sink.prefetch(datagram.blocks + at, size)
        at += size
        ends[i] = at
    if at != datagram.length:
        return FEED_TRAILING_BYTES
    return 0

cdef inline void index_blocks(MessageSink sink, const uint8_t *blocks, uint32_t count,
                              bint big_endian, uint32_t *ends) noexcept nogil:
    """The same for wanted blocks that were checked before."""
    cdef uint32_t at = 0, i, size
    for i in range(count):
        size = block_length(blocks + at, big_endian)
        sink.prefetch(blocks + at + BLOCK_PREFIX, size)
        at += BLOCK_PREFIX + size
        ends[i] = at
