# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Taking a frame apart down to its UDP payload, and putting one together.

Ethernet II with up to two 802.1Q tags, IPv4 with options, UDP. Nothing is read past ``length``, and
nothing past the IP total length: real captures carry trailers behind it. Sources: IEEE 802.3-2022
clause 3, IEEE 802.1Q-2022 clause 9, RFC 791 section 3.1, RFC 768, RFC 1071 (checksum).
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove
from nic.ids cimport (
    FRAME_BAD_IP_CHECKSUM, FRAME_BAD_IP_HEADER, FRAME_BAD_UDP_LENGTH, FRAME_FRAGMENT,
    FRAME_NOT_IPV4, FRAME_NOT_UDP, FRAME_OK, FRAME_TRUNCATED)
from nic.wire.byteorder cimport load8, load_le16, load_le32, store_le16
from nic.wire.internet_codec cimport (
    INTERNET_ETHERNET_LENGTH, INTERNET_ETHERTYPE_IPV4, INTERNET_ETHERTYPE_SERVICE_VLAN,
    INTERNET_ETHERTYPE_VLAN, INTERNET_IP_PROTOCOL_UDP, INTERNET_IPV4_DONT_FRAGMENT,
    INTERNET_IPV4_FRAGMENT_OFFSET_MASK, INTERNET_IPV4_HEADER_CHECKSUM_OFFSET,
    INTERNET_IPV4_LENGTH, INTERNET_IPV4_MORE_FRAGMENTS, INTERNET_IPV4_SOURCE_ADDRESS_OFFSET,
    INTERNET_UDP_CHECKSUM_OFFSET, INTERNET_UDP_LENGTH, INTERNET_VLAN_IDENTIFIER_MASK,
    INTERNET_VLAN_LENGTH, InternetEthernet, InternetIpv4, InternetUdp,
    internet_ethernet_encode, internet_ethernet_ethertype,
    internet_ipv4_destination_address, internet_ipv4_encode,
    internet_ipv4_flags_and_fragment_offset, internet_ipv4_protocol,
    internet_ipv4_source_address, internet_ipv4_total_length,
    internet_ipv4_version_and_header_length, internet_udp_destination_port, internet_udp_encode,
    internet_udp_length, internet_udp_source_port, internet_vlan_ethertype,
    internet_vlan_put_ethertype, internet_vlan_put_tag_control, internet_vlan_tag_control)

cdef enum:
    FRAME_MAXIMUM_TAGS = 2

cdef struct Ipv4Packet:            # a whole, unfragmented IPv4 packet inside a frame
    const uint8_t *header
    const uint8_t *payload         # behind the options
    uint32_t payload_length        # by the IP total length, without any trailer of the frame
    uint32_t source_address        # host byte order
    uint32_t destination_address   # host byte order
    uint8_t protocol
    uint16_t vlan                  # identifier of the innermost tag, 0 for none

cdef struct UdpDatagram:
    const uint8_t *payload         # inside the frame
    uint32_t length                # bytes at payload
    uint32_t source_address        # host byte order
    uint32_t destination_address   # host byte order
    uint16_t source_port
    uint16_t destination_port
    uint16_t vlan                  # identifier of the innermost tag, 0 for none

cdef struct UdpPath:               # what the headers of an outgoing datagram say
    uint8_t destination_hardware[6]
    uint8_t source_hardware[6]
    uint32_t source_address        # host byte order
    uint32_t destination_address   # host byte order
    uint16_t source_port
    uint16_t destination_port
    uint16_t vlan                  # 0: no tag
    uint8_t time_to_live


cdef inline uint64_t frame_sum(const uint8_t *data, uint32_t length) noexcept nogil:
    """Sum of 16-bit words as they lie in memory, not folded; an odd last byte is the low one."""
    cdef uint64_t total = 0
    cdef uint32_t at = 0
    while at + 4 <= length:
        total += load_le32(data + at)
        at += 4
    if at + 2 <= length:
        total += load_le16(data + at)
        at += 2
    if at < length:
        total += load8(data + at)
    return total


