# SPDX-License-Identifier: Apache-2.0
"""Scapy layers made from the protocol tables, for tests and tools.

One packet class per message, named as the C structs are (``Itch50AddOrder``): ``layer("itch50",
"add_order")``. Type codes, counts and length fields are filled in where they are left out.
MoldUDP64 and IEX-TP headers hold their message blocks in ``blocks``; the payload of a block, of a
SoupBinTCP data packet and of an OUCH message with option tags is the next layer::

    MoldUDP64(session=b"000010059B", sequence_number=1, blocks=[MoldBlock() / AddOrder(shares=100)])
    SoupUnsequenced() / EnterOrder(side=b"B", quantity=100) / OptionTag(number=12, value=b"P")

Ethernet, IP, UDP and TCP are scapy's own layers; :func:`bind` says on which ports these follow. A
field that is named like a method of scapy (``display``) is read by ``packet.getfieldval(name)``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

from scapy.fields import ByteField, Field, PacketListField, StrLenField
from scapy.layers.inet import TCP, UDP
from scapy.packet import Packet, Raw, bind_layers

from nic.wire import table
from nic.wire.layout import class_name
from nic.wire.protocols import PROTOCOLS
from nic.wire.reference import WireError, classify, decode_field, encode_field


class TableField(Field[Any, Any]):
    """A field of a table by way of the reference codec; ``None`` is filled in later."""

    __slots__ = ("byte_order", "item")

    def __init__(self, item: table.Field, byte_order: table.ByteOrder, default: Any) -> None:
        """The field ``item`` of a message in that byte order."""
        super().__init__(item.name, default, f"{item.width}s")
        self.item = item
        self.byte_order = byte_order

    def addfield(self, pkt: Packet, s: bytes, val: Any) -> bytes:
        """Append the field's bytes."""
        empty = 0 if self.item.is_integer else b""
        return s + encode_field(self.item, empty if val is None else val, self.byte_order)

    def getfield(self, pkt: Packet, s: bytes) -> tuple[bytes, Any]:
        """Take the field's bytes off the front."""
        width = self.item.width
        if len(s) < width:
            raise struct.error(f"{self.name} needs {width} bytes, {len(s)} are left")
        alone = replace(self.item, offset=0)
        return s[width:], decode_field(alone, s[:width], self.byte_order)

    def i2m(self, pkt: Packet | None, x: Any) -> Any:
        """The value as it stands in the packet."""
        return x

    def m2i(self, pkt: Packet | None, x: Any) -> Any:
        """The value as users see it."""
        return x


class OptionalLength(TableField):
    """An appendage length that may be left out where nothing follows it."""

    def addfield(self, pkt: Packet, s: bytes, val: Any) -> bytes:
        """Append the length unless it is not given and nothing follows."""
        if val is None and not pkt.payload:
            return s
        return super().addfield(pkt, s, val)

    def getfield(self, pkt: Packet, s: bytes) -> tuple[bytes, Any]:
        """Take the length off the front where there is one."""
        return super().getfield(pkt, s) if s else (s, None)


class TableLayer(Packet):
    """A message of a table; subclasses are made by :func:`make_layer`."""

    protocol: table.Protocol
    message: table.Message

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in the length fields that were left out."""
        following = len(pkt) - self.message.length + len(pay)
        for item in self.message:
            if item.counts and self.getfieldval(item.name) is None and item.end <= len(pkt):
                value = self.message.count(item, following)
                raw = encode_field(item, value, self.protocol.byte_order)
                pkt = pkt[: item.offset] + raw + pkt[item.end :]
        return pkt + pay

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        """Option tags after a message that has an appendage, otherwise raw bytes."""
        whole_tag = len(payload) > 1 and 0 < payload[0] < len(payload)
        return OptionTag if self.message.has_appendage and whole_tag else Raw


class OptionTag(Packet):
    """One option tag of an appendage; the next one is its payload."""

    name = "OUCH 5.0 option tag"
    fields_desc: ClassVar[list[Any]] = [
        ByteField("length", None),
        ByteField("number", 0),
        StrLenField("value", b"", length_from=lambda pkt: max(0, pkt.length - 1)),
    ]

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in the length where it was left out."""
        if self.length is None:
            pkt = bytes([len(pkt) - 1]) + pkt[1:]
        return pkt + pay

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        """A further option tag where a whole one follows."""
        return OptionTag if len(payload) > 1 and 0 < payload[0] < len(payload) else Raw


class BlockLayer(TableLayer):
    """A message block: its length, then one message of ``content``."""

    content = "itch50"

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """The message and the blocks behind it."""
        length = self.getfieldval("message_length")
        return s[:length], s[length:]

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        """The layer of the message's type."""
        return message_layer(self.content, payload)


