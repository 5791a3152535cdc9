# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""A TCP segment in its frame: Ethernet II, at most one 802.1Q tag, IPv4, TCP, time stamps option.

Sources: IEEE 802.3-2022 clause 3, IEEE 802.1Q-2022 clause 9, RFC 791 section 3.1, RFC 9293
section 3.1, RFC 7323 section 3.2 and appendix A (layout of the option), RFC 1071 (checksum).
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from nic.frame cimport frame_checksum, frame_fold, frame_sum
from nic.wire.byteorder cimport store_le16
from nic.wire.internet_codec cimport (
    INTERNET_ETHERNET_LENGTH, INTERNET_ETHERTYPE_IPV4, INTERNET_ETHERTYPE_VLAN,
    INTERNET_IP_PROTOCOL_TCP, INTERNET_IPV4_DONT_FRAGMENT, INTERNET_IPV4_HEADER_CHECKSUM_OFFSET,
    INTERNET_IPV4_LENGTH, INTERNET_IPV4_SOURCE_ADDRESS_OFFSET, INTERNET_TCP_ACK,
    INTERNET_TCP_CHECKSUM_OFFSET, INTERNET_TCP_LENGTH, INTERNET_TCP_OPTION_TIMESTAMPS,
    INTERNET_TCP_PSH, INTERNET_TCP_TIMESTAMPS_KIND_OFFSET, INTERNET_TCP_TIMESTAMPS_LENGTH,
    INTERNET_TCP_TWO_NO_OPERATIONS, INTERNET_VLAN_IDENTIFIER_MASK, INTERNET_VLAN_LENGTH,
    InternetEthernet, InternetIpv4, InternetTcp, InternetTcpTimestamps,
    internet_ethernet_encode, internet_ipv4_encode, internet_tcp_encode,
    internet_tcp_timestamps_encode, internet_vlan_put_ethertype, internet_vlan_put_tag_control)

cdef enum:
    SEGMENT_LONGEST = 9216         # room for a frame: a jumbo frame with a tag

cdef struct TcpPath:               # what stays the same from segment to segment
    uint8_t destination_hardware[6]
    uint8_t source_hardware[6]
    uint32_t source_address        # host byte order
    uint32_t destination_address   # host byte order
    uint16_t source_port
    uint16_t destination_port
    uint16_t vlan                  # 0: no tag
    uint8_t time_to_live
    uint8_t type_of_service
    bint dont_fragment
    bint has_timestamps

cdef struct TcpNumbers:            # what changes with every segment
    uint32_t sequence_number
    uint32_t acknowledgment_number
    uint32_t timestamp
    uint32_t timestamp_echo
    uint16_t window                # as it stands in the header: scaled
    uint16_t identification


cdef inline uint32_t segment_headers(const TcpPath *path) noexcept nogil:
    """Bytes of headers in front of the payload."""
    cdef uint32_t size = INTERNET_ETHERNET_LENGTH + INTERNET_IPV4_LENGTH + INTERNET_TCP_LENGTH
    if path.vlan:
        size += INTERNET_VLAN_LENGTH
    return size + INTERNET_TCP_TIMESTAMPS_LENGTH if path.has_timestamps else size


cdef inline uint32_t segment_build(uint8_t *frame, uint32_t capacity, const TcpPath *path,
                                   const TcpNumbers *numbers, const uint8_t *payload,
                                   uint32_t length) noexcept nogil:
    """Write headers and payload to ``frame``; the frame's length, 0 where it does not fit.

    The segment acknowledges and is pushed (PSH); both checksums are real.
    """
    cdef InternetEthernet ethernet
    cdef InternetIpv4 ipv4
    cdef InternetTcp tcp
    cdef InternetTcpTimestamps stamps
    cdef uint32_t headers = segment_headers(path)
    cdef uint32_t tcp_length = INTERNET_TCP_LENGTH + length
    cdef uint8_t *at = frame
    cdef uint64_t pseudo
    if path.has_timestamps:
        tcp_length += INTERNET_TCP_TIMESTAMPS_LENGTH
    if (length > capacity or headers + length > capacity
            or INTERNET_IPV4_LENGTH + tcp_length > 0xFFFF):
        return 0
    memcpy(frame + headers, payload, length)
    memcpy(ethernet.destination, path.destination_hardware, sizeof(ethernet.destination))
    memcpy(ethernet.source, path.source_hardware, sizeof(ethernet.source))
    ethernet.ethertype = INTERNET_ETHERTYPE_VLAN if path.vlan else INTERNET_ETHERTYPE_IPV4
    internet_ethernet_encode(&ethernet, at)
    at += INTERNET_ETHERNET_LENGTH
    if path.vlan:
        internet_vlan_put_tag_control(at, path.vlan & INTERNET_VLAN_IDENTIFIER_MASK)
        internet_vlan_put_ethertype(at, INTERNET_ETHERTYPE_IPV4)
        at += INTERNET_VLAN_LENGTH
    ipv4.version_and_header_length = 0x40 | INTERNET_IPV4_LENGTH >> 2
    ipv4.type_of_service = path.type_of_service
    ipv4.total_length = <uint16_t> (INTERNET_IPV4_LENGTH + tcp_length)
    ipv4.identification = numbers.identification
    ipv4.flags_and_fragment_offset = INTERNET_IPV4_DONT_FRAGMENT if path.dont_fragment else 0
    ipv4.time_to_live = path.time_to_live
    ipv4.protocol = INTERNET_IP_PROTOCOL_TCP
    ipv4.header_checksum = 0
    ipv4.source_address = path.source_address
    ipv4.destination_address = path.destination_address
    internet_ipv4_encode(&ipv4, at)
    store_le16(at + INTERNET_IPV4_HEADER_CHECKSUM_OFFSET,
               frame_checksum(at, INTERNET_IPV4_LENGTH))
    # Pseudo header: both addresses, protocol and TCP length; the last two as big-endian words.
    pseudo = frame_sum(at + INTERNET_IPV4_SOURCE_ADDRESS_OFFSET, 8)
    pseudo += <uint64_t> (INTERNET_IP_PROTOCOL_TCP << 8)
    pseudo += <uint64_t> ((tcp_length >> 8) | (tcp_length & 0xFF) << 8)
    at += INTERNET_IPV4_LENGTH
    tcp.source_port = path.source_port
    tcp.destination_port = path.destination_port
    tcp.sequence_number = numbers.sequence_number
    tcp.acknowledgment_number = numbers.acknowledgment_number
    # Length in 32-bit words in the high four bits: bytes / 4 * 16.
    tcp.data_offset = <uint8_t> ((tcp_length - length) << 2)
    tcp.flags = INTERNET_TCP_ACK | INTERNET_TCP_PSH
    tcp.window = numbers.window
    tcp.checksum = 0
    tcp.urgent_pointer = 0
    internet_tcp_encode(&tcp, at)
    if path.has_timestamps:
        stamps.padding = INTERNET_TCP_TWO_NO_OPERATIONS
        stamps.kind = INTERNET_TCP_OPTION_TIMESTAMPS
        stamps.option_length = (INTERNET_TCP_TIMESTAMPS_LENGTH
                                - INTERNET_TCP_TIMESTAMPS_KIND_OFFSET)
        stamps.value = numbers.timestamp
        stamps.echo_reply = numbers.timestamp_echo
        internet_tcp_timestamps_encode(&stamps, at + INTERNET_TCP_LENGTH)
    store_le16(at + INTERNET_TCP_CHECKSUM_OFFSET,
               <uint16_t> ~frame_fold(pseudo + frame_sum(at, tcp_length)))
    return headers + length