cdef inline uint16_t frame_fold(uint64_t total) noexcept nogil:
    """Ones' complement sum of 16 bits out of a wider one."""
    total = <uint32_t> total + (total >> 32)
    total = <uint16_t> total + (total >> 16)
    total = <uint16_t> total + (total >> 16)
    total = <uint16_t> total + (total >> 16)
    return <uint16_t> total


cdef inline uint16_t frame_checksum(const uint8_t *data, uint32_t length) noexcept nogil:
    """The internet checksum as it lies in memory: store it with ``store_le16``.

    0 over bytes that already hold a right checksum.
    """
    return <uint16_t> ~frame_fold(frame_sum(data, length))


cdef inline int frame_parse_ipv4(const uint8_t *frame, uint32_t length,
                                 Ipv4Packet *out) noexcept nogil:
    """FRAME_OK and the IPv4 packet of a frame, or the reason why there is none."""
    cdef uint32_t at = INTERNET_ETHERNET_LENGTH
    cdef uint32_t header_length, total_length
    cdef uint16_t ethertype, vlan = 0
    cdef int tags = 0
    cdef const uint8_t *header
    if length < at:
        return FRAME_TRUNCATED
    ethertype = internet_ethernet_ethertype(frame)
    while ethertype == INTERNET_ETHERTYPE_VLAN or ethertype == INTERNET_ETHERTYPE_SERVICE_VLAN:
        if tags == FRAME_MAXIMUM_TAGS:
            return FRAME_NOT_IPV4
        if length - at < INTERNET_VLAN_LENGTH:
            return FRAME_TRUNCATED
        vlan = internet_vlan_tag_control(frame + at) & INTERNET_VLAN_IDENTIFIER_MASK
        ethertype = internet_vlan_ethertype(frame + at)
        at += INTERNET_VLAN_LENGTH
        tags += 1
    if ethertype != INTERNET_ETHERTYPE_IPV4:
        return FRAME_NOT_IPV4
    if length - at < INTERNET_IPV4_LENGTH:
        return FRAME_TRUNCATED
    header = frame + at
    if internet_ipv4_version_and_header_length(header) >> 4 != 4:
        return FRAME_NOT_IPV4
    header_length = (internet_ipv4_version_and_header_length(header) & 0x0F) << 2
    total_length = internet_ipv4_total_length(header)
    if header_length < INTERNET_IPV4_LENGTH or header_length > total_length:
        return FRAME_BAD_IP_HEADER
    if total_length > length - at:
        return FRAME_TRUNCATED
    if frame_checksum(header, header_length) != 0:
        return FRAME_BAD_IP_CHECKSUM
    if internet_ipv4_flags_and_fragment_offset(header) & (
            INTERNET_IPV4_MORE_FRAGMENTS | INTERNET_IPV4_FRAGMENT_OFFSET_MASK):
        return FRAME_FRAGMENT
    out.header = header
    out.payload = header + header_length
    out.payload_length = total_length - header_length
    out.source_address = internet_ipv4_source_address(header)
    out.destination_address = internet_ipv4_destination_address(header)
    out.protocol = internet_ipv4_protocol(header)
    out.vlan = vlan
    return FRAME_OK


