# SPDX-License-Identifier: Apache-2.0
"""AF_PACKET rings over veth pairs in network namespaces of their own; needs root."""

import itertools
import os
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyroute2 import NetNS
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

from nic import link
from nic.af_packet import AfPacketPort
from nic.af_xdp import AfXdpPort
from nic.frame import build_udp, parse_udp
from nic.packet_filter import instructions
from nic.port import PortError
from nic.udp import UdpPort
from tools.namespaces import Link, exists, inside, joined
from tools.ping_pong import burst

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="AF_PACKET and namespaces need root")

HERE, THERE = (f"tw-packet-{os.getpid()}-{end}" for end in "ab")
WIRE = Link("feed0", "10.67.0.1", "10.67.0.2")
RECEIVER = WIRE.right_address
GROUP, PORT = "239.67.1.1", 26477
HANDOVERS = ("frame", "block")
SENDINGS = ("call", "ring")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wire():
    with joined(HERE, THERE, [WIRE]):
        with inside(THERE):
            hardware = link.hardware_bytes(link.facts("feed0").hardware_address)
        yield hardware
    assert not exists(HERE)
    assert not exists(THERE)


def receiver(destinations=((GROUP, PORT),), **options):
    with inside(THERE):
        return AfPacketPort("feed0", destinations=destinations, **options)


def sender(**options):
    with inside(HERE):
        return AfPacketPort("feed0", **options)


def kernel_receiver(**options):
    with inside(THERE):
        return UdpPort(**options)


def kernel_sender(address, port):
    with inside(HERE):
        return UdpPort(destination=(address, port), interface="feed0")


def collect(port, count, seconds=2.0):
    taken = []
    limit = time.monotonic() + seconds
    while len(taken) < count and time.monotonic() < limit:
        taken += port.receive()
    return taken


def payloads(port, count, seconds=2.0):
    return [parse_udp(frame)[1]["payload"] for frame, _ in collect(port, count, seconds)]


def udp(payload, address=GROUP, port=PORT, **options):
    return build_udp(payload, "10.67.0.1", 5, address, port, **options)


def set_state(name, **state):
    with NetNS(name) as space:
        space.link("set", index=space.link_lookup(ifname="feed0")[0], **state)


@pytest.mark.parametrize("handover", HANDOVERS)
def test_takes_the_configured_destinations_and_nothing_else(wire, handover):
    with (
        receiver([(GROUP, PORT), (RECEIVER, 7000)], handover=handover) as port,
        kernel_receiver(bind=(RECEIVER, 7001)) as other_port,
        kernel_receiver(group=("239.67.1.2", PORT), interface="feed0") as other_group,
        kernel_receiver(group=(GROUP, PORT), interface="feed0") as beside,
        kernel_sender(GROUP, PORT) as source,
    ):
        assert source.send(b"group") == 0
        assert source.send_to(b"other port", RECEIVER, 7001) == 0
        assert source.send_to(b"other group", "239.67.1.2", PORT) == 0
        assert source.send_to(b"unicast", RECEIVER, 7000) == 0
        assert payloads(port, 2) == [b"group", b"unicast"]
        assert [data for data, _ in collect(other_port, 1)] == [b"other port"]
        assert [data for data, _ in collect(other_group, 1)] == [b"other group"]
        assert collect(port, 1, seconds=0.05) == []
        # Unlike an XDP program, the rings take nothing away from the kernel's own sockets.
        assert [data for data, _ in collect(beside, 1)] == [b"group"]
        counters = port.counters()
        assert (counters["rx_packets"], counters["rx_dropped"]) == (2, 0)


def made_frames(hardware):
    """What a filter must tell apart, and whether it is to be taken."""
    ether = Ether(dst=":".join(f"{b:02x}" for b in hardware), src="02:00:00:00:00:01")
    ip = {"src": "10.67.0.1", "dst": GROUP}
    to = UDP(sport=5, dport=PORT)
    passed = [
        ether / IP(**ip, options=[b"\x94\x04\x00\x00"]) / to / b"with options",
        ether / IP(**ip, flags="MF") / to / b"first fragment",
        ether / IP(**ip, frag=1) / to / b"later fragment",
        ether / IP(**ip) / ICMP() / b"not udp, not udp",
        ether / Dot1Q(vlan=1) / Dot1Q(vlan=2) / IP(**ip) / to / b"two tags",
        ether / Dot1AD(vlan=1) / IP(**ip) / to / b"service tag",
        ether / Dot1Q(vlan=1, type=0x86DD) / (b"not ipv4" * 8),
        ether / IP(**ip, version=6) / to / b"not version 4",
        ether / (b"\x45" * 20),
        (ether / IP(**ip) / to).build()[:38],
    ]
    taken = [
        udp(b"one tag", vlan=141),
        udp(b"no tag"),
        udp(b""),
        bytes(ether / Dot1Q(vlan=7, prio=5, dei=1) / IP(**ip) / to / b"priority"),
    ]
    return [bytes(frame) for frame in passed], taken


