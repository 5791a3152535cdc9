# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from nic import frame, frame_reference
from nic.enumerations import FRAME

ADDRESSES = {"src": "10.1.2.3", "dst": "233.54.12.111"}


def datagram(payload: bytes = b"abcdef", tags: int = 0, **ip: object) -> bytes:
    packet = Ether(dst="01:00:5e:36:0c:6f", src="02:00:00:00:00:01")
    for i in range(tags):
        packet /= Dot1Q(vlan=100 + i)
    return bytes(packet / IP(**ADDRESSES, **ip) / UDP(sport=1000, dport=26477) / Raw(payload))


FRAMES = [
    datagram(),
    datagram(b""),
    datagram(b"x" * 1400, tags=1),
    datagram(tags=2),
    datagram(options=[b"\x94\x04\x00\x00"]),
    datagram() + b"trailer of the capture",
]


@pytest.mark.parametrize("data", FRAMES)
def test_takes_a_datagram_out(data: bytes):
    reason, fields = frame.parse_udp(data)
    layers = Ether(data)
    assert reason == "ok"
    assert fields == {
        "payload": bytes(layers[UDP].payload)[: layers[UDP].len - 8],
        "source_address": layers[IP].src,
        "destination_address": layers[IP].dst,
        "source_port": 1000,
        "destination_port": 26477,
        "vlan": layers.getlayer(Dot1Q, 2).vlan
        if layers.getlayer(Dot1Q, 2)
        else layers[Dot1Q].vlan
        if Dot1Q in layers
        else 0,
    }
    assert frame_reference.parse_udp(data) == (reason, fields)


def test_provider_tag_and_inner_tag():
    packet = Ether() / Dot1AD(vlan=7) / Dot1Q(vlan=9) / IP(**ADDRESSES) / UDP() / b"q"
    reason, fields = frame.parse_udp(bytes(packet))
    assert (reason, fields["vlan"], fields["payload"]) == ("ok", 9, b"q")


ICMP_FRAME = bytes(Ether() / IP(**ADDRESSES) / ICMP())
BAD_SUM = bytearray(datagram())
BAD_SUM[24] ^= 1


def with_udp_length(length: int) -> bytes:
    return bytes(Ether() / IP(**ADDRESSES) / UDP(len=length) / b"abcdef")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "truncated"),
        (datagram()[:13], "truncated"),
        (datagram(tags=1)[:17], "truncated"),
        (datagram()[:33], "truncated"),
        (datagram()[:-1], "truncated"),
        (bytes(Ether() / ARP()), "not_ipv4"),
        (datagram(tags=3), "not_ipv4"),
        (datagram(version=6), "not_ipv4"),
        (datagram(ihl=4), "bad_ip_header"),
        (datagram(len=19), "bad_ip_header"),
        (bytes(BAD_SUM), "bad_ip_checksum"),
        (datagram(flags="MF"), "fragment"),
        (datagram(frag=5), "fragment"),
        (ICMP_FRAME, "not_udp"),
        (datagram(len=27), "bad_udp_length"),
        (with_udp_length(7), "bad_udp_length"),
        (with_udp_length(15), "bad_udp_length"),
    ],
)
def test_says_why_there_is_no_datagram(data: bytes, reason: str):
    assert frame.parse_udp(data) == (reason, None)
    assert frame_reference.parse_udp(data) == (reason, None)
    assert FRAME.value(reason) > 0


@settings(max_examples=400)
@given(
    base=st.sampled_from([*FRAMES, ICMP_FRAME, datagram(b"y", tags=3)]),
    cut=st.integers(0, 80),
    flips=st.lists(st.tuples(st.integers(0, 70), st.integers(0, 7)), max_size=3),
    repair=st.booleans(),
)
def test_agrees_with_the_reference_on_mutated_frames(base, cut, flips, repair):
    data = bytearray(base[: len(base) - cut] if cut < 60 else base)
    for at, bit in flips:
        if at < len(data):
            data[at] ^= 1 << bit
    if repair and len(data) >= 34:
        # A right checksum over wrong fields reaches the checks behind it.
        end = 14 + max(20, (data[14] & 15) * 4)
        data[24:26] = b"\0\0"
        padded = bytes(data[14:end]).ljust(end - 14, b"\0")
        data[24:26] = frame_reference.checksum(padded).to_bytes(2, "big")
    assert frame.parse_udp(bytes(data)) == frame_reference.parse_udp(bytes(data))


@settings(max_examples=200)
@given(data=st.binary(max_size=120))
def test_agrees_with_the_reference_on_noise(data):
    noise = b"\0" * 12 + b"\x08\x00" + data
    assert frame.parse_udp(noise) == frame_reference.parse_udp(noise)


@settings(max_examples=100)
@given(
    payload=st.binary(max_size=200),
    vlan=st.sampled_from([0, 1, 4095]),
    ports=st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
    identification=st.integers(0, 65535),
)
def test_builds_what_scapy_builds(payload, vlan, ports, identification):
    built = frame.build_udp(
        payload,
        "10.1.2.3",
        ports[0],
        "233.54.12.111",
        ports[1],
        vlan=vlan,
        identification=identification,
        source_hardware=b"\x02\0\0\0\0\1",
    )
    expected = Ether(src="02:00:00:00:00:01", dst="01:00:5e:36:0c:6f")
    if vlan:
        expected /= Dot1Q(vlan=vlan)
    expected /= IP(**ADDRESSES, id=identification, flags="DF", ttl=64)
    expected /= UDP(sport=ports[0], dport=ports[1])
    assert built == bytes(expected / Raw(payload))
    reason, fields = frame.parse_udp(built)
    assert (reason, fields["payload"], fields["vlan"]) == ("ok", payload, vlan)


def test_a_payload_that_does_not_fit_is_refused():
    longest = frame.build_udp(b"z" * 65507, "1.2.3.4", 1, "5.6.7.8", 2)
    assert frame.parse_udp(longest)[1]["payload"] == b"z" * 65507
    with pytest.raises(ValueError, match="65508 bytes"):
        frame.build_udp(b"z" * 65508, "1.2.3.4", 1, "5.6.7.8", 2)


def test_tcp_segment_without_its_trailer():
    segment = (
        Ether()
        / IP(**ADDRESSES)
        / TCP(sport=5, dport=6, seq=4_000_000_000, ack=7, flags="PA", options=[("NOP", None)] * 4)
    )
    reason, fields = frame.parse_tcp(bytes(segment / Raw(b"hello")) + b"\0\0\0")
    assert reason == "ok"
    assert fields["payload"] == b"hello"
    assert (fields["sequence_number"], fields["acknowledgment_number"]) == (4_000_000_000, 7)
    assert (fields["source_port"], fields["destination_port"], fields["flags"]) == (5, 6, 0x18)
    assert frame.parse_tcp(datagram()) == ("not_tcp", None)
    bad = Ether() / IP(**ADDRESSES) / TCP(dataofs=4)
    assert frame.parse_tcp(bytes(bad)) == ("bad_tcp_header", None)
    long = Ether() / IP(**ADDRESSES) / TCP(dataofs=6)
    assert frame.parse_tcp(bytes(long)) == ("bad_tcp_header", None)
    assert frame.parse_tcp(b"")[0] == "truncated"


def test_addresses():
    assert frame.address_text(frame.address_number("233.54.12.111")) == "233.54.12.111"
    assert frame.multicast_hardware("239.255.1.2").hex(":") == "01:00:5e:7f:01:02"
    assert frame.multicast_hardware("10.0.0.1") is None
    with pytest.raises(ValueError, match="no IPv4"):
        frame.address_number("exchange")
