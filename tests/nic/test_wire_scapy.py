# SPDX-License-Identifier: Apache-2.0
"""The scapy layers: built packets are what the reference encodes, and are taken apart again."""

import pytest
from hypothesis import given, settings
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw
from wire_support import (
    EVERY_MESSAGE,
    data_folder,
    field_values,
    frames,
    message_id,
    transport_payload,
)

from nic.wire import reference
from nic.wire.protocols import PROTOCOLS
from nic.wire.scapy_layers import OptionTag, SoupStream, bind, layer, message_layer
from nic.wire.table import Message, Protocol

INTERNET = PROTOCOLS["internet"]
LAYERED = [(p, m) for p, m in EVERY_MESSAGE if p.name != "internet"]
MOLD_PORT, SOUP_PORT, IEX_PORT = 26477, 9821, 16648
bind(moldudp_ports=[MOLD_PORT], soup_ports=[SOUP_PORT], iextp_ports=[IEX_PORT])

MoldUDP64 = layer("moldudp64", "header")
MoldBlock = layer("moldudp64", "block")
AddOrder = layer("itch50", "add_order")
EnterOrder = layer("ouch50", "enter_order")


@pytest.mark.parametrize(("protocol", "message"), LAYERED, ids=message_id)
def test_built_packets_are_what_the_reference_encodes(protocol: Protocol, message: Message) -> None:
    made = layer(protocol.name, message.name)

    @settings(max_examples=6)
    @given(field_values(message))
    def check(values: dict[str, int | bytes]) -> None:
        sent = {k: v for k, v in values.items() if message.code is None or k != code_field}
        data = bytes(made(**sent))
        assert data == reference.encode(protocol, message.name, values)
        again = made(data)
        assert bytes(again) == data
        for name, value in reference.decode_as(protocol, message.name, data).items():
            if name != "payload":
                assert again.getfieldval(name) == value

    code_field = next((f.name for f in message if f.offset == protocol.type_offset), "")
    check()


def test_moldudp64_over_udp() -> None:
    packet = (
        Ether()
        / Dot1Q(vlan=7)
        / IP(src="10.0.0.1", dst="233.54.12.111")
        / UDP(sport=MOLD_PORT, dport=MOLD_PORT)
        / MoldUDP64(
            session=b"000010059B",
            sequence_number=5,
            blocks=[
                MoldBlock() / AddOrder(stock=b"AAPL", shares=100, price=1234500),
                MoldBlock() / layer("itch50", "order_delete")(order_reference_number=9),
                MoldBlock() / Raw(b"unknown"),
                MoldBlock(),
            ],
        )
    )
    frame = bytes(packet)
    data = transport_payload(frame)
    header = reference.decode_as(PROTOCOLS["moldudp64"], "header", data)
    assert (header["sequence_number"], header["message_count"]) == (5, 4)
    add = reference.encode(
        PROTOCOLS["itch50"], "add_order", {"stock": b"AAPL", "shares": 100, "price": 1234500}
    )
    assert header["payload"].startswith(b"\x00\x24" + add)
    again = Ether(frame)
    assert bytes(again) == frame
    taken = again[MoldUDP64].blocks
    assert [block.message_length for block in taken] == [36, 19, 7, 0]
    assert taken[0][AddOrder].stock == b"AAPL    "
    assert taken[2][Raw].load == b"unknown"


def test_heartbeat_and_end_of_session() -> None:
    assert bytes(MoldUDP64(session=b"S", sequence_number=1))[-2:] == b"\0\0"
    end = bytes(MoldUDP64(session=b"S", sequence_number=1, message_count=0xFFFF))
    assert end == b"S         " + (1).to_bytes(8, "big") + b"\xff\xff"


def test_iextp_over_udp() -> None:
    header = layer("iextp", "header")
    update = layer("deep10", "price_level_update_buy")
    packet = header(
        session_id=7,
        first_message_sequence_number=3,
        blocks=[layer("iextp", "block")() / update(symbol=b"ZIEXT", size=100, price=-5)],
    )
    frame = bytes(Ether() / IP() / UDP(sport=IEX_PORT, dport=IEX_PORT) / packet)
    found = reference.decode_as(PROTOCOLS["iextp"], "header", transport_payload(frame))
    assert (found["version"], found["message_protocol_id"]) == (1, 0x8004)
    assert (found["payload_length"], found["message_count"]) == (32, 1)
    again = Ether(frame)
    assert bytes(again) == frame
    assert again[header].blocks[0][update].price == -5


