# SPDX-License-Identifier: Apache-2.0
"""Valid bytes of every protocol, and ways to spoil them; all of it follows from one seed."""

from random import Random

from nic.frame_reference import checksum
from nic.wire import reference
from nic.wire.protocols import PROTOCOLS
from nic.wire.table import Message, Protocol

INTERESTING = (0, 1, 2, 3, 0x0C, 0x12, 0x1C, 0x24, 0x41, 0x7F, 0x80, 0xFE, 0xFF)


def message_bytes(rng: Random, protocol: Protocol, message: Message) -> bytes:
    """A valid message with random fields and, where it may have one, a random payload."""
    values: dict[str, int | bytes] = {}
    for field in message:
        raw = rng.randbytes(field.width)
        if not field.counts:
            values[field.name] = (
                int.from_bytes(raw, "big", signed=field.kind == "signed")
                if field.is_integer
                else raw
            )
    if message.has_appendage:
        tags = rng.sample(protocol.tags, rng.randrange(4))
        values["payload"] = b"".join(
            bytes([1 + t.value.width, t.number]) + rng.randbytes(t.value.width) for t in tags
        )
    elif message.length_rule.name != "EXACT":
        values["payload"] = rng.randbytes(rng.randrange(30))
    return reference.encode(protocol, message.name, values)


def any_message(rng: Random, *names: str) -> bytes:
    """A valid message of one of the protocols named."""
    protocol = PROTOCOLS[rng.choice(names)]
    return message_bytes(rng, protocol, rng.choice(protocol.messages))


def session(rng: Random) -> bytes:
    """A BinaryFILE session of ITCH messages."""
    messages = [any_message(rng, "itch50") for _ in range(rng.randrange(12))]
    return b"".join(len(m).to_bytes(2, "big") + m for m in messages)


def moldudp64(rng: Random, sequence_number: int) -> bytes:
    """A downstream packet of ITCH messages."""
    messages = [any_message(rng, "itch50") for _ in range(rng.randrange(8))]
    values = {
        "session": b"SESSION001",
        "sequence_number": sequence_number,
        "message_count": len(messages),
        "payload": b"".join(len(m).to_bytes(2, "big") + m for m in messages),
    }
    return reference.encode(PROTOCOLS["moldudp64"], "header", values)


def iextp(rng: Random, sequence_number: int) -> bytes:
    """A segment of DEEP messages."""
    messages = [any_message(rng, "deep10") for _ in range(rng.randrange(8))]
    values = {
        "version": 1,
        "message_protocol_id": 0x8004,
        "channel_id": 1,
        "session_id": 7,
        "message_count": len(messages),
        "stream_offset": 40 * sequence_number % 2**63,
        "first_message_sequence_number": sequence_number,
        "payload": b"".join(len(m).to_bytes(2, "little") + m for m in messages),
    }
    return reference.encode(PROTOCOLS["iextp"], "header", values)


def frame(rng: Random, payload: bytes, transport: str) -> bytes:
    """An Ethernet frame with an IPv4 packet that carries UDP or TCP."""
    table = PROTOCOLS["internet"]
    carried = reference.encode(
        table, transport, {"data_offset": 0x50} if transport == "tcp" else {}
    )
    if transport == "udp":
        carried = reference.encode(table, "udp", {"payload": payload})
    else:
        carried += payload
    values: dict[str, int | bytes] = {
        "version_and_header_length": 0x45,
        "protocol": 17 if transport == "udp" else 6,
        "payload": carried,
    }
    header = reference.encode(table, "ipv4", values)[: table["ipv4"].length]
    packet = reference.encode(table, "ipv4", values | {"header_checksum": checksum(header)})
    kind = 0x0800
    if rng.random() < 0.3:
        packet = reference.encode(table, "vlan", {"ethertype": kind, "payload": packet})
        kind = 0x8100
    return reference.encode(table, "ethernet", {"ethertype": kind, "payload": packet})


