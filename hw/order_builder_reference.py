# SPDX-License-Identifier: Apache-2.0
"""The readable specification of the order builder: what becomes of each order and payload.

Frames are made by the reference codec out of values, not out of templates, and their checksums over
the finished bytes. Room is asked for the longest order that a template can hold, and a payload of
the host leaves that much behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hw.replay_ring import SLOTS
from hw.request import BUY
from nic.frame_reference import checksum
from nic.offload.builder_enumerations import BUILDER
from nic.offload.order_template import (
    HOST_WORDS,
    LONGEST_ORDER_BYTES,
    SHORTEST_FRAME_BYTES,
    WORD_BYTES,
    ConnectionAddress,
    OrderLetters,
    ip_header_fields,
    link_header,
    tcp_header_fields,
)
from nic.wire.internet import INTERNET, IP_PROTOCOL_TCP
from nic.wire.ouch50 import OUCH50
from nic.wire.reference import encode, encode_tags
from nic.wire.soupbintcp import SOUPBINTCP

NEW, REPLACE, CANCEL = range(3)
MODULUS = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order that the gate passed; the fields of a request, and the numbers it was given."""

    action: int
    side: int = BUY
    time_in_force: int = ord("0")
    post_only: int = 0
    strategy: int = 0
    venue: int = 0
    symbol: bytes = b"        "
    quantity: int = 0
    price: int = 0
    order_number: int = 0
    user_ref_num: int = 0
    pass_number: int = 0


