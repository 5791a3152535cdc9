# SPDX-License-Identifier: Apache-2.0
"""The templates of the order builder: what the host writes, and which bytes are filled in later.

A template is a whole TCP segment in which everything that changes from order to order is zero; the
builder puts those bytes in and adds them to the template's checksum (RFC 1624). There is one
header (Ethernet, perhaps an 802.1Q tag, IPv4, TCP, both without options) and one payload per kind
of ``TEMPLATE``: a SoupBinTCP packet with an OUCH 5.0 message. All places come from the tables of
``nic.wire``.
"""

from __future__ import annotations

from dataclasses import dataclass

from nic.offload.builder_enumerations import TEMPLATE
from nic.wire.internet import (
    ETHERTYPE_IPV4,
    ETHERTYPE_VLAN,
    INTERNET,
    IP_PROTOCOL_TCP,
    IPV4_DONT_FRAGMENT,
    TCP_ACK,
    TCP_PSH,
)
from nic.wire.ouch50 import OUCH50
from nic.wire.reference import Value, encode, encode_tags
from nic.wire.soupbintcp import SOUPBINTCP

WORD_BYTES = 8
HEADER_WORDS = 8
PAYLOAD_WORDS = 8
"""Of the template of an order."""
LONGEST_ORDER_BYTES = PAYLOAD_WORDS * WORD_BYTES
HOST_WORDS = 23
"""Of a payload of the host: with the headers in 31 words, so that a slot of 32 has one left."""
SHORTEST_FRAME_BYTES = 60
"""Of Ethernet, without the frame check sequence."""

HOST_PAYLOAD_AT = TEMPLATE.count * PAYLOAD_WORDS
"""Where the host's payload stands behind those of the templates."""
HEADER_AT = 64
DESCRIPTOR_AT = HEADER_AT + HEADER_WORDS
HEADER_DESCRIPTOR_AT = DESCRIPTOR_AT + TEMPLATE.count
"""The last word to be written: it makes the templates valid; any other word makes them invalid."""
ADDRESS_BITS = 7

DESCRIPTOR = (("payload_bytes", 8), ("total_length", 16), ("payload_sum", 16))
"""Bits of a payload's descriptor, lowest first; the sum is of its words and of the TCP length."""
HEADER_DESCRIPTOR = (("ip_sum", 16), ("tcp_sum", 16), ("is_tagged", 1))
"""Bits of the header's descriptor, lowest first; ``tcp_sum`` has the pseudo-header's addresses."""

CL_ORD_ID_PREFIX = b"TW"
MESSAGES = ("enter_order", "replace_order_request", "cancel_order_request")
"""OUCH messages by the number of the action."""

PIECES = {
    "number": 4,
    "order_number": 4,
    "side": 1,
    "quantity": 3,
    "price": 4,
    "time_in_force": 1,
    "symbol": 8,
    "strategy_text": 4,
    "number_text": 8,
}
"""What is filled in, most significant byte first, and its bytes."""

FILLED = {
    "enter_order": {
        "user_ref_num": "number",
        "side": "side",
        "quantity": "quantity",
        "symbol": "symbol",
        "price": "price",
        "time_in_force": "time_in_force",
    },
    "replace_order_request": {
        "orig_user_ref_num": "order_number",
        "user_ref_num": "number",
        "quantity": "quantity",
        "price": "price",
        "time_in_force": "time_in_force",
    },
    "cancel_order_request": {"user_ref_num": "order_number", "quantity": "quantity"},
}
"""Field to piece, per message; where a message has a ``cl_ord_id``, its texts are filled in too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionAddress:
    """Where the segments of a connection go; ``tag_control`` ``None`` sends them untagged."""

    source_mac: bytes
    destination_mac: bytes
    source_address: int
    destination_address: int
    source_port: int
    destination_port: int
    tag_control: int | None = None
    type_of_service: int = 0
    time_to_live: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLetters:
    """What is the same in all orders of a session; as the parameters of ``OuchChannel``."""

    firm: str = ""
    display: str = "Y"
    capacity: str = "P"
    cross_type: str = "N"


def ones_sum(data: bytes) -> int:
    """Ones' complement sum of the 16-bit words, an odd last byte with a zero behind it."""
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def words(data: bytes) -> list[int]:
    """Words of 8 bytes, the first byte lowest; zeros fill the last one."""
    return [
        int.from_bytes(data[i : i + WORD_BYTES], "little") for i in range(0, len(data), WORD_BYTES)
    ]


def pack(fields: tuple[tuple[str, int], ...], **values: int) -> int:
    """One word out of the fields of a descriptor; raises ``ValueError`` for what does not fit."""
    word = at = 0
    for name, bits in fields:
        if values[name] >> bits:
            raise ValueError(f"{name}: {values[name]} does not fit {bits} bits")
        word |= values[name] << at
        at += bits
    return word


def filled_places(message_name: str) -> dict[str, int]:
    """Where the pieces stand in the payload of a message: piece to offset of its first byte."""
    message = OUCH50[message_name]
    start = SOUPBINTCP["unsequenced_data"].length
    places = {
        piece: start + message[name].end - PIECES[piece]
        for name, piece in FILLED[message_name].items()
    }
    names = [item.name for item in message]
    if "cl_ord_id" in names:
        places["strategy_text"] = start + message["cl_ord_id"].offset + len(CL_ORD_ID_PREFIX)
        places["number_text"] = places["strategy_text"] + PIECES["strategy_text"]
    return places


