# SPDX-License-Identifier: Apache-2.0
"""A line's parser: what each result means, by frames made for it; the compiled one agrees."""

import pytest
from framing_support import (
    IEX_GROUP,
    IEX_LINE,
    IEX_PORT,
    NASDAQ_GROUP,
    NASDAQ_LINE,
    NASDAQ_PORT,
    PINNED_IEX_LINE,
    PINNED_NASDAQ_LINE,
)

from nic.frame import build_udp
from nic.framing.enumerations import FRAMING
from nic.framing.feed_format import IEX, LARGEST_SEQUENCE_NUMBER, NASDAQ, FeedFormat
from nic.framing.parser import LineParser
from nic.framing.reference import (
    LineSettings,
    ParsedDatagram,
    ParsedFrame,
    ParsedMessage,
    ReferenceParser,
)
from nic.wire.deep10 import DEEP10
from nic.wire.itch50 import ITCH50
from nic.wire.reference import encode
from nic.wire.table import Message
from sim.feed_traffic import ETHERNET, IPV4, UDP, put, sum_ip_header

DELETE = encode(ITCH50, "order_delete", {"stock_locate": 7, "order_reference_number": 99})
EVENT = encode(ITCH50, "system_event", {"event_code": b"Q"})
UNKNOWN = b"\x00" + bytes(18)
HALT = encode(DEEP10, "operational_halt_status", {"symbol": b"ZIEXT"})


def both(settings: LineSettings, frame: bytes, error: bool = False) -> ParsedFrame:
    """What the reference makes of one frame; the compiled parser must make the same."""
    reference, compiled = ReferenceParser(settings), LineParser(settings)
    parsed = reference.frame(frame, error)
    assert compiled.frame(frame, error) == parsed
    assert compiled.counters == reference.counters
    assert sum(reference.counters[name] for name in FRAMING.names) == 1
    assert reference.counters[parsed.result] == 1
    assert reference.counters["messages"] == len(parsed.messages)
    assert reference.counters["fcs_errors"] == error
    return parsed


def counters(settings: LineSettings, frame: bytes) -> dict[str, int]:
    """The counters that a frame moves."""
    both(settings, frame)
    parser = LineParser(settings)
    parser.frame(frame)
    return {name: value for name, value in parser.counters.items() if value}


def blocks(*messages: bytes) -> bytes:
    return b"".join(len(m).to_bytes(2, "big") + m for m in messages)


def datagram(body: bytes, count: int, sequence_number: int = 1) -> bytes:
    fields = {"session": b"000000042A", "sequence_number": sequence_number}
    return encode(NASDAQ.transport, "header", {**fields, "message_count": count, "payload": body})


def segment(body: bytes, count: int, **fields: int) -> bytes:
    values = {
        "version": 1,
        "message_protocol_id": 0x8004,
        "session_id": 0x80030201,
        "message_count": count,
        "first_message_sequence_number": 5,
    }
    return encode(IEX.transport, "header", {**values, **fields, "payload": body})


def nasdaq(payload: bytes, vlan: int = 0) -> bytes:
    return build_udp(payload, "10.0.0.1", 4000, NASDAQ_GROUP, NASDAQ_PORT, vlan=vlan)


def iex(payload: bytes) -> bytes:
    return build_udp(payload, "10.0.0.1", 4000, IEX_GROUP, IEX_PORT)


GOOD = nasdaq(datagram(blocks(DELETE, EVENT), 2, 41))
HEAD = 62
"""Bytes before the first block without a tag: 14 + 20 + 8 + 20."""


@pytest.mark.parametrize("vlan", [0, 100])
def test_messages_with_their_numbers_and_places(vlan: int) -> None:
    head = HEAD + 4 * bool(vlan)
    assert both(NASDAQ_LINE, nasdaq(datagram(blocks(DELETE, EVENT), 2, 41), vlan)) == ParsedFrame(
        "ok",
        ParsedDatagram(41, 2, "data"),
        [ParsedMessage(41, DELETE, head + 20), ParsedMessage(42, EVENT, head + 34)],
    )