def spoil(rng: Random, data: bytes) -> bytes:
    """The bytes with some of them changed, cut, doubled, moved or added."""
    spoiled = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        at = rng.randrange(len(spoiled) + 1)
        way = rng.randrange(6)
        if way == 0 and at < len(spoiled):
            spoiled[at] ^= 1 << rng.randrange(8)
        elif way == 1 and at < len(spoiled):
            spoiled[at] = rng.choice(INTERESTING)
        elif way == 2:
            del spoiled[at:]
        elif way == 3:
            del spoiled[at : at + rng.randrange(6)]
        elif way == 4:
            spoiled[at:at] = rng.randbytes(rng.randrange(6))
        else:
            spoiled += spoiled[at:]
    return bytes(spoiled[:4096])


BOOK_FIELDS = {
    "order_reference_number": 40,
    "original_order_reference_number": 40,
    "new_order_reference_number": 40,
    "stock_locate": 70,
    "price": 50,
    "shares": 300,
    "size": 300,
}
"""Fields of book messages, and the bound below which their values make books that really change."""


def book_message(rng: Random, name: str) -> bytes:
    """A message that is likely to change a small book: few orders, prices and symbols."""
    protocol = PROTOCOLS[name]
    message = rng.choice(protocol.messages)
    data = bytearray(message_bytes(rng, protocol, message))
    for field in message:
        if bound := BOOK_FIELDS.get(field.name):
            value = rng.randrange(bound)
            data[field.offset : field.end] = value.to_bytes(field.width, protocol.byte_order)
        elif field.name in ("stock", "symbol"):
            data[field.offset : field.end] = rng.choice((b"AAPL    ", b"MSFT    ", b"QQQ     "))
        elif field.name == "buy_sell_indicator":
            data[field.offset] = rng.choice(b"BS")
    return bytes(data)


def soup(packet_type: bytes, payload: bytes = b"") -> bytes:
    """A SoupBinTCP packet."""
    return (1 + len(payload)).to_bytes(2, "big") + packet_type + payload


def soup_to_client(rng: Random) -> bytes:
    """A packet of a server: a login that is accepted, sequenced OUCH messages, a heartbeat."""
    ouch = PROTOCOLS["ouch50"]
    choice = rng.random()
    if choice < 0.3:
        number = str(rng.randrange(1, 9)).rjust(20).encode()
        return soup(b"A", b"FUZZ".rjust(10) + number)
    if choice < 0.4:
        return soup(rng.choice((b"H", b"+", b"Z", b"J")), rng.choice((b"", b"A")))
    message = ouch[rng.choice(ouch.directions["outbound"])]
    return soup(b"S", message_bytes(rng, ouch, message))


def login(rng: Random) -> bytes:
    """A login request to the first session of the exchange."""
    credentials = b"trader" + b"secret".ljust(10)
    return soup(b"L", credentials + b" " * 10 + str(rng.randrange(3)).rjust(20).encode())


def soup_to_server(rng: Random) -> bytes:
    """A packet of a client: OUCH messages with fields that a small exchange takes."""
    ouch = PROTOCOLS["ouch50"]
    if rng.random() < 0.1:
        return soup(rng.choice((b"R", b"O", b"+")))
    message = ouch[rng.choice(ouch.directions["inbound"])]
    data = bytearray(message_bytes(rng, ouch, message))
    wanted = {
        "symbol": lambda: rng.choice((b"AAPL    ", b"MSFT    ")),
        "side": lambda: rng.choice((b"B", b"S")),
        "quantity": lambda: rng.randrange(1, 500).to_bytes(4, "big"),
        "price": lambda: (1_000_000 + 100 * rng.randrange(20)).to_bytes(8, "big"),
        "user_ref_num": lambda: rng.randrange(1, 200).to_bytes(4, "big"),
        "orig_user_ref_num": lambda: rng.randrange(1, 200).to_bytes(4, "big"),
        "time_in_force": lambda: rng.choice((b"0", b"3")),
        "display": lambda: b"Y",
        "capacity": lambda: b"P",
        "cross_type": lambda: b"N",
        "inter_market_sweep_eligibility": lambda: b"N",
    }
    for field in message:
        if field.name in wanted and rng.random() < 0.95:
            data[field.offset : field.end] = wanted[field.name]()
    return soup(b"U", bytes(data))