@dataclass(slots=True, kw_only=True)
class Connection:
    """What the host says of the connection."""

    is_connected: int = 0
    is_armed: int = 0
    venue: int = 0
    acknowledgment_number: int = 0
    window: int = 0
    unacknowledged: int = 0
    peer_window: int = 0
    maximum_in_flight: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment in the replay ring."""

    sequence_number: int
    payload: bytes
    frame: bytes


def packet_of(order: Order, letters: OrderLetters) -> bytes:
    """The SoupBinTCP packet of an order: the bytes that ``OuchChannel`` sends for it."""
    tags: dict[str, int | bytes] = {}
    values: dict[str, int | bytes] = {}
    if order.action == CANCEL:
        name = "cancel_order_request"
        values = {"user_ref_num": order.order_number, "quantity": order.quantity}
    else:
        values = {
            "user_ref_num": order.user_ref_num,
            "quantity": order.quantity,
            "price": order.price,
            "time_in_force": bytes([order.time_in_force]),
            "display": letters.display.encode(),
            "inter_market_sweep_eligibility": b"N",
            "cl_ord_id": f"TW{order.strategy:04X}{order.user_ref_num:08X}".encode(),
        }
        if order.action == NEW:
            name = "enter_order"
            values |= {
                "side": bytes([order.side]),
                "symbol": order.symbol,
                "capacity": letters.capacity.encode(),
                "cross_type": letters.cross_type.encode(),
            }
            if letters.firm:
                tags["firm"] = letters.firm.encode()
            if order.post_only:
                tags["post_only"] = b"P"
        else:
            name = "replace_order_request"
            values["orig_user_ref_num"] = order.order_number
            tags["post_only"] = b"P" if order.post_only else b"N"
    if tags:
        values["payload"] = encode_tags(OUCH50, tags)
    return encode(SOUPBINTCP, "unsequenced_data", {"payload": encode(OUCH50, name, values)})


@dataclass(slots=True, kw_only=True)
class ReferenceOrderBuilder:
    """Orders and payloads in, frames out. ``templates_loaded``: the host wrote the templates."""

    address: ConnectionAddress
    letters: OrderLetters
    connection: Connection = field(default_factory=Connection)
    templates_loaded: bool = False
    slots: int = SLOTS
    next_sequence_number: int = 0
    identification: int = 0
    segments: int = 0
    held: int = 0
    ring: dict[int, Segment] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BUILDER.names, 0))

    def set_sequence_number(self, number: int) -> None:
        """Begin a connection at this byte; not while there is one."""
        if not self.connection.is_connected:
            self.next_sequence_number = number
            self.held = 0

    def room(self, limit: int) -> int:
        """Bytes that may still leave under a limit; none if the peer acknowledges the future."""
        in_flight = (self.next_sequence_number - self.connection.unacknowledged) % MODULUS
        return limit - in_flight if in_flight < MODULUS // 2 else -1

    def room_refusal(self, size: int) -> str:
        """Why there is no room for so many bytes; empty where there is."""
        if self.room(self.connection.peer_window) < size:
            return "no_window"
        if self.room(self.connection.maximum_in_flight) < size:
            return "in_flight_limit"
        return ""

    def order(self, order: Order) -> tuple[str, bytes]:
        """The result of an order, and its frame where it leaves."""
        if not self.connection.is_connected:
            found = "not_connected"
        elif not self.connection.is_armed:
            found = "not_armed"
        elif not self.templates_loaded:
            found = "template_not_loaded"
        elif room := self.room_refusal(LONGEST_ORDER_BYTES):
            found = room
        elif order.venue != self.connection.venue:
            found = "other_venue"
        elif order.action not in (NEW, REPLACE, CANCEL):
            found = "bad_action"
        else:
            found = "orders_sent"
        self.counts[found] += 1
        return found, self.sent(packet_of(order, self.letters)) if found == "orders_sent" else b""

    def payload(self, data: bytes) -> tuple[str, bytes]:
        """The result of a payload of the host, and its frame where it leaves."""
        if not self.connection.is_connected:
            found = "not_connected"
        elif len(data) > HOST_WORDS * WORD_BYTES:
            found = "payload_too_long"
        elif not self.templates_loaded:
            found = "template_not_loaded"
        else:
            found = self.room_refusal(len(data) + LONGEST_ORDER_BYTES) or "payloads_sent"
        self.counts[found] += 1
        return found, self.sent(data) if found == "payloads_sent" else b""

    def resend(self, slot: int) -> bytes:
        """The frame that is sent again out of a slot; empty where it is refused."""
        age = (self.segments - 1 - slot) % self.slots
        if age >= self.held or not self.connection.is_connected:
            self.counts["resend_refused"] += 1
            return b""
        self.counts["resends"] += 1
        return self.ring[slot].frame

    def sent(self, payload: bytes) -> bytes:
        """The frame of a payload; sequence number and ring move on."""
        frame = self.frame(payload)
        slot = self.segments % self.slots
        if self.held == self.slots:
            oldest = self.ring[slot]
            end = oldest.sequence_number + len(oldest.payload)
            left = (end - self.connection.unacknowledged) % MODULUS
            self.counts["overwritten_unacknowledged"] += 0 < left < MODULUS // 2
        self.ring[slot] = Segment(self.next_sequence_number, payload, frame)
        self.segments += 1
        self.held = min(self.held + 1, self.slots)
        self.next_sequence_number = (self.next_sequence_number + len(payload)) % MODULUS
        self.identification = (self.identification + 1) % (1 << 16)
        return frame

    def frame(self, payload: bytes) -> bytes:
        """Ethernet, IPv4 and TCP around a payload, with both checksums, padded to 60 bytes."""
        tcp_fields = {
            **tcp_header_fields(self.address),
            "sequence_number": self.next_sequence_number,
            "acknowledgment_number": self.connection.acknowledgment_number,
            "window": self.connection.window,
        }
        length = INTERNET["tcp"].length + len(payload)
        pseudo = (
            self.address.source_address.to_bytes(4)
            + self.address.destination_address.to_bytes(4)
            + IP_PROTOCOL_TCP.to_bytes(2)
            + length.to_bytes(2)
        )
        plain = encode(INTERNET, "tcp", tcp_fields) + payload
        tcp_fields["checksum"] = checksum(pseudo + plain + b"\0" * (length % 2))
        ip_fields = {
            **ip_header_fields(self.address),
            "identification": self.identification,
            "total_length": INTERNET["ipv4"].length + length,
        }
        ip_fields["header_checksum"] = checksum(encode(INTERNET, "ipv4", ip_fields))
        packet = encode(INTERNET, "ipv4", ip_fields) + encode(INTERNET, "tcp", tcp_fields) + payload
        return (link_header(self.address) + packet).ljust(SHORTEST_FRAME_BYTES, b"\0")