cdef inline int frame_parse_udp(const uint8_t *frame, uint32_t length,
                                UdpDatagram *out) noexcept nogil:
    """FRAME_OK and the UDP datagram of a frame, or the reason why there is none.

    The UDP checksum is not looked at: a kernel that sends over a virtual link leaves it undone, and
    a device has checked it elsewhere.
    """
    cdef Ipv4Packet packet
    cdef uint32_t udp_length
    cdef int result = frame_parse_ipv4(frame, length, &packet)
    if result != FRAME_OK:
        return result
    if packet.protocol != INTERNET_IP_PROTOCOL_UDP:
        return FRAME_NOT_UDP
    if packet.payload_length < INTERNET_UDP_LENGTH:
        return FRAME_BAD_UDP_LENGTH
    udp_length = internet_udp_length(packet.payload)
    if udp_length < INTERNET_UDP_LENGTH or udp_length > packet.payload_length:
        return FRAME_BAD_UDP_LENGTH
    out.payload = packet.payload + INTERNET_UDP_LENGTH
    out.length = udp_length - INTERNET_UDP_LENGTH
    out.source_address = packet.source_address
    out.destination_address = packet.destination_address
    out.source_port = internet_udp_source_port(packet.payload)
    out.destination_port = internet_udp_destination_port(packet.payload)
    out.vlan = packet.vlan
    return FRAME_OK


cdef inline uint32_t frame_udp_headers(const UdpPath *path) noexcept nogil:
    """Bytes of headers in front of the payload: where a caller may write it beforehand."""
    cdef uint32_t size = INTERNET_ETHERNET_LENGTH + INTERNET_IPV4_LENGTH + INTERNET_UDP_LENGTH
    return size + INTERNET_VLAN_LENGTH if path.vlan else size


cdef inline uint32_t frame_build_udp(uint8_t *frame, uint32_t capacity, const UdpPath *path,
                                     uint16_t identification, const uint8_t *payload,
                                     uint32_t length) noexcept nogil:
    """Write headers and payload to ``frame``; the frame's length, 0 where it does not fit.

    Both checksums are real. A payload that already lies behind the headers is not copied.
    """
    cdef InternetEthernet ethernet
    cdef InternetIpv4 ipv4
    cdef InternetUdp udp
    cdef uint32_t headers = frame_udp_headers(path)
    cdef uint32_t ip_length = INTERNET_IPV4_LENGTH + INTERNET_UDP_LENGTH + length
    cdef uint8_t *at = frame
    cdef uint64_t pseudo
    cdef uint16_t checksum
    if length > 0xFFFF or ip_length > 0xFFFF or headers + length > capacity:
        return 0
    if payload != frame + headers:
        memmove(frame + headers, payload, length)
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
    ipv4.type_of_service = 0
    ipv4.total_length = <uint16_t> ip_length
    ipv4.identification = identification
    ipv4.flags_and_fragment_offset = INTERNET_IPV4_DONT_FRAGMENT
    ipv4.time_to_live = path.time_to_live
    ipv4.protocol = INTERNET_IP_PROTOCOL_UDP
    ipv4.header_checksum = 0
    ipv4.source_address = path.source_address
    ipv4.destination_address = path.destination_address
    internet_ipv4_encode(&ipv4, at)
    store_le16(at + INTERNET_IPV4_HEADER_CHECKSUM_OFFSET,
               frame_checksum(at, INTERNET_IPV4_LENGTH))
    udp.source_port = path.source_port
    udp.destination_port = path.destination_port
    udp.length = <uint16_t> (INTERNET_UDP_LENGTH + length)
    udp.checksum = 0
    internet_udp_encode(&udp, at + INTERNET_IPV4_LENGTH)
    # Pseudo header: both addresses, protocol and UDP length; the last two as big-endian words.
    pseudo = frame_sum(at + INTERNET_IPV4_SOURCE_ADDRESS_OFFSET, 8)
    pseudo += <uint64_t> (INTERNET_IP_PROTOCOL_UDP << 8)
    pseudo += <uint64_t> ((udp.length >> 8) | (udp.length & 0xFF) << 8)
    at += INTERNET_IPV4_LENGTH
    checksum = <uint16_t> ~frame_fold(pseudo + frame_sum(at, INTERNET_UDP_LENGTH + length))
    # A sum of 0 is sent as all ones: 0 says that there is no checksum (RFC 768).
    store_le16(at + INTERNET_UDP_CHECKSUM_OFFSET, checksum if checksum else 0xFFFF)
    return headers + length