def test_a_part_of_a_frame_is_truncated_and_keeps_its_whole_messages() -> None:
    for size in range(len(GOOD)):
        parsed = both(NASDAQ_LINE, GOOD[:size], error=True)
        assert parsed.result == "truncated"
        assert len(parsed.messages) == (size > HEAD + 20)
        assert (parsed.datagram is not None) == (size >= HEAD)
    assert both(NASDAQ_LINE, GOOD + b"\xff" * 9).result == "ok"


def with_fields(header: Message, at: int, resum: bool = True, **fields: int) -> bytes:
    """The good frame with other values in a header's fields."""
    frame = bytearray(GOOD)
    for name, value in fields.items():
        put(header, frame, at, name, value)
    if resum:
        sum_ip_header(frame, ETHERNET.length)
    return bytes(frame)


IP_AT = ETHERNET.length
UDP_AT = IP_AT + IPV4.length
PACKET = len(GOOD) - IP_AT
DOUBLY_TAGGED = GOOD[:12] + bytes.fromhex("8100000181000002") + GOOD[12:]


@pytest.mark.parametrize(
    ("frame", "result"),
    [
        (GOOD, "ok"),
        (with_fields(ETHERNET, 0, ethertype=0x0806), "not_ipv4"),
        (with_fields(ETHERNET, 0, ethertype=0x88A8), "not_ipv4"),
        (with_fields(ETHERNET, 0, ethertype=0x0806)[:14], "not_ipv4"),
        (with_fields(ETHERNET, 0, ethertype=0x8100)[:17], "truncated"),
        (DOUBLY_TAGGED, "not_ipv4"),
        (with_fields(IPV4, IP_AT, False, version_and_header_length=0x65), "not_ipv4"),
        (with_fields(IPV4, IP_AT, False, version_and_header_length=0x65)[:33], "truncated"),
        (with_fields(IPV4, IP_AT, False, version_and_header_length=0x44), "bad_ip_header"),
        (with_fields(IPV4, IP_AT, total_length=19), "bad_ip_header"),
        (with_fields(IPV4, IP_AT, False, version_and_header_length=0x46)[:37], "truncated"),
        (with_fields(IPV4, IP_AT, False, version_and_header_length=0x46), "bad_ip_checksum"),
        (with_fields(IPV4, IP_AT, False, time_to_live=1), "bad_ip_checksum"),
        (with_fields(IPV4, IP_AT, False, time_to_live=1, protocol=6), "bad_ip_checksum"),
        (with_fields(IPV4, IP_AT, flags_and_fragment_offset=0x2000), "fragment"),
        (with_fields(IPV4, IP_AT, flags_and_fragment_offset=1, protocol=6), "fragment"),
        (with_fields(IPV4, IP_AT, flags_and_fragment_offset=0xC000), "ok"),
        (with_fields(IPV4, IP_AT, protocol=6), "not_udp"),
        (with_fields(IPV4, IP_AT, protocol=6)[:34], "not_udp"),
        (with_fields(IPV4, IP_AT, total_length=27), "bad_udp_length"),
        (with_fields(IPV4, IP_AT, total_length=27)[:41], "truncated"),
        (with_fields(UDP, UDP_AT, length=7), "bad_udp_length"),
        (with_fields(UDP, UDP_AT, length=PACKET - 19), "bad_udp_length"),
        (with_fields(UDP, UDP_AT, length=PACKET - 19, destination_port=1), "bad_udp_length"),
        (with_fields(UDP, UDP_AT, destination_port=NASDAQ_PORT + 1), "not_wanted"),
        (with_fields(IPV4, IP_AT, destination_address=0x0A000001), "not_wanted"),
        (with_fields(UDP, UDP_AT, length=8 + 19), "too_short"),
        (with_fields(UDP, UDP_AT, length=8 + 19)[: UDP_AT + 8], "too_short"),
        (with_fields(UDP, UDP_AT, length=8 + 20), "count_beyond_datagram"),
        (with_fields(IPV4, IP_AT, total_length=PACKET + 1), "truncated"),
    ],
)
def test_headers(frame: bytes, result: str) -> None:
    parsed = both(NASDAQ_LINE, frame)
    assert parsed.result == result


