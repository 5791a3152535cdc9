# SPDX-License-Identifier: Apache-2.0
"""Ethernet II, 802.1Q, IPv4, UDP and TCP headers.

Sources: IEEE 802.3-2022 clause 3, IEEE 802.1Q-2022 clause 9.6, RFC 791 section 3.1 (IPv4),
RFC 768 (UDP), RFC 9293 section 3.1 (TCP), RFC 7323 section 3.2 (time stamps). Big-endian. Fields
narrower than a byte stand in the table as the bytes that hold them; the masks are named below.
"""

from nic.wire.table import LengthRule, Message, Protocol, octets, unsigned

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_VLAN = 0x8100
ETHERTYPE_SERVICE_VLAN = 0x88A8

IP_PROTOCOL_TCP = 6
IP_PROTOCOL_UDP = 17

IPV4_DONT_FRAGMENT = 0x4000
IPV4_MORE_FRAGMENTS = 0x2000
IPV4_FRAGMENT_OFFSET_MASK = 0x1FFF

VLAN_IDENTIFIER_MASK = 0x0FFF

TCP_FIN = 0x01
TCP_SYN = 0x02
TCP_RST = 0x04
TCP_PSH = 0x08
TCP_ACK = 0x10

TCP_TWO_NO_OPERATIONS = 0x0101
TCP_OPTION_TIMESTAMPS = 8

INTERNET = Protocol(
    name="internet",
    title="Ethernet, 802.1Q, IPv4, UDP and TCP headers",
    byte_order="big",
    source="IEEE 802.3, IEEE 802.1Q, RFC 791, RFC 768, RFC 9293, RFC 7323",
    messages=(
        Message(
            "ethernet",
            None,
            "Ethernet II",
            (
                octets("destination", 6, "hardware address"),
                octets("source", 6, "hardware address"),
                unsigned("ethertype", 2, "type of the payload, or 0x8100 before an 802.1Q tag"),
            ),
            "IEEE 802.3 3.1.1",
            LengthRule.PAYLOAD,
        ),
        Message(
            "vlan",
            None,
            "802.1Q tag (after the ethertype 0x8100)",
            (
                unsigned("tag_control", 2, "priority 3 bits, drop eligible 1 bit, VLAN 12 bits"),
                unsigned("ethertype", 2, "type of the payload"),
            ),
            "IEEE 802.1Q 9.6",
            LengthRule.PAYLOAD,
        ),
        Message(
            "ipv4",
            None,
            "IPv4",
            (
                unsigned(
                    "version_and_header_length",
                    1,
                    "version in the high, length in 32-bit words in the low four bits",
                ),
                unsigned("type_of_service", 1, "DSCP and ECN"),
                unsigned(
                    "total_length",
                    2,
                    "header and payload; a frame may carry more bytes",
                    counts="whole_message",
                ),
                unsigned("identification", 2),
                unsigned("flags_and_fragment_offset", 2, "flags in the high three bits"),
                unsigned("time_to_live", 1),
                unsigned("protocol", 1, "6 TCP, 17 UDP"),
                unsigned("header_checksum", 2, "ones' complement sum of the header"),
                unsigned("source_address", 4),
                unsigned("destination_address", 4),
            ),
            "RFC 791 3.1",
            LengthRule.PAYLOAD,
        ),
        Message(
            "udp",
            None,
            "UDP",
            (
                unsigned("source_port", 2),
                unsigned("destination_port", 2),
                unsigned("length", 2, "header and payload", counts="whole_message"),
                unsigned("checksum", 2, "0 where the sender made none"),
            ),
            "RFC 768",
            LengthRule.PAYLOAD,
        ),
        Message(
            "tcp",
            None,
            "TCP",
            (
                unsigned("source_port", 2),
                unsigned("destination_port", 2),
                unsigned("sequence_number", 4),
                unsigned("acknowledgment_number", 4),
                unsigned("data_offset", 1, "header length in 32-bit words in the high four bits"),
                unsigned("flags", 1, "CWR ECE URG ACK PSH RST SYN FIN"),
                unsigned("window", 2),
                unsigned("checksum", 2),
                unsigned("urgent_pointer", 2),
            ),
            "RFC 9293 3.1",
            LengthRule.PAYLOAD,
        ),
        Message(
            "tcp_timestamps",
            None,
            "TCP timestamps option, aligned by two no-operation options",
            (
                unsigned("padding", 2, "two no-operation options: 0x0101"),
                unsigned("kind", 1, "8"),
                unsigned("option_length", 1, "10: without the padding"),
                unsigned("value", 4, "the sender's clock"),
                unsigned("echo_reply", 4, "the value that the sender got last; 0: none is known"),
            ),
            "RFC 7323 3.2",
            LengthRule.PAYLOAD,
        ),
    ),
)
