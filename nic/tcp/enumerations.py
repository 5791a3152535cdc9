# SPDX-License-Identifier: Apache-2.0
"""What became of each send of a delegated stream, and what the stream counts besides."""

from nic.enumeration import enumeration

DELEGATION = enumeration(
    "delegation",
    sent="segments that were accounted and left by the raw port",
    port_refused="segments that were accounted and that the raw port refused: the kernel sends "
    "them as a retransmission",
    no_buffer="ordinary send: the socket's send buffer has no room",
    not_connected="ordinary send: the connection is neither established nor half closed",
    not_ready="ordinary send: the kernel has not yet been asked for the connection's state",
    unsupported="ordinary send: ECN or time stamps in microseconds were negotiated, for which only "
    "the kernel can answer",
    no_route="ordinary send: the route does not lead out of the raw port's interface, or that is "
    "down",
    no_neighbour="ordinary send: the hardware address of the next hop is not known",
    too_long="ordinary send: more bytes than one segment holds",
    unsent_data="ordinary send: bytes of an earlier one wait in the kernel's queue",
    no_window="ordinary send: the peer's receive window has no room",
    no_congestion_window="ordinary send: as many segments are in flight as the congestion window "
    "allows",
    not_permitted="ordinary send: the kernel refused the repair mode",
)

DELEGATED = enumeration(
    "delegated",
    delegated_bytes="bytes that were accounted for the raw port",
    ordinary_sends="sends that the kernel made",
    ordinary_bytes="bytes that the kernel took by ordinary sends",
    refreshes="times the kernel was asked for the connection's state",
    late_refreshes="of these, those that a send had to wait for",
    route_changes="times the route, the neighbour or the interface changed",
    retransmitted_segments="segments that the kernel sent again, of both kinds of send",
)

ENUMERATIONS = (DELEGATION, DELEGATED)