def test_options_of_the_ip_header_are_passed_over() -> None:
    frame = bytearray(GOOD)
    frame[UDP_AT:UDP_AT] = bytes(range(40))
    put(IPV4, frame, IP_AT, "version_and_header_length", 0x4F)
    put(IPV4, frame, IP_AT, "total_length", PACKET + 40)
    assert both(NASDAQ_LINE, bytes(frame)).result == "bad_ip_checksum"
    sum_ip_header(frame, IP_AT)
    assert [m.last_byte for m in both(NASDAQ_LINE, bytes(frame)).messages] == [122, 136]
    assert both(NASDAQ_LINE, bytes(frame[: UDP_AT + 39])).result == "truncated"


@pytest.mark.parametrize(
    ("payload", "result", "delivered"),
    [
        (datagram(blocks(DELETE, EVENT), 3), "count_beyond_datagram", 2),
        (datagram(blocks(DELETE) + b"\0", 2), "count_beyond_datagram", 1),
        (datagram(blocks(DELETE) + b"\0\x0b" + EVENT, 2), "message_length", 1),
        (datagram(blocks(DELETE) + b"\0\x33" + bytes(51), 2), "message_length", 1),
        (datagram(blocks(DELETE) + b"\1\x13" + DELETE, 2), "message_length", 1),
        (datagram(blocks(DELETE) + b"\0\x33", 2), "message_length", 1),
        (datagram(blocks(DELETE) + b"\0\x0c", 2), "block_beyond_datagram", 1),
        (datagram(blocks(DELETE) + b"\0\x14" + DELETE, 2), "block_beyond_datagram", 1),
        (datagram(blocks(DELETE) + b"\0\x13" + EVENT + bytes(7), 2), "message_length", 1),
        (datagram(blocks(DELETE, EVENT), 1), "trailing_bytes", 1),
        (datagram(blocks(DELETE) + b"\0", 1), "trailing_bytes", 1),
        (datagram(b"x", 0), "trailing_bytes", 0),
        (datagram(b"x", 0xFFFF), "trailing_bytes", 0),
        (datagram(blocks(DELETE), 1, 0), "sequence_out_of_range", 0),
        (datagram(blocks(DELETE), 1, LARGEST_SEQUENCE_NUMBER), "ok", 1),
        (datagram(blocks(DELETE), 1, LARGEST_SEQUENCE_NUMBER + 1), "sequence_out_of_range", 0),
        (datagram(blocks(DELETE), 1, (1 << 64) - 1), "sequence_out_of_range", 0),
        (datagram(b"", 0, 0), "sequence_out_of_range", 0),
    ],
)
def test_blocks(payload: bytes, result: str, delivered: int) -> None:
    parsed = both(NASDAQ_LINE, nasdaq(payload))
    assert (parsed.result, len(parsed.messages)) == (result, delivered)


def test_an_error_comes_before_the_frame_that_ends_behind_it() -> None:
    """Cut right behind the place where the datagram went wrong: that is the result."""
    wrong_length = nasdaq(datagram(b"\0\x0b" + EVENT, 1))
    assert both(NASDAQ_LINE, wrong_length[: HEAD + 1]).result == "truncated"
    assert both(NASDAQ_LINE, wrong_length[: HEAD + 2]).result == "message_length"
    wrong_type = nasdaq(datagram(b"\0\x13" + EVENT + bytes(7), 1))
    assert both(NASDAQ_LINE, wrong_type[: HEAD + 2]).result == "truncated"
    assert both(NASDAQ_LINE, wrong_type[: HEAD + 3]).result == "message_length"
    trailing = nasdaq(datagram(blocks(EVENT, DELETE), 1))
    assert both(NASDAQ_LINE, trailing[: HEAD + 14]).result == "trailing_bytes"


