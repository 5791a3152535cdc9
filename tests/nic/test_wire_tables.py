# SPDX-License-Identifier: Apache-2.0
"""The tables against lengths and places that were taken from the source documents by hand."""

import pytest
from wire_support import EVERY_DIRECTION, EVERY_MESSAGE, message_id

from nic.wire.layout import struct_layout
from nic.wire.page import page_text
from nic.wire.protocols import PROTOCOLS
from nic.wire.table import LengthRule, Message, Protocol, text, unsigned

LENGTHS = {
    (
        "itch50",
        "",
    ): "S12 R39 H25 Y20 L26 V35 W12 K28 J35 h21 A36 F40 E31 C36 X23 D19 U35 P44 Q40 B19"
    " I50 N20 O48",
    ("glimpse50", ""): "S12 R39 H25 Y20 h21 N20 A36 F40 G21",
    ("ouch50", "inbound"): "O47 U40 X11 M12 C19 D11 E11 Q3",
    ("ouch50", "outbound"): "S10 A64 U68 C20 D34 E36 B38 J31 P15 I15 T32 M20 R16 X27 G19 K19 Q15",
    ("deep10", ""): "S10 D31 H22 I18 O18 P19 E18 830 530 T38 B38 X26 A80",
    ("soupbintcp", "to_client"): "+3 A33 J4 S3 U3 H3 Z3",
    ("soupbintcp", "to_server"): "+3 L49 U3 R3 O3",
}
OPTIONAL_APPENDAGE = {"inbound": "XMQ", "outbound": "CDBJPITMQ"}
HEADERS = {
    ("moldudp64", "header"): 20,
    ("moldudp64", "block"): 2,
    ("binaryfile", "block"): 2,
    ("iextp", "header"): 40,
    ("iextp", "block"): 2,
    ("iextp", "gap_fill_request"): 16,
    ("iextp", "gap_fill_range"): 16,
    ("internet", "ethernet"): 14,
    ("internet", "vlan"): 4,
    ("internet", "ipv4"): 20,
    ("internet", "udp"): 8,
    ("internet", "tcp"): 20,
    ("internet", "tcp_timestamps"): 12,
}
OFFSETS = {
    ("itch50", "add_order", "price"): 32,
    ("itch50", "order_replace", "new_order_reference_number"): 19,
    ("itch50", "net_order_imbalance_indicator", "cross_type"): 48,
    ("itch50", "direct_listing_with_capital_raise", "near_execution_time"): 32,
    ("ouch50", "enter_order", "cl_ord_id"): 31,
    ("ouch50", "order_accepted", "cl_ord_id"): 48,
    ("ouch50", "order_accepted", "appendage_length"): 62,
    ("ouch50", "aiq_canceled", "aiq_strategy"): 31,
    ("deep10", "price_level_update_buy", "price"): 22,
    ("deep10", "auction_information", "scheduled_auction_time"): 44,
    ("iextp", "header", "first_message_sequence_number"): 24,
    ("moldudp64", "header", "message_count"): 18,
    ("soupbintcp", "login_request", "requested_sequence_number"): 29,
}
TAG_SIZES = {
    1: 8,
    2: 4,
    3: 4,
    4: 1,
    5: 4,
    6: 1,
    7: 4,
    9: 8,
    10: 1,
    11: 4,
    12: 1,
    13: 4,
    14: 4,
    15: 4,
}
TAG_SIZES |= {16: 1, 17: 1, 18: 1, 22: 4, 23: 8, 24: 2, 25: 1, 26: 4, 27: 1, 28: 1}


@pytest.mark.parametrize(("protocol", "direction"), EVERY_DIRECTION, ids=message_id)
def test_type_codes_and_lengths(protocol: Protocol, direction: str) -> None:
    found = {chr(code): m.length for code, m in protocol.by_code(direction).items()}
    listed = LENGTHS.get((protocol.name, direction), "").split()
    assert found == {item[0]: int(item[1:]) for item in listed}


def test_header_lengths() -> None:
    found = {(p.name, m.name): m.length for p, m in EVERY_MESSAGE if m.code is None}
    assert found == HEADERS


@pytest.mark.parametrize("place", OFFSETS, ids=".".join)
def test_known_offsets(place: tuple[str, str, str]) -> None:
    protocol, message, field = place
    assert PROTOCOLS[protocol][message][field].offset == OFFSETS[place]


def test_where_the_appendage_length_is_optional() -> None:
    ouch = PROTOCOLS["ouch50"]
    for direction, codes in OPTIONAL_APPENDAGE.items():
        optional = {
            m.code_text
            for m in ouch.of(direction)
            if m.length_rule is LengthRule.OPTIONAL_APPENDAGE
        }
        assert optional == set(codes)


def test_option_tags() -> None:
    ouch = PROTOCOLS["ouch50"]
    assert {tag.number: tag.value.width for tag in ouch.tags} == TAG_SIZES
    for message in ouch.messages:
        assert set(message.tags) <= set(TAG_SIZES)
        assert message.has_appendage == bool(message.tags)


@pytest.mark.parametrize(("protocol", "message"), EVERY_MESSAGE, ids=message_id)
def test_fields_stand_one_after_the_other(protocol: Protocol, message: Message) -> None:
    at = 0
    for field in message:
        assert field.offset == at
        assert field.name.isidentifier()
        at += field.width
    assert message.length == at
    places, size = struct_layout(message)
    ends = [place.end for place in places]
    assert all(a <= b.offset for a, b in zip(ends, places[1:], strict=False))
    assert size >= ends[-1]


def test_a_field_name_or_type_code_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        Message("m", None, "M", (unsigned("a", 1), unsigned("a", 2)))
    first = Message("m", 65, "M", (text("type", 1),))
    second = Message("n", 65, "N", (text("type", 1),))
    with pytest.raises(ValueError, match="twice"):
        Protocol("p", "P", "big", "", (first, second))
    with pytest.raises(KeyError):
        first["b"]


def test_page_shows_every_field_and_tag() -> None:
    page = page_text()
    for _, message in EVERY_MESSAGE:
        assert f"`{message.name}`, {message.length} bytes" in page
        for field in message:
            assert f"| {field.offset} | {field.width} | `{field.name}` | {field.kind} |" in page
    for tag in PROTOCOLS["ouch50"].tags:
        assert f"| {tag.number} | {tag.value.width} | `{tag.value.name}` |" in page
