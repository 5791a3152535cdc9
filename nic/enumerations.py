# SPDX-License-Identifier: Apache-2.0
"""Counters of the ports, results of taking a frame apart and faults of capture files."""

from nic.enumeration import enumeration

FRAME = enumeration(
    "frame",
    ok="the frame holds a whole UDP datagram",
    truncated="the frame ends inside a header, or the IP length is more than the frame",
    not_ipv4="another ethertype, or an IP version that is not 4",
    bad_ip_header="the IP header length is less than 20 bytes or more than the packet",
    bad_ip_checksum="the sum over the IP header is wrong",
    fragment="a fragment of an IP packet",
    not_udp="another IP protocol than UDP",
    bad_udp_length="the UDP length is less than 8 bytes or more than the IP payload",
)

SEGMENT = enumeration(
    "segment",
    start=FRAME.count,
    not_tcp="another IP protocol than TCP",
    bad_tcp_header="the TCP header length is less than 20 bytes or more than the IP payload",
)

CAPTURE = enumeration(
    "capture",
    truncated_record="the file ends inside a record; everything before it was read",
    truncated_gzip="the compressed file ends before its end mark",
    bad_gzip="the compressed data are damaged; everything before them was read",
    bad_record="a record whose lengths contradict each other; reading ends there",
    cut_packets="packets of which the capture kept only the first bytes",
    unsupported_link="packets of an interface whose link type is not supported, left out",
    unknown_interface="packets that name an interface the file does not describe, left out",
    read_failed="the file could not be read on; everything before was read",
    missing_end="the end-of-session mark is missing (BinaryFILE)",
)

PORT = enumeration(
    "port",
    rx_packets="packets received",
    rx_bytes="bytes received",
    tx_packets="packets given to the kernel or the device",
    tx_bytes="bytes given to the kernel or the device",
    rx_truncated="packets longer than the receive buffer, dropped",
    rx_dropped="packets the kernel says it dropped for want of room",
    rx_errors="receive calls that failed",
    tx_full="packets refused because the transmit ring or the socket buffer was full",
    tx_too_long="packets refused because they are longer than a buffer",
    tx_errors="transmit calls that failed",
    fill_empty="times the fill ring was found empty",
    rx_frozen="times the kernel stopped receiving until a block of the ring was given back",
    rx_checksum_undone="packets of this machine whose checksum was left to a device to compute",
    tx_link_down="packets given up because the interface was down or gone",
    link_down="times the interface was found to have gone down",
    interface_gone="times the interface was found to have been removed",
)

ENUMERATIONS = (FRAME, SEGMENT, CAPTURE, PORT)
