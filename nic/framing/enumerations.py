# SPDX-License-Identifier: Apache-2.0
"""Results of taking a frame apart message by message, and the counters of parser and arbiter."""

from nic.enumeration import enumeration
from nic.enumerations import FRAME

# Decided in this order; where several hold at one place in a frame, the first here is the result.
FRAMING = enumeration(
    "framing",
    ok="every message that the datagram's count names was there, or it has none",
    truncated="the frame ends inside a header that a decision needs, or before its IP length",
    not_ipv4="another ethertype behind at most one 802.1Q tag, or an IP version that is not 4",
    bad_ip_header=FRAME.meaning("bad_ip_header"),
    bad_ip_checksum=FRAME.meaning("bad_ip_checksum"),
    fragment=FRAME.meaning("fragment"),
    not_udp=FRAME.meaning("not_udp"),
    bad_udp_length=FRAME.meaning("bad_udp_length"),
    not_wanted="a datagram for another address or port than the line's",
    too_short="the datagram is shorter than the transport's header",
    wrong_version="an IEX-TP segment of another version than 1",
    wrong_protocol="an IEX-TP segment with another message protocol",
    payload_length_mismatch="an IEX-TP segment whose payload length is not that of its datagram",
    foreign_session="a datagram of another session than the line is pinned to",
    sequence_out_of_range="a sequence number of 0, or so large that it may wrap",
    count_beyond_datagram="fewer than two bytes are left where the count has one more message",
    message_length="a message length that no message has, or that its type does not have",
    block_beyond_datagram="a message length that reaches beyond the datagram",
    trailing_bytes="the datagram has bytes behind its last message",
)

PARSER = enumeration(
    "parser",
    start=FRAMING.count,
    messages="messages given on",
    unknown_type="of them, those whose type is not in the table",
    heartbeats="datagrams that carry only the next sequence number",
    ends_of_session="datagrams that announce the end of the session",
    fcs_errors="frames whose check sequence is wrong, or which broke off",
)
"""A parser's counters besides the results of ``FRAMING``, which they follow in one array."""

DATAGRAM = enumeration(
    "datagram",
    data="carries messages",
    heartbeat="carries only the sequence number of the next message",
    end_of_session="the publisher says that the session is over",
)

ARRIVAL = enumeration(
    "arrival",
    new="the next sequence number, or one that starts the count",
    after_gap="new, and sequence numbers before it are missing",
    late="new, out of the open gap",
    duplicate="it was there already, or was given up",
)

ARBITER = enumeration(
    "arbiter",
    events="messages given on: the first copy of each",
    duplicates_a="messages of line A that were there already, or given up",
    duplicates_b="messages of line B that were there already, or given up",
    gaps="gaps opened",
    missing="sequence numbers in those gaps",
    recovered="of them, come late",
    gap_abandoned="of them, given up: a newer gap opened, or a later one of the same gap came",
    overrun="messages of line B lost because both lines brought too many at once",
    unwanted="of the events, those whose instrument the filter does not have",
    unwanted_dropped="of those, not given to the host",
)

ENUMERATIONS = (FRAMING, PARSER, DATAGRAM, ARRIVAL, ARBITER)