def test_soupbintcp_over_tcp_with_option_tags() -> None:
    order = EnterOrder(user_ref_num=1, side=b"B", quantity=100, symbol=b"AAPL", price=1234500)
    tags = OptionTag(number=12, value=b"P") / OptionTag(number=2, value=b"LIME")
    stream = SoupStream(
        packets=[
            layer("soupbintcp", "unsequenced_data")() / order / tags,
            layer("soupbintcp", "client_heartbeat")(),
            layer("soupbintcp", "sequenced_data")()
            / layer("ouch50", "order_canceled")(user_ref_num=1, quantity=100, reason=b"U"),
        ]
    )
    frame = bytes(Ether() / IP() / TCP(sport=SOUP_PORT, dport=SOUP_PORT) / stream)
    appendage = reference.encode_tags(PROTOCOLS["ouch50"], {"post_only": b"P", "firm": b"LIME"})
    values = {"user_ref_num": 1, "side": b"B", "quantity": 100, "symbol": b"AAPL", "price": 1234500}
    expected = reference.encode(PROTOCOLS["ouch50"], "enter_order", values | {"payload": appendage})
    data = transport_payload(frame)
    assert data.startswith((1 + len(expected)).to_bytes(2, "big") + b"U" + expected)
    again = Ether(frame)
    assert bytes(again) == frame
    first, second, third = again[SoupStream].packets
    assert first[OptionTag].value == b"P"
    assert first[OptionTag].payload.value == b"LIME"
    assert second.packet_length == 1
    assert third[layer("ouch50", "order_canceled")].appendage_length is None
    assert third.packet_length == 1 + 18


def test_bytes_that_are_no_message_stay_raw() -> None:
    assert message_layer("itch50", b"A" * 35) is Raw
    assert message_layer("itch50", b"") is Raw
    assert SoupStream(b"\x00\x05U")[Raw].load == b"\x00\x05U"


def test_internet_headers_are_those_of_scapy() -> None:
    ethernet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / Dot1Q(prio=3, vlan=7)
    tcp = TCP(sport=1, dport=2, seq=3, ack=4, flags="SA", window=5)
    data = bytes(ethernet / IP(src="1.2.3.4", dst="5.6.7.8", ttl=9, id=8) / tcp)
    found = reference.decode_as(INTERNET, "ethernet", data)
    assert (found["source"], found["ethertype"]) == (b"\2\0\0\0\0\1", 0x8100)
    vlan = reference.decode_as(INTERNET, "vlan", data[14:])
    assert (vlan["tag_control"], vlan["ethertype"]) == (3 << 13 | 7, 0x0800)
    ip = reference.decode_as(INTERNET, "ipv4", data[18:])
    assert (ip["source_address"], ip["destination_address"]) == (0x01020304, 0x05060708)
    assert (ip["total_length"], ip["time_to_live"], ip["identification"]) == (40, 9, 8)
    assert (ip["header_checksum"], ip["protocol"]) == (IP(data[18:]).chksum, 6)
    found = reference.decode_as(INTERNET, "tcp", data[38:])
    assert (found["sequence_number"], found["acknowledgment_number"]) == (3, 4)
    assert (found["flags"], found["window"], found["data_offset"]) == (0x12, 5, 0x50)
    udp = reference.decode_as(INTERNET, "udp", bytes(IP() / UDP(sport=7, dport=9) / b"abc")[20:])
    assert (udp["source_port"], udp["destination_port"], udp["length"]) == (7, 9, 11)


def test_real_packets_are_taken_apart_and_built_again() -> None:
    for path in sorted((data_folder() / "nasdaq-itch50").glob("*.pcap")):
        for frame in frames(path):
            packet = Ether(frame)
            assert bytes(packet[UDP].payload) == transport_payload(frame)
            taken = packet[MoldUDP64].blocks
            assert len(taken) == packet[MoldUDP64].message_count
            assert not any(Raw in block for block in taken)
