# SPDX-License-Identifier: Apache-2.0
"""Counters of the feed handler, its lines, transports and how gaps were closed."""

from nic.enumeration import enumeration

TRANSPORT = enumeration(
    "transport",
    moldudp64="MoldUDP64 1.00",
    iextp="IEX-TP version 1",
)

LINE = enumeration(
    "line",
    a="multicast line A",
    b="multicast line B",
    re_request="answers of the re-request server",
)

DATAGRAM = enumeration(
    "datagram",
    data="carries messages",
    heartbeat="carries only the sequence number of the next message",
    end_of_session="the publisher says that the session is over",
)

GAP_CLOSED = enumeration(
    "gap_closed",
    other_line="the last part came on another line than the one that revealed the gap",
    re_request="the last part came from the re-request server",
    late="the last part came on the line that revealed the gap: it was reordered",
    never="given up; the messages are lost",
)

FEED = enumeration(
    "feed",
    packets_a="datagrams on line A",
    packets_b="datagrams on line B",
    packets_re_request="datagrams from the re-request server",
    messages="messages delivered",
    messages_a="of them, first on line A",
    messages_b="of them, first on line B",
    messages_re_request="of them, first from the re-request server",
    duplicates_a="messages on line A that were there already",
    duplicates_b="messages on line B that were there already",
    duplicates_re_request="messages from the re-request server that were there already",
    duplicates_same_line="of the duplicates, the second copy on one line",
    duplicates_unknown="of the duplicates, too old to tell the lead time, or given up as lost",
    before_start="messages before the first sequence number that is taken",
    heartbeats="heartbeats",
    ends_of_session="datagrams that announce the end of the session",
    jumps_a="times line A itself left out sequence numbers",
    jumps_b="times line B itself left out sequence numbers",
    missing_a="messages line A left out when it jumped",
    missing_b="messages line B left out when it jumped",
    too_short="datagrams shorter than the transport's header",
    wrong_version="IEX-TP segments of another version than 1",
    wrong_protocol="IEX-TP segments with another message protocol",
    payload_length_mismatch="IEX-TP segments whose payload length is not that of its blocks",
    count_beyond_datagram="datagrams whose message count is more than their blocks",
    block_beyond_datagram="datagrams with a message length that reaches beyond their end",
    trailing_bytes="datagrams with bytes after the last message",
    sequence_out_of_range="datagrams whose sequence number is 0, too large, or too far ahead",
    foreign_session="datagrams of another session",
    foreign_channel="IEX-TP segments of another channel",
    previous_run="IEX-TP segments sent before the publisher's restart",
    stream_offset_mismatch="IEX-TP segments whose stream offset does not go with the sequence",
    unknown_line="datagrams given with a line number that does not exist",
    data_after_end="datagrams with new messages after the end of the session",
    end_below_expected="ends of session with a sequence number below what was delivered",
    gaps="gaps opened; a gap whose middle arrives becomes two",
    gaps_other_line="gaps closed by the other line",
    gaps_re_request="gaps closed by the re-request server",
    gaps_late="gaps closed by a late datagram of the same line",
    gaps_never="gaps given up",
    gap_table_full="gaps that were merged with the one before for want of room",
    messages_lost="messages given up",
    requests="re-requests handed to the request sink",
    requests_retried="of them, asked again after no answer",
    requests_partial="answers that held less than was asked for",
    requests_refused="re-requests the request sink refused",
    requests_deferred="gaps that had to wait for the request rate limit",
    stashed="datagrams that had to wait for earlier messages",
    stash_full="datagrams dropped, or gaps given up, because too many datagrams were waiting",
    stash_too_long="datagrams longer than a waiting place, dropped",
    restarts_publisher="times the publisher began again in the same session",
    restarts_session="times another session was taken",
    stale="times nothing was heard on any line for too long",
    stale_a="times nothing was heard on line A for too long",
    stale_b="times nothing was heard on line B for too long",
)

ERRORS = (
    "too_short",
    "wrong_version",
    "wrong_protocol",
    "payload_length_mismatch",
    "count_beyond_datagram",
    "block_beyond_datagram",
    "trailing_bytes",
    "sequence_out_of_range",
    "foreign_session",
    "foreign_channel",
    "previous_run",
    "stream_offset_mismatch",
    "unknown_line",
    "data_after_end",
    "end_below_expected",
    "gap_table_full",
    "stash_full",
    "stash_too_long",
)
"""Entries of ``FEED`` that are noise, limits hit, or a publisher that contradicts itself."""

ENUMERATIONS = (TRANSPORT, LINE, DATAGRAM, GAP_CLOSED, FEED)
