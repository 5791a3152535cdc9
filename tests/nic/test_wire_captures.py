# SPDX-License-Identifier: Apache-2.0
"""Real bytes: published test vectors, and captures where TICKWIRE_DATA names their folder."""

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from wire_support import blocks, data_folder, frames, transport_payload

from nic.wire import compiled, reference
from nic.wire.protocols import PROTOCOLS
from nic.wire.reference import WireError

HEARTBEAT = "01000480010000000000dd480000000000000000000000000100000000000000af326a0223e05d16"
UPDATE_HEADER = "01000480010000000000dd4820000100918eab00000000005e6b0500000000006d1c16353ae25d16"
UPDATE = "1e003801be7f13353ae25d165620202020202020be000000b4f01e0000000000"
QUOTE_HEADER = "0100038001000000000096442c000100de051900000000009dc200000000000043f1f79c37b30d15"
ORDER_HEADER = "010005800100000000001d4e28000100cd490f00000000002eb8000000000000db289e166155fa17"
DELETE_HEADER = "010005800100000000001d4e1c000100f5490f00000000002fb80000000000004ff79dc56155fa17"


def decode(protocol: str, data: bytes, direction: str = "") -> tuple[str, dict]:
    """Decode by both codecs, which must agree and give the bytes back."""
    name, values = compiled.decode(protocol, data, direction)
    assert reference.decode(PROTOCOLS[protocol], data, direction) == (name, values)
    assert compiled.encode(protocol, name, values) == data
    return name, values


def iex_header(text: str) -> dict:
    data = bytes.fromhex(text)
    values = compiled.decode_as("iextp", "header", data)
    assert values == reference.decode_as(PROTOCOLS["iextp"], "header", data)
    return values


def test_iex_heartbeat() -> None:
    values = iex_header(HEARTBEAT)
    assert values["version"] == 1
    assert values["message_protocol_id"] == 0x8004
    assert values["session_id"] == 0x48DD0000
    assert (values["payload_length"], values["message_count"]) == (0, 0)
    assert (values["stream_offset"], values["first_message_sequence_number"]) == (0, 1)


def test_iex_price_level_update() -> None:
    header = iex_header(UPDATE_HEADER)
    assert header["first_message_sequence_number"] == 355166
    assert header["stream_offset"] == 11243153
    payload = bytes.fromhex(UPDATE)
    assert (header["payload_length"], header["message_count"]) == (len(payload), 1)
    (message,) = blocks(PROTOCOLS["iextp"], payload)
    name, values = decode("deep10", message)
    assert name == "price_level_update_buy"
    assert values["timestamp"] == 1611692981294956478
    assert values["symbol"] == b"V       "
    assert (values["event_flags"], values["size"], values["price"]) == (1, 190, 2027700)


@pytest.mark.parametrize(
    ("text", "protocol_id", "sequence", "payload_length"),
    [
        (QUOTE_HEADER, 0x8003, 49821, 44),
        (ORDER_HEADER, 0x8005, 47150, 40),
        (DELETE_HEADER, 0x8005, 47151, 28),
    ],
)
def test_iex_headers_of_other_feeds(
    text: str, protocol_id: int, sequence: int, payload_length: int
) -> None:
    values = iex_header(text)
    assert values["message_protocol_id"] == protocol_id
    assert values["first_message_sequence_number"] == sequence
    assert (values["payload_length"], values["message_count"]) == (payload_length, 1)


def test_types_of_other_iex_feeds_are_unknown_to_deep() -> None:
    for code in b"QaMRLC":
        with pytest.raises(WireError) as refused:
            compiled.decode("deep10", bytes([code]) + bytes(80))
        assert refused.value.reason == "unknown_type"


def test_first_message_of_a_real_nasdaq_day() -> None:
    name, values = decode("itch50", bytes.fromhex("53000000000a11ea0e8c434f"))
    assert name == "system_event"
    assert values["event_code"] == b"O"
    assert values["timestamp"] == 0x0A11EA0E8C43


def itch_packets(folder: Path) -> list[tuple[dict, list[bytes]]]:
    found = []
    for path in sorted((folder / "nasdaq-itch50").glob("*.pcap")):
        for frame in frames(path):
            header = compiled.decode_as("moldudp64", "header", transport_payload(frame))
            found.append((header, list(blocks(PROTOCOLS["moldudp64"], header["payload"]))))
    return found


def test_itch_captures() -> None:
    packets = itch_packets(data_folder())
    assert len(packets) == 9
    assert {header["session"] for header, _ in packets} == {b"000010059B"}
    assert [len(messages) for _, messages in packets] == [h["message_count"] for h, _ in packets]
    assert max(len(messages) for _, messages in packets) == 38
    types = Counter()
    for _, messages in packets:
        for message in messages:
            _, values = decode("itch50", message)
            types[values["message_type"].decode()] += 1
            assert values["timestamp"] < 86_400_000_000_000
    assert types == {"A": 37, "F": 2, "D": 2, "L": 1, "I": 1, "E": 1, "U": 1, "H": 1}


def test_head_of_a_nasdaq_day() -> None:
    path = data_folder() / "nasdaq-itch50" / "first-1000-messages-20191230.itch"
    types = Counter()
    for message in blocks(PROTOCOLS["binaryfile"], path.read_bytes()):
        name, values = decode("itch50", message)
        types[name] += 1
        if name == "stock_directory":
            assert values["stock"].strip().isascii()
            assert values["authenticity"] in (b"P", b"T")
    assert types == {
        "stock_directory": 993,
        "stock_trading_action": 3,
        "reg_sho_restriction": 3,
        "system_event": 1,
    }


def test_ouch_captures() -> None:
    seen = []
    ways = {"unsequenced_data": "inbound", "sequenced_data": "outbound"}
    for path in sorted((data_folder() / "nasdaq-ouch50").glob("*.pcap")):
        for frame in frames(path):
            data = transport_payload(frame)
            while data:
                size = 2 + int.from_bytes(data[:2], "big")
                packet, data = data[:size], data[size:]
                direction = "to_client" if packet[2:3] in b"SAJHZ" else "to_server"
                name, values = decode("soupbintcp", packet, direction)
                seen.append(name)
                if name in ways:
                    inner, fields = decode("ouch50", values["payload"], ways[name])
                    seen.append(inner)
                    compiled.decode_tags("ouch50", fields.get("payload", b""))
                    assert fields["symbol"].strip().isalpha()
    assert Counter(seen)["client_heartbeat"] == 1
    assert {"enter_order", "order_accepted"} <= set(seen)


def test_iex_capture() -> None:
    """The first 600 packets of an IEX sample day: every block decodes and fills its segment."""
    types = Counter()
    heartbeats = 0
    for frame in islice(frames(data_folder() / "iex" / "DEEP10.pcap.gz"), 600):
        data = transport_payload(frame)
        header = compiled.decode_as("iextp", "header", data)
        assert header["message_protocol_id"] == 0x8004
        assert header["payload_length"] == len(header["payload"])
        messages = list(blocks(PROTOCOLS["iextp"], header["payload"]))
        assert len(messages) == header["message_count"]
        heartbeats += not messages
        for message in messages:
            name, _ = decode("deep10", message)
            types[name] += 1
            assert len(message) == PROTOCOLS["deep10"][name].length
    assert heartbeats
    assert {"price_level_update_buy", "price_level_update_sell", "security_event"} & set(types)
