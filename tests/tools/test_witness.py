# SPDX-License-Identifier: Apache-2.0
"""Our dissection and Wireshark's of captures that scapy made."""

import shutil
import warnings
from itertools import pairwise
from random import Random

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw
from scapy.utils import wrpcap

from nic.wire.scapy_layers import layer
from tools.witness import (
    WitnessError,
    feed_ports,
    moldudp64_packets,
    soup_port,
    soupbintcp_packets,
    tshark,
    tshark_moldudp64,
    tshark_soup,
)

HAS_TSHARK = shutil.which("tshark") is not None
if not HAS_TSHARK:
    warnings.warn("tshark is not installed: nothing is compared with Wireshark", stacklevel=1)
needs_tshark = pytest.mark.skipif(not HAS_TSHARK, reason="tshark is not installed")

MoldUDP64 = layer("moldudp64", "header")
MoldBlock = layer("moldudp64", "block")
AddOrder = layer("itch50", "add_order")
EnterOrder = layer("ouch50", "enter_order")
SystemEvent = layer("ouch50", "system_event")
GROUP, PORT = "239.71.0.1", 26400
CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 26420)


def datagram(mold, port=PORT, **tags):
    tag = [Dot1Q(**tags)] if tags else []
    packet = Ether(src="02:00:00:00:00:01", dst="01:00:5e:47:00:01")
    for each in [*tag, IP(src="10.0.0.9", dst=GROUP), UDP(sport=5000, dport=port), mold]:
        packet = packet / each
    return packet


def mold(sequence, messages=(), session=b"TICKWIRE01", count=None):
    blocks = [MoldBlock() / Raw(message) for message in messages]
    values = {"session": session, "sequence_number": sequence, "blocks": blocks}
    if count is not None:
        values["message_count"] = count
    return MoldUDP64(**values)


@pytest.fixture
def feed_capture(tmp_path):
    add = bytes(AddOrder(shares=100, stock=b"AAPL", price=1_000_000, buy_sell_indicator=b"B"))
    packets = [
        datagram(mold(1, [add])),
        datagram(mold(2, [add, b"x" * 17, b"y"])),
        datagram(mold(2, [add, b"x" * 17, b"y"])),
        datagram(mold(5, [b"z" * 30] * 40), vlan=7),
        datagram(mold(45)),
        datagram(mold(1 << 40, [b""], session=b"S")),
        datagram(mold(45, count=0xFFFF)),
        datagram(mold(45), port=999),
        Ether() / IP(src="10.0.0.9", dst=GROUP) / UDP(dport=PORT) / Raw(b"too short"),
        Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(dport=PORT) / Raw(b"no datagram"),
    ]
    path = tmp_path / "feed.pcap"
    wrpcap(str(path), packets)
    return path


def test_moldudp64_packets(feed_capture):
    assert feed_ports(feed_capture)[0] == PORT
    assert moldudp64_packets(feed_capture, [PORT]) == [
        ("TICKWIRE01", 1, 1, [36]),
        ("TICKWIRE01", 2, 3, [36, 17, 1]),
        ("TICKWIRE01", 2, 3, [36, 17, 1]),
        ("TICKWIRE01", 5, 40, [30] * 40),
        ("TICKWIRE01", 45, 0, []),
        ("S", 1 << 40, 1, [0]),
        ("TICKWIRE01", 45, 0xFFFF, []),
    ]


@needs_tshark
def test_wireshark_reads_the_same_moldudp64(feed_capture):
    assert tshark_moldudp64(feed_capture, [PORT]) == moldudp64_packets(feed_capture, [PORT])
    both = [PORT, 999]
    assert tshark_moldudp64(feed_capture, both) == moldudp64_packets(feed_capture, both)
    assert len(moldudp64_packets(feed_capture, both)) == 8
    assert tshark_moldudp64(feed_capture) == moldudp64_packets(feed_capture)


@needs_tshark
def test_wireshark_sees_a_changed_byte(feed_capture):
    """The comparison is one: a message length that differs is found."""
    data = bytearray(feed_capture.read_bytes())
    at = data.index(b"TICKWIRE01") + 20
    assert data[at : at + 2] == b"\0\x24"
    data[at + 1] = 0x23
    changed = feed_capture.with_name("changed.pcap")
    changed.write_bytes(data)
    assert tshark_moldudp64(changed, [PORT]) != moldudp64_packets(feed_capture, [PORT])


def unsequenced(number):
    packet = layer("soupbintcp", "unsequenced_data")() / EnterOrder(
        user_ref_num=number, quantity=100, symbol=b"AAPL", price=1_000_000
    )
    return bytes(packet)


def sequenced():
    return bytes(layer("soupbintcp", "sequenced_data")() / SystemEvent(event_code=b"S"))


LOGIN = bytes(
    layer("soupbintcp", "login_request")(
        username=b"trader", password=b"secret", requested_sequence_number=b"1"
    )
)
ACCEPTED = bytes(layer("soupbintcp", "login_accepted")(session=b"OUCH01", sequence_number=b"1"))
CLIENT_HEARTBEAT = bytes(layer("soupbintcp", "client_heartbeat")())
SERVER_HEARTBEAT = bytes(layer("soupbintcp", "server_heartbeat")())
LOGOUT = bytes(layer("soupbintcp", "logout_request")())