def test_unknown_types_are_counted_and_given_on() -> None:
    frame = nasdaq(datagram(blocks(DELETE, UNKNOWN, EVENT), 3, 7))
    assert [m.sequence_number for m in both(NASDAQ_LINE, frame).messages] == [7, 8, 9]
    assert both(NASDAQ_LINE, frame).messages[1].message == UNKNOWN
    assert counters(NASDAQ_LINE, frame) == {"ok": 1, "messages": 3, "unknown_type": 1}
    # Only a whole one is counted; a length that no message has is wrong for any type.
    assert counters(NASDAQ_LINE, frame[: HEAD + 41]) == {"truncated": 1, "messages": 1}
    short = nasdaq(datagram(blocks(bytes(11)), 1))
    assert counters(NASDAQ_LINE, short) == {"message_length": 1}


def test_datagrams_without_messages() -> None:
    heartbeat, end = nasdaq(datagram(b"", 0, 9)), nasdaq(datagram(b"", 0xFFFF, 9))
    assert both(NASDAQ_LINE, heartbeat).datagram == ParsedDatagram(9, 0, "heartbeat")
    assert both(NASDAQ_LINE, end).datagram == ParsedDatagram(9, 0, "end_of_session")
    assert counters(NASDAQ_LINE, heartbeat) == {"ok": 1, "heartbeats": 1}
    assert counters(NASDAQ_LINE, end) == {"ok": 1, "ends_of_session": 1}
    assert counters(IEX_LINE, iex(segment(b"", 0))) == {"ok": 1, "heartbeats": 1}
    many = counters(IEX_LINE, iex(segment(b"", 0xFFFF)))
    assert many == {"count_beyond_datagram": 1}, "IEX-TP has no end of session"


def test_a_pinned_session() -> None:
    ours = datagram(blocks(EVENT), 1)
    assert both(PINNED_NASDAQ_LINE, nasdaq(ours)).result == "ok"
    for place in range(10):
        other = bytearray(ours)
        other[place] ^= 4
        parsed = both(PINNED_NASDAQ_LINE, nasdaq(bytes(other)))
        assert (parsed.result, parsed.datagram) == ("foreign_session", None)
    assert both(PINNED_IEX_LINE, iex(segment(b"", 0))).result == "ok"
    assert both(PINNED_IEX_LINE, iex(segment(b"", 0, session_id=0x80030200))).result == (
        "foreign_session"
    )


@pytest.mark.parametrize(
    ("payload", "result"),
    [
        (segment(len(HALT).to_bytes(2, "little") + HALT, 1), "ok"),
        (segment(len(HALT).to_bytes(2, "big") + HALT, 1), "message_length"),
        (segment(b"\x13\0" + HALT + b"\0", 1), "message_length"),
        (segment(b"", 0)[:39], "too_short"),
        (segment(b"", 0, version=2, message_protocol_id=0), "wrong_version"),
        (segment(b"", 0, message_protocol_id=0x8003, payload_length=1), "wrong_protocol"),
        (segment(b"", 0, payload_length=1), "payload_length_mismatch"),
        (segment(b"xy", 0), "trailing_bytes"),
        (segment(b"", 0, first_message_sequence_number=0), "sequence_out_of_range"),
        (segment(b"", 0, first_message_sequence_number=-1), "sequence_out_of_range"),
    ],
)
def test_iex_segments(payload: bytes, result: str) -> None:
    assert both(IEX_LINE, iex(payload)).result == result


def test_settings_are_validated() -> None:
    with pytest.raises(ValueError, match="32 bits"):
        LineSettings(NASDAQ, 1 << 32, 1)
    with pytest.raises(ValueError, match="16 bits"):
        LineSettings(NASDAQ, 1, -1)
    with pytest.raises(ValueError, match="10 bytes"):
        LineSettings(NASDAQ, 1, 1, b"short")
    other = FeedFormat(
        NASDAQ.transport, ITCH50, "session", "sequence_number", "message_count", heartbeat_count=0
    )
    with pytest.raises(ValueError, match="not one of"):
        LineParser(LineSettings(other, 1, 1))