def payload_template(kind: str, letters: OrderLetters) -> bytes:
    """The SoupBinTCP packet of an order of that kind, zeros where it is filled in."""
    prefix = CL_ORD_ID_PREFIX.ljust(OUCH50["enter_order"]["cl_ord_id"].width, b"\0")
    post_only = kind.endswith("_post_only")
    fields: dict[str, Value] = {}
    tags: dict[str, Value] = {}
    if kind.startswith("enter"):
        name = "enter_order"
        fields = {
            "side": b"\0",
            "symbol": bytes(PIECES["symbol"]),
            "time_in_force": b"\0",
            "display": letters.display.encode(),
            "capacity": letters.capacity.encode(),
            "inter_market_sweep_eligibility": b"N",
            "cross_type": letters.cross_type.encode(),
            "cl_ord_id": prefix,
        }
        if letters.firm:
            tags["firm"] = letters.firm.encode()
        if post_only:
            tags["post_only"] = b"P"
    elif kind.startswith("replace"):
        name = "replace_order_request"
        fields = {
            "time_in_force": b"\0",
            "display": letters.display.encode(),
            "inter_market_sweep_eligibility": b"N",
            "cl_ord_id": prefix,
        }
        tags["post_only"] = b"P" if post_only else b"N"
    else:
        name = "cancel_order_request"
    if tags:
        fields["payload"] = encode_tags(OUCH50, tags)
    return encode(SOUPBINTCP, "unsequenced_data", {"payload": encode(OUCH50, name, fields)})


def link_header(address: ConnectionAddress) -> bytes:
    """The Ethernet header, with its tag where there is one."""
    tagged = address.tag_control is not None
    ethernet = encode(
        INTERNET,
        "ethernet",
        {
            "destination": address.destination_mac,
            "source": address.source_mac,
            "ethertype": ETHERTYPE_VLAN if tagged else ETHERTYPE_IPV4,
        },
    )
    if address.tag_control is None:
        return ethernet
    tag: dict[str, Value] = {"tag_control": address.tag_control, "ethertype": ETHERTYPE_IPV4}
    return ethernet + encode(INTERNET, "vlan", tag)


def ip_header_fields(address: ConnectionAddress) -> dict[str, Value]:
    """The fields of the IPv4 header that are the same in every segment."""
    return {
        "version_and_header_length": 4 << 4 | INTERNET["ipv4"].length // 4,
        "type_of_service": address.type_of_service,
        "flags_and_fragment_offset": IPV4_DONT_FRAGMENT,
        "time_to_live": address.time_to_live,
        "protocol": IP_PROTOCOL_TCP,
        "source_address": address.source_address,
        "destination_address": address.destination_address,
    }


def tcp_header_fields(address: ConnectionAddress) -> dict[str, Value]:
    """The fields of the TCP header that are the same in every segment."""
    return {
        "source_port": address.source_port,
        "destination_port": address.destination_port,
        "data_offset": INTERNET["tcp"].length // 4 << 4,
        "flags": TCP_PSH | TCP_ACK,
    }


def template_writes(address: ConnectionAddress, letters: OrderLetters) -> list[tuple[int, int]]:
    """What the host writes, in order: (address, word). Raises ``ValueError`` for a long payload."""
    ip = encode(INTERNET, "ipv4", {**ip_header_fields(address), "total_length": 0})
    tcp = encode(INTERNET, "tcp", tcp_header_fields(address))
    header = (link_header(address) + ip + tcp).ljust(HEADER_WORDS * WORD_BYTES, b"\0")
    writes = [(HEADER_AT + i, word) for i, word in enumerate(words(header))]
    for entry in TEMPLATE.entries:
        payload = payload_template(entry.name, letters)
        if len(payload) > LONGEST_ORDER_BYTES:
            raise ValueError(f"{entry.name}: {len(payload)} bytes of payload")
        first = entry.value * PAYLOAD_WORDS
        padded = payload.ljust(LONGEST_ORDER_BYTES, b"\0")
        writes += [(first + i, word) for i, word in enumerate(words(padded))]
        tcp_length = INTERNET["tcp"].length + len(payload)
        descriptor = pack(
            DESCRIPTOR,
            payload_bytes=len(payload),
            total_length=INTERNET["ipv4"].length + tcp_length,
            payload_sum=ones_sum(payload + b"\0" * (len(payload) % 2) + tcp_length.to_bytes(2)),
        )
        writes.append((DESCRIPTOR_AT + entry.value, descriptor))
    pseudo = (
        address.source_address.to_bytes(4)
        + address.destination_address.to_bytes(4)
        + IP_PROTOCOL_TCP.to_bytes(2)
    )
    last = pack(
        HEADER_DESCRIPTOR,
        ip_sum=ones_sum(ip),
        tcp_sum=ones_sum(pseudo + tcp),
        is_tagged=int(address.tag_control is not None),
    )
    return [*writes, (HEADER_DESCRIPTOR_AT, last)]