class BlocksLayer(TableLayer):
    """A header with message blocks behind it, which ``message_count`` counts where it is absent."""

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in the count and the length of the blocks."""
        item = self.message["message_count"]
        if self.getfieldval(item.name) is None:
            raw = encode_field(item, len(self.getfieldval("blocks")), self.protocol.byte_order)
            pkt = pkt[: item.offset] + raw + pkt[item.end :]
        return super().post_build(pkt, pay)


class SoupLayer(TableLayer):
    """A SoupBinTCP packet; behind its end stands the next one of the stream."""

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """The payload and the packets behind it."""
        type_bytes = self.message.length - self.message["packet_length"].end
        length = max(0, self.getfieldval("packet_length") - type_bytes)
        return s[:length], s[length:]

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        """The layer of an OUCH message, by the way it goes."""
        ways = {"sequenced_data": "outbound", "unsequenced_data": "inbound"}
        way = ways.get(self.message.name)
        return message_layer("ouch50", payload, way) if way else Raw


class SoupStream(Packet):
    """What a TCP segment of a SoupBinTCP session carries: packets one after the other."""

    name = "SoupBinTCP stream"
    fields_desc: ClassVar[list[Any]] = [
        PacketListField("packets", [], next_cls_cb=lambda p, done, last, rest: soup_layer(rest)),
    ]


BASES: dict[tuple[str, str], type[TableLayer]] = {
    ("moldudp64", "header"): BlocksLayer,
    ("moldudp64", "block"): BlockLayer,
    ("binaryfile", "block"): BlockLayer,
    ("iextp", "header"): BlocksLayer,
    ("iextp", "block"): BlockLayer,
}
DEFAULTS = {
    ("iextp", "header"): {"version": 1, "message_protocol_id": 0x8004},
    ("iextp", "gap_fill_request"): {"version": 1, "request_type": 1},
}


def make_fields(protocol: table.Protocol, message: table.Message) -> list[Field[Any, Any]]:
    """The scapy fields of a message."""
    given = DEFAULTS.get((protocol.name, message.name), {})
    fields: list[Field[Any, Any]] = []
    for item in message:
        default: Any = given.get(item.name, 0 if item.is_integer else b"")
        kind = TableField
        if message.code is not None and item.offset == protocol.type_offset:
            default = bytes([message.code])
        elif item.counts or item.name == "message_count":
            default = None
            if item.end > message.shortest_length:
                kind = OptionalLength
        fields.append(kind(item, protocol.byte_order, default))
    return fields


def make_layer(protocol: table.Protocol, message: table.Message) -> type[TableLayer]:
    """The packet class of one message."""
    base = BASES.get((protocol.name, message.name), TableLayer)
    if protocol.name == "soupbintcp":
        base = SoupLayer
    fields = make_fields(protocol, message)
    space: dict[str, Any] = {"protocol": protocol, "message": message}
    if base is BlocksLayer:
        block = LAYERS.setdefault((protocol.name, "block"), make_layer(protocol, protocol["block"]))
        fields.append(PacketListField("blocks", [], block))
    if protocol.name == "iextp":
        space["content"] = "deep10"
    space["name"] = f"{protocol.title} {message.title}"
    space["fields_desc"] = fields
    return type(class_name(protocol.name, message), (base,), space)


LAYERS: dict[tuple[str, str], type[TableLayer]] = {}
for _protocol in PROTOCOLS.values():
    if _protocol.name != "internet":  # scapy's own layers
        for _message in _protocol.messages:
            _key = (_protocol.name, _message.name)
            if _key not in LAYERS:
                LAYERS[_key] = make_layer(_protocol, _message)


def layer(protocol_name: str, message_name: str) -> type[TableLayer]:
    """The packet class of a message; raises ``KeyError``."""
    return LAYERS[protocol_name, message_name]


def message_layer(protocol_name: str, data: bytes, direction: str = "") -> type[Packet]:
    """The packet class of a message by its type code and length; raw where it is refused."""
    protocol = PROTOCOLS[protocol_name]
    try:
        return LAYERS[protocol_name, classify(protocol, data, direction).name]
    except WireError:
        return Raw


def soup_layer(rest: bytes) -> type[Packet] | None:
    """The packet class of the SoupBinTCP packet that a stream starts with; ``None`` if cut."""
    length = PROTOCOLS["soupbintcp"]["debug"]["packet_length"]
    if len(rest) <= length.end:
        return None
    size = length.end + int.from_bytes(rest[: length.end], "big")
    if size > len(rest):
        return None
    for direction in PROTOCOLS["soupbintcp"].directions:
        found = message_layer("soupbintcp", rest[:size], direction)
        if found is not Raw:
            return found
    return None


def bind(
    moldudp_ports: Iterable[int] = (),
    soup_ports: Iterable[int] = (),
    iextp_ports: Iterable[int] = (),
) -> None:
    """Say on which UDP and TCP ports the layers follow, in either direction."""
    pairs: list[tuple[type[Packet], type[Packet], int]] = []
    pairs += [(UDP, layer("moldudp64", "header"), port) for port in moldudp_ports]
    pairs += [(UDP, layer("iextp", "header"), port) for port in iextp_ports]
    pairs += [(TCP, SoupStream, port) for port in soup_ports]
    for lower, upper, port in pairs:
        bind_layers(lower, upper, sport=port)
        bind_layers(lower, upper, dport=port)