@pytest.mark.parametrize("handover", HANDOVERS)
def test_frames_are_as_on_the_wire(wire, handover):
    """Tags that the kernel took out are in again; what the filter can't judge stays outside."""
    passed, wanted = made_frames(wire)
    with receiver(handover=handover) as port, sender(handover=handover) as source:
        for frame in passed + wanted:
            assert source.send(frame) == 0
        assert [frame for frame, _ in collect(port, len(wanted))] == wanted
        assert collect(port, 1, seconds=0.05) == []


@pytest.mark.parametrize("handover", HANDOVERS)
def test_receives_what_af_xdp_and_a_socket_receive(wire, handover):
    """The same traffic through all three, random in content, length, tag and order."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    generator = random.Random(seed)
    with (
        receiver(handover=handover) as ring,
        kernel_receiver(group=(GROUP, PORT), interface="feed0") as handle,
        kernel_sender(GROUP, PORT) as source,
    ):
        sent = [generator.randbytes(generator.randrange(1473)) for _ in range(400)]
        for payload in sent:
            assert source.send(payload) == 0
        assert payloads(ring, len(sent)) == sent
        assert [data for data, _ in collect(handle, len(sent))] == sent
    # XDP takes frames before anybody else sees them: the same frames, one port after the other.
    passed, wanted = made_frames(wire)
    mixed = (
        passed
        + wanted
        + [
            udp(generator.randbytes(generator.randrange(1400)), vlan=generator.randrange(2) * 9)
            for _ in range(200)
        ]
    )
    generator.shuffle(mixed)
    found = []
    for make in (AfXdpPort, AfPacketPort):
        options = {"handover": handover} if make is AfPacketPort else {}
        with inside(THERE):
            port = make("feed0", destinations=[(GROUP, PORT)], **options)
        with port, sender() as source:
            for frame in mixed:
                assert source.send(frame) == 0
            found.append([frame for frame, _ in collect(port, 204)])
            assert collect(port, 1, seconds=0.05) == []
    assert len(found[0]) == 204
    assert found[0] == found[1]


@pytest.mark.parametrize("handover", HANDOVERS)
def test_stamps_tell_when_the_kernel_had_the_frame(wire, handover):
    with receiver(handover=handover) as port, kernel_sender(GROUP, PORT) as source:
        assert port.mode()["timestamps"] == "kernel-software"
        before = time.time_ns()
        for _ in range(20):
            source.send(b"tick")
        after = time.time_ns()
        time.sleep(0.05)
        stamps = [stamp for _, stamp in collect(port, 20)]
        assert len(stamps) == 20
        assert stamps == sorted(stamps)
        assert len({stamp % 1000 for stamp in stamps}) > 1  # nanoseconds, not microseconds
        slack = 1_000_000
        assert before - slack < stamps[0] <= stamps[-1] < after + slack


@pytest.mark.parametrize("sending", SENDINGS)
@pytest.mark.parametrize("handover", HANDOVERS)
def test_what_it_sends_arrives_at_a_socket(wire, handover, sending):
    with (
        sender(handover=handover, sending=sending, transmit_frames=32) as source,
        kernel_receiver(bind=(RECEIVER, 7002)) as sink,
    ):
        for i in range(100):
            frame = udp(bytes([i]) * i, RECEIVER, 7002, destination_hardware=wire)
            assert source.send(frame) == 0
        assert [data for data, _ in collect(sink, 100)] == [bytes([i]) * i for i in range(100)]
        counters = source.counters()
        assert (counters["tx_packets"], counters["tx_errors"]) == (100, 0)
        assert source.mode()["timestamps"] == "none"
        assert source.receive() == []


def test_lengths_that_can_be_sent(wire):
    with sender() as source, receiver() as port:
        assert source.send(b"x" * 13) == -1
        longest = udp(b"l" * 1472)
        tagged = udp(b"t" * 1472, vlan=5)
        assert (len(longest), len(tagged)) == (1514, 1518)
        assert source.send(longest) == 0
        assert source.send(tagged) == 0
        assert source.send(longest + b"x") == -1
        assert source.send(tagged + b"x") == -1
        assert [frame for frame, _ in collect(port, 2)] == [longest, tagged]
        counters = source.counters()
        assert (counters["tx_packets"], counters["tx_errors"]) == (2, 1)
        assert counters["tx_too_long"] == 2


@pytest.mark.parametrize("handover", HANDOVERS)
def test_bursts_in_order_round_the_ring(wire, handover):
    options = {"receive_frames": 64, "blocks": 4, "block_bytes": 8192}
    with receiver(handover=handover, **options) as port, sender(transmit_frames=8) as source:
        taken = []
        for i in range(5000):
            assert source.send(udp(i.to_bytes(4, "big") * (i % 90))) == 0
            if i % 10 == 9:
                taken += payloads(port, 10)
        assert taken == [i.to_bytes(4, "big") * (i % 90) for i in range(5000)]
        counters = port.counters()
        assert (counters["rx_packets"], counters["rx_dropped"]) == (5000, 0)


@pytest.mark.parametrize("handover", HANDOVERS)
def test_an_overrun_is_counted_and_survived(wire, handover):
    options = {"receive_frames": 64, "blocks": 4, "block_bytes": 8192}
    with receiver(handover=handover, **options) as port, sender() as source:
        for _ in range(1000):
            assert source.send(udp(b"flood" * 20)) == 0
        time.sleep(0.05)
        taken = len(port.receive(2000))
        counters = port.counters()
        assert 0 < taken < 1000
        assert taken + counters["rx_dropped"] == 1000
        assert (counters["rx_frozen"] > 0) == (handover == "block")
        assert source.send(udp(b"after")) == 0
        assert payloads(port, 1) == [b"after"]
        assert port.counters()["rx_dropped"] == counters["rx_dropped"]


def test_a_frame_without_room_is_counted_and_left_out(wire):
    with receiver(frame_bytes=200, receive_frames=16) as port, sender() as source:
        for i in range(40):  # more than the ring holds: what is left out is given back as well
            assert source.send(udp(b"l" * 600)) == 0
            assert port.receive() == []
            assert port.counters()["rx_truncated"] == i + 1
        assert source.send(udp(b"short")) == 0
        assert payloads(port, 1) == [b"short"]
        assert port.counters()["rx_packets"] == 1


def test_undone_checksums_are_noted(wire):
    with receiver() as port, kernel_sender(GROUP, PORT) as source:
        assert source.send(b"whole") == 0
        assert payloads(port, 1) == [b"whole"]
        assert port.counters()["rx_checksum_undone"] == 0
        with inside(HERE):
            link.set_transmit_checksum_offload("feed0", True)
        try:
            assert source.send(b"undone") == 0
            assert payloads(port, 1) == [b"undone"]
        finally:
            with inside(HERE):
                link.set_transmit_checksum_offload("feed0", False)
        assert port.counters()["rx_checksum_undone"] == 1


def test_what_this_host_sends_is_left_out(wire):
    with inside(THERE):
        port = AfPacketPort("feed0", destinations=[(GROUP, PORT)])
        own = UdpPort(destination=(GROUP, PORT), interface="feed0")
    with port, own, kernel_sender(GROUP, PORT) as source:
        assert own.send(b"own") == 0
        assert source.send(b"other") == 0
        assert payloads(port, 1) == [b"other"]
        assert port.send(udp(b"own raw")) == 0
        assert collect(port, 1, seconds=0.05) == []


def test_a_unicast_port_is_not_answered_with_icmp(wire):
    def refused():
        with inside(HERE), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect((RECEIVER, 7004))
            asking.send(b"anybody?")
            time.sleep(0.05)
            return asking.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    with receiver([(RECEIVER, 7004)], hold=False):
        assert refused()
    with receiver([(RECEIVER, 7004)]) as port:
        assert not refused()
        assert payloads(port, 1) == [b"anybody?"]


@pytest.mark.parametrize("sending", SENDINGS)
@pytest.mark.parametrize("handover", HANDOVERS)
def test_a_full_transmit_ring_is_counted(wire, handover, sending):
    """One flush sends a whole ring; what does not fit is refused."""
    with (
        sender(handover=handover, sending=sending, transmit_frames=40) as source,
        receiver() as port,
    ):
        room = source.mode()["transmit_frames"]
        for turn in range(1, 4):
            assert burst(source, udp(b"burst"), room + 7) == room
            assert payloads(port, room) == [b"burst"] * room
            counters = source.counters()
            assert (counters["tx_packets"], counters["tx_full"]) == (turn * room, turn * 7)


@pytest.mark.parametrize("sending", SENDINGS)
@pytest.mark.parametrize("handover", HANDOVERS)
def test_a_link_that_goes_down_and_comes_back(wire, handover, sending):
    frame = udp(b"too late", RECEIVER, 7005, destination_hardware=wire)
    with inside(HERE):
        source = AfPacketPort(
            "feed0", destinations=[(GROUP, PORT)], handover=handover, sending=sending
        )
    with source, kernel_receiver(bind=(RECEIVER, 7005)) as sink:
        set_state(HERE, state="down")
        try:
            for _ in range(3):
                assert source.send(frame) == 0
            counters = source.counters()
            assert (counters["tx_link_down"], counters["tx_packets"]) == (3, 0)
            assert counters["link_down"] == 1
            assert "the interface is down" in source.mode()["notes"]
        finally:
            set_state(HERE, state="up")
        assert collect(sink, 1, seconds=0.1) == []  # given up, not late
        assert source.send(frame) == 0
        assert [data for data, _ in collect(sink, 1)] == [b"too late"]
        assert source.counters()["link_down"] == 1
        assert "the interface is down" not in source.mode()["notes"]
        set_state(HERE, state="down")
        set_state(HERE, state="up")
        assert source.send(frame) == 0  # nobody looked in between: it leaves all the same
        assert [data for data, _ in collect(sink, 1)] == [b"too late"]
        counters = source.counters()
        assert (counters["link_down"], counters["tx_link_down"]) == (2, 3)


@pytest.mark.parametrize("handover", HANDOVERS)
def test_receiving_goes_on_after_the_link_was_down(wire, handover):
    with receiver(handover=handover) as port, sender() as source:
        set_state(THERE, state="down")
        assert port.counters()["link_down"] == 1
        set_state(THERE, state="up")
        assert source.send(udp(b"again")) == 0
        assert payloads(port, 1) == [b"again"]
        assert port.counters()["link_down"] == 1


@pytest.mark.parametrize("sending", SENDINGS)
@pytest.mark.parametrize("handover", HANDOVERS)
def test_frames_too_long_since_the_mtu_changed(wire, handover, sending):
    """The kernel stops at a frame that it refuses; what stands behind it leaves all the same."""
    with sender(handover=handover, sending=sending) as source, receiver() as port:
        set_state(HERE, mtu=1000)
        try:
            assert source.send(udp(b"l" * 1400)) == 0
            assert source.send(udp(b"short")) == 0
            assert payloads(port, 1) == [b"short"]
        finally:
            set_state(HERE, mtu=1500)
        counters = source.counters()
        assert (counters["tx_too_long"], counters["tx_packets"]) == (1, 1)


@pytest.mark.parametrize("sending", SENDINGS)
@pytest.mark.parametrize("handover", HANDOVERS)
def test_an_interface_that_is_removed(handover, sending):
    names = [f"tw-packet-{os.getpid()}-{end}" for end in "cd"]
    pair = Link("gone0", "10.67.1.1", "10.67.1.2")
    with joined(*names, [pair]):
        with inside(names[0]):
            port = AfPacketPort(
                "gone0", destinations=[(GROUP, PORT)], handover=handover, sending=sending
            )
        with NetNS(names[0]) as space:
            space.link("del", index=space.link_lookup(ifname="gone0")[0])
        with port:
            assert port.receive() == []
            assert port.send(udp(b"nowhere")) == 0  # taken, and given up by the flush
            assert port.send(udp(b"nowhere")) == -1
            counters = port.counters()
            assert (counters["interface_gone"], counters["tx_link_down"]) == (1, 2)
            assert counters["tx_packets"] == 0
            assert "the interface is gone" in port.mode()["notes"]
            assert port.counters()["interface_gone"] == 1


def packet_sockets():
    return Path("/proc/thread-self/net/packet").read_text().count("\n") - 1


def joined_groups():
    return Path("/proc/thread-self/net/igmp").read_text()


def test_closing_leaves_nothing(wire):
    wanted = "".join(f"{int(part):02X}" for part in reversed(GROUP.split(".")))
    with inside(THERE):
        before = packet_sockets(), len(os.listdir("/proc/self/fd"))
        for handover, sending in itertools.product(HANDOVERS, SENDINGS):
            port = AfPacketPort(
                "feed0", destinations=[(GROUP, PORT)], handover=handover, sending=sending
            )
            assert packet_sockets() == before[0] + 1
            assert wanted in joined_groups()
            port.close()
            port.close()
            assert (packet_sockets(), len(os.listdir("/proc/self/fd"))) == before
            assert wanted not in joined_groups()
            assert port.receive() == []
            assert port.send(udp(b"closed")) == -1
            assert port.mode()["kind"] == "af_packet"
        for _ in range(3):
            with pytest.raises(PortError):
                AfPacketPort("feed0", destinations=[(GROUP, PORT)], blocks=0, handover="block")
        assert (packet_sockets(), len(os.listdir("/proc/self/fd"))) == before


def test_mode_says_what_was_got(wire):
    with receiver() as port:
        mode = port.mode()
        assert (mode["kind"], mode["interface"]) == ("af_packet", "feed0")
        assert (mode["driver_mode"], mode["zero_copy"], mode["queue"]) == ("socket", False, None)
        assert (mode["handover"], mode["ring_version"], mode["sending"]) == ("frame", 2, "call")
        assert mode["receive_slots"] >= 2048
        assert mode["destinations"] == [(GROUP, PORT)]
    with receiver(handover="block", block_timeout_ms=3) as port:
        mode = port.mode()
        assert (mode["handover"], mode["ring_version"]) == ("block", 3)
        assert (mode["receive_slots"], mode["receive_slot_bytes"]) == (64, 65536)
        assert any("3 ms" in note for note in mode["notes"])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"handover": "magic"}, "handover must be"),
        ({"sending": "magic"}, "sending must be"),
        ({"transmit_frames": 0}, "a ring of 0 times"),
        ({"transmit_frames": 0, "sending": "ring"}, "a ring of 0 times"),
        ({"destinations": [("exchange", 1)]}, "no IPv4 address"),
        ({"destinations": [(GROUP, 0)]}, "no UDP port"),
        ({"destinations": [(GROUP, 1)] * 257}, "at most 256 destinations"),
        ({"receive_frames": 0}, "a ring of 0 times"),
        ({"receive_frames": 1 << 31}, "must be 1 to"),
        ({"handover": "block", "block_bytes": 5000}, "whole pages"),
        ({"handover": "block", "frame_bytes": 9000, "block_bytes": 4096}, "room for a frame"),
        ({"handover": "block", "block_timeout_ms": 0}, "block_timeout_ms"),
    ],
)
def test_mistakes_are_one_clear_line(wire, options, text):
    with pytest.raises(PortError, match=text) as caught:
        receiver(**options)
    assert "\n" not in str(caught.value)


def test_an_absent_interface_or_one_that_is_down(wire):
    with pytest.raises(PortError, match="no interface 'absent0'"):
        AfPacketPort("absent0", destinations=[(GROUP, PORT)])
    set_state(THERE, state="down")
    try:
        with pytest.raises(PortError, match="is down: ip link set feed0 up"):
            receiver()
    finally:
        set_state(THERE, state="up")


UNPRIVILEGED = """
import os, sys
from nic.af_packet import AfPacketPort
from tools.namespaces import inside
from nic.port import PortError
with inside(sys.argv[1]):
    os.setgid(65534)
    os.setuid(65534)
    try:
        AfPacketPort("feed0", destinations=[("239.67.1.1", 26477)])
    except PortError as error:
        print(error)
    os._exit(0)
"""


def test_without_privileges_it_says_which(wire):
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, THERE],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=30,
    )
    assert "needs CAP_NET_RAW" in done.stdout, done.stderr
    assert done.stdout.count("\n") == 1


def test_the_filter_is_as_long_as_it_must_be():
    """Conditional jumps reach 255 instructions, a program has at most 4096."""
    program = instructions([(f"10.0.{i // 200}.{i % 200}", i + 1) for i in range(256)])
    assert len(program) < 4096
    assert all(0 <= skip <= 3 for _, true, other, _ in program for skip in (true, other))