class Conversation:
    """Segments of one connection."""

    def __init__(self, client=CLIENT, server=SERVER, start=(1_000, 4_294_967_000)):
        self.ends = {True: (client, server), False: (server, client)}
        self.next = {True: start[0], False: start[1]}
        self.frames = [self.segment(True, b"", "S"), self.segment(False, b"", "SA")]
        self.frames.append(self.segment(True, b"", "A"))

    def segment(self, is_client, data, flags="PA"):
        (source, sport), (target, dport) = self.ends[is_client]
        packet = (
            Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
            / IP(src=source, dst=target)
            / TCP(
                sport=sport,
                dport=dport,
                seq=self.next[is_client],
                ack=self.next[not is_client] if "A" in flags else 0,
                flags=flags,
            )
        )
        step = len(data) + ("S" in flags) + ("F" in flags)
        self.next[is_client] = (self.next[is_client] + step) % (1 << 32)
        return packet / Raw(data) if data else packet

    def send(self, is_client, data, cuts=()):
        """Data cut at those places, a segment each."""
        places = [0, *cuts, len(data)]
        for begin, end in pairwise(places):
            self.frames.append(self.segment(is_client, data[begin:end]))
        return self

    def close(self):
        for is_client in (True, False):
            self.frames.append(self.segment(is_client, b"", "FA"))
        return self


def capture(tmp_path, *conversations, name="orders.pcap", frames=None):
    """A pcap file of the conversations, one after the other, or of ``frames``."""
    path = tmp_path / name
    every = [frame for each in conversations for frame in each.frames]
    wrpcap(str(path), every if frames is None else frames)
    return path


def usual():
    talk = Conversation()
    talk.send(True, LOGIN, [10]).send(False, ACCEPTED)
    talk.send(True, unsequenced(1) + unsequenced(2) + CLIENT_HEARTBEAT)
    talk.send(False, sequenced() + SERVER_HEARTBEAT + sequenced(), [1, 3, 4, 15, 16])
    talk.send(True, b"".join(unsequenced(n) for n in range(3, 60)), [1448])
    return talk.send(True, LOGOUT).close()


EXPECTED = [
    ("to_server", "L", 47),
    *[("to_server", "U", 48)] * 2,
    ("to_server", "R", 1),
    *[("to_server", "U", 48)] * 57,
    ("to_server", "O", 1),
    ("to_client", "A", 31),
    ("to_client", "S", 11),
    ("to_client", "H", 1),
    ("to_client", "S", 11),
]


def test_soupbintcp_packets(tmp_path):
    path = capture(tmp_path, usual())
    assert soup_port(path) == SERVER[1]
    assert soupbintcp_packets(path) == soupbintcp_packets(path, SERVER[1]) == EXPECTED


@needs_tshark
def test_wireshark_reads_the_same_soupbintcp(tmp_path):
    path = capture(tmp_path, usual())
    assert tshark_soup(path) == EXPECTED


@needs_tshark
@pytest.mark.parametrize("seed", range(6))
def test_wireshark_reassembles_what_we_do(tmp_path, seed):
    """Any cut of the stream; segments repeated, and some out of order."""
    random = Random(seed)
    talk = Conversation(start=(4_294_967_290 - seed, 77))
    talk.send(True, LOGIN).send(False, ACCEPTED)
    for is_client, data in (
        (True, b"".join(unsequenced(n) for n in range(60))),
        (False, b"".join(sequenced() if n % 5 else SERVER_HEARTBEAT for n in range(80))),
    ):
        cuts = sorted(random.sample(range(1, len(data)), 25))
        talk.send(is_client, data, cuts)
    frames = list(talk.frames)
    for place in range(len(frames) - 3, 6, -4):
        kind = random.random()
        if kind < 0.4:
            frames.insert(place + random.randint(1, 2), frames[place])
        elif kind < 0.8:
            frames[place], frames[place + 1] = frames[place + 1], frames[place]
    path = capture(tmp_path, frames=frames)
    ours = soupbintcp_packets(path)
    assert len(ours) == 142, f"seed {seed}"
    assert tshark_soup(path) == ours, f"seed {seed}"


@needs_tshark
def test_connections_in_the_order_they_began(tmp_path):
    first = Conversation(("10.0.0.1", 40001))
    second = Conversation(("10.0.0.1", 40002), start=(5, 6))
    other = Conversation(("10.0.0.1", 40003), ("10.0.0.3", 80)).send(True, b"GET /")
    second.send(True, LOGIN).send(False, SERVER_HEARTBEAT)
    first.send(True, LOGIN + CLIENT_HEARTBEAT).send(False, ACCEPTED)
    path = capture(
        tmp_path, frames=[*first.frames[:2], *second.frames, *other.frames, *first.frames[2:]]
    )
    expected = [
        ("to_server", "L", 47),
        ("to_server", "R", 1),
        ("to_client", "A", 31),
        ("to_server", "L", 47),
        ("to_client", "H", 1),
    ]
    assert soupbintcp_packets(path) == expected
    assert tshark_soup(path) == expected


def test_capture_without_order_entry(tmp_path):
    path = capture(tmp_path, Conversation().send(True, b"GET / HTTP/1.1\r\n"))
    with pytest.raises(WitnessError, match="no SoupBinTCP connection"):
        soupbintcp_packets(path)
    assert soupbintcp_packets(path, 1) == []


def test_without_tshark_it_says_so(tmp_path, monkeypatch):
    path = capture(tmp_path, usual())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WitnessError, match="tshark is not installed"):
        tshark_soup(path)


@needs_tshark
def test_what_tshark_refuses_is_one_line(tmp_path):
    path = tmp_path / "text.pcap"
    path.write_text("no capture")
    with pytest.raises(WitnessError, match=r"^tshark: ") as caught:
        tshark(path, [], "udp", ["udp.port"])
    assert "\n" not in str(caught.value)
