# SPDX-License-Identifier: Apache-2.0
"""AF_XDP over veth pairs in network namespaces of their own; needs root."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Dot1Q, Ether

from nic import link
from nic.af_xdp import AfXdpPort
from nic.frame import build_udp, parse_udp
from nic.pcap import PcapPort
from nic.port import PortError
from nic.udp import UdpPort
from tools.namespaces import Link, exists, inside, joined

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="AF_XDP and namespaces need root")

HERE, THERE = (f"tw-test-{os.getpid()}-{end}" for end in "ab")
WIRE = Link("feed0", "10.66.0.1", "10.66.0.2")
RECEIVER = WIRE.right_address
GROUP, PORT = "239.66.1.1", 26477
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
        return AfXdpPort("feed0", destinations=destinations, **options)


def sender(**options):
    with inside(HERE):
        return AfXdpPort("feed0", **options)


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
    return build_udp(payload, "10.66.0.1", 5, address, port, **options)


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_takes_the_configured_destinations_and_nothing_else(wire, mode):
    with (
        receiver([(GROUP, PORT), (RECEIVER, 7000)], driver_mode=mode) as port,
        kernel_receiver(bind=(RECEIVER, 7001)) as other_port,
        kernel_receiver(group=("239.66.1.2", PORT), interface="feed0") as other_group,
        kernel_receiver(group=(GROUP, PORT), interface="feed0") as robbed,
        kernel_sender(GROUP, PORT) as source,
    ):
        assert port.mode()["driver_mode"] == mode
        assert source.send(b"group") == 0
        assert source.send_to(b"other port", RECEIVER, 7001) == 0
        assert source.send_to(b"other group", "239.66.1.2", PORT) == 0
        assert source.send_to(b"unicast", RECEIVER, 7000) == 0
        assert payloads(port, 2) == [b"group", b"unicast"]
        assert [data for data, _ in collect(other_port, 1)] == [b"other port"]
        assert [data for data, _ in collect(other_group, 1)] == [b"other group"]
        assert collect(port, 1, seconds=0.05) == []
        assert collect(robbed, 1, seconds=0.05) == []


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_passes_on_what_it_cannot_judge(wire, mode):
    ether = Ether(dst=":".join(f"{b:02x}" for b in wire), src="02:00:00:00:00:01")
    ip = {"src": "10.66.0.1", "dst": GROUP}
    to = UDP(sport=5, dport=PORT)
    passed = [
        ether / IP(**ip, options=[b"\x94\x04\x00\x00"]) / to / b"with options",
        ether / IP(**ip, flags="MF") / to / b"first fragment",
        ether / IP(**ip, frag=1) / to / b"later fragment",
        ether / IP(**ip) / ICMP() / b"not udp, not udp",
        ether / Dot1Q(vlan=1) / Dot1Q(vlan=2) / IP(**ip) / to / b"two tags",
        ether / Dot1Q(vlan=1, type=0x86DD) / (b"not ipv4" * 8),
        ether / IP(**ip, version=6) / to / b"not version 4",
        ether / (b"\x45" * 20),
    ]
    with (
        receiver(driver_mode=mode) as port,
        kernel_receiver(group=(GROUP, PORT), interface="feed0") as kernel,
        sender() as source,
    ):
        for packet in passed:
            assert source.send(bytes(packet)) == 0
        tagged = udp(b"one tag", vlan=141)
        assert source.send(tagged) == 0
        assert source.send(udp(b"")) == 0
        assert payloads(port, 2) == [b"one tag", b""]
        assert [data for data, _ in collect(kernel, 1)] == [b"with options"]
        assert collect(port, 1, seconds=0.05) == []


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_stamps_tell_when_the_kernel_had_the_frame(wire, mode):
    with receiver(driver_mode=mode) as port, kernel_sender(GROUP, PORT) as source:
        assert port.mode()["timestamps"] == "xdp-monotonic"
        before = time.time_ns()
        for _ in range(20):
            source.send(b"tick")
        after = time.time_ns()
        time.sleep(0.05)
        stamps = [stamp for _, stamp in collect(port, 20)]
        assert len(stamps) == 20
        assert stamps == sorted(stamps)
        slack = 1_000_000
        assert before - slack < stamps[0] <= stamps[-1] < after + slack
    with receiver(driver_mode=mode, stamps=False) as port, kernel_sender(GROUP, PORT) as source:
        source.send(b"tick")
        assert [stamp for _, stamp in collect(port, 1)] == [0]
        assert port.mode()["timestamps"] == "none"


def test_what_it_sends_arrives_at_a_socket(wire):
    with (
        sender() as source,
        kernel_receiver(bind=(RECEIVER, 7002)) as sink,
    ):
        for i in range(100):
            frame = udp(bytes([i]) * i, RECEIVER, 7002, destination_hardware=wire)
            assert source.send(frame) == 0
        assert [data for data, _ in collect(sink, 100)] == [bytes([i]) * i for i in range(100)]
        counters = source.counters()
        assert (counters["tx_packets"], counters["tx_errors"]) == (100, 0)
        assert source.send(b"x" * 13) == -1
        assert source.send(b"x" * 1519) == -1
        counters = source.counters()
        assert (counters["tx_packets"], counters["tx_errors"]) == (100, 1)
        assert counters["tx_too_long"] == 1


def test_every_frame_is_accounted_for(wire):
    with receiver(receive_frames=256) as port, sender(transmit_frames=64) as source:
        taken = 0
        for i in range(100_000):
            assert source.send(udp(i.to_bytes(4, "big"))) == 0
            if i % 100 == 99:
                taken += len(port.receive(1000))
            if i % 10_000 == 50:
                port.frames_accounted()
                source.frames_accounted()
        taken += len(port.receive(1000))
        assert taken == 100_000
        assert port.counters()["rx_packets"] == 100_000
        received = port.frames_accounted()
        sent = source.frames_accounted()
        assert received["receive"] == {"fill": 256, "rx": 0, "kernel": 0}
        assert sent["transmit"] == {"free": 64, "tx": 0, "completion": 0, "kernel": 0}


def test_an_overrun_is_counted_and_survived(wire):
    with receiver(receive_frames=64) as port, sender() as source:
        for _ in range(1000):
            source.send(udp(b"flood"))
        counters = port.counters()
        taken = port.receive(1000)
        assert len(taken) + counters["rx_dropped"] + counters["fill_empty"] >= 1000
        assert counters["fill_empty"] + counters["rx_dropped"] > 0
        port.frames_accounted()
        source.send(udp(b"after"))
        assert payloads(port, 1) == [b"after"]


def test_longest_frames(wire):
    with receiver() as port, kernel_sender(GROUP, PORT) as source:
        assert source.send(b"l" * 1472) == 0
        assert source.send(b"f" * 1473) == 0  # two fragments: the kernel's
        assert payloads(port, 1) == [b"l" * 1472]
        assert collect(port, 1, seconds=0.05) == []


CHILD = """
import sys, time
from nic.af_xdp import AfXdpPort
from tools.namespaces import inside
with inside(sys.argv[1]):
    port = AfXdpPort("feed0", destinations=[("239.66.1.1", 26477)])
print("ready", flush=True)
time.sleep(60)
"""


def attached():
    with inside(THERE):
        return link.facts("feed0").xdp_attached


def test_a_killed_process_leaves_no_program(wire):
    assert attached() == "none"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, THERE], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert child.stdout.readline() == "ready\n"
        assert attached() == "native"
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    limit = time.monotonic() + 2
    while attached() != "none":
        assert time.monotonic() < limit, "the program is still attached"
        time.sleep(0.01)
    with receiver() as port, kernel_sender(GROUP, PORT) as source:
        source.send(b"free again")
        assert payloads(port, 1) == [b"free again"]


def test_closing_detaches_and_frees_the_queue(wire):
    for _ in range(5):
        port = receiver()
        assert attached() == "native"
        port.close()
        port.close()
        assert attached() == "none"
        assert port.receive() == []
        assert port.send(udp(b"closed")) == -1
        with pytest.raises(PortError, match="closed"):
            port.frames_accounted()


def test_a_second_queue_shares_the_program(wire):
    with inside(THERE):
        link.set_receive_queues("feed0", 2)
    with receiver() as port:
        assert any("2 receive queues" in note for note in port.mode()["notes"])
        with inside(THERE):
            second = AfXdpPort("feed0", program=port.shared_program(), queue=1)
        with second, kernel_sender(GROUP, PORT) as source:
            assert second.mode()["destinations"] == [(GROUP, PORT)]
            source.send(b"queue zero")
            assert payloads(port, 1) == [b"queue zero"]
        assert attached() == "native"
    with inside(THERE):
        link.set_receive_queues("feed0", 1)


def test_mode_says_what_was_got(wire):
    with receiver() as port:
        mode = port.mode()
        assert (mode["kind"], mode["interface"], mode["queue"]) == ("af_xdp", "feed0", 0)
        assert (mode["driver_mode"], mode["zero_copy"]) == ("native", False)
        assert any("no zero-copy" in note for note in mode["notes"])
        assert mode["driver"] == "veth"
        assert mode["destinations"] == [(GROUP, PORT)]
    with receiver(driver_mode="generic", copy_mode="copy", huge_pages=False) as port:
        mode = port.mode()
        assert (mode["driver_mode"], mode["zero_copy"], mode["huge_pages"]) == (
            "generic",
            False,
            False,
        )
        assert not any("no zero-copy" in note for note in mode["notes"])
    with sender() as port:
        assert port.mode()["timestamps"] == "none"


def test_joins_its_groups(wire):
    def groups():
        # Through the process's own directory: /proc/net is that of the main thread.
        return Path("/proc/thread-self/net/igmp").read_text()

    wanted = "".join(f"{int(part):02X}" for part in reversed(GROUP.split(".")))
    with receiver(), inside(THERE):
        assert wanted in groups()
    with receiver(join=False), inside(THERE):
        assert wanted not in groups()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"copy_mode": "zero-copy"}, "Operation not supported"),
        ({"copy_mode": "zero-copy", "driver_mode": "generic"}, "Operation not supported"),
        ({"copy_mode": "magic"}, "copy mode must be"),
        ({"driver_mode": "magic"}, "driver mode must be"),
        ({"queue": 63}, "binding queue 63"),
        ({"receive_frames": 100}, "power of two"),
        ({"chunk_bytes": 1000}, "chunk_bytes must be"),
        ({"destinations": [("exchange", 1)]}, "no IPv4 address"),
        ({"destinations": [(GROUP, 0)]}, "no UDP port"),
        ({"destinations": [(GROUP, 1)] * 257}, "1 to 256 destinations"),
    ],
)
def test_mistakes_are_one_clear_line(wire, options, text):
    with pytest.raises(PortError, match=text) as caught:
        receiver(**options)
    assert "\n" not in str(caught.value)
    assert attached() == "none"


def test_an_occupied_or_absent_interface(wire):
    with receiver() as port:
        assert port.mode()["driver_mode"] == "native"
        with pytest.raises(PortError, match="another XDP program is attached"):
            receiver(queue=1)
        with pytest.raises(PortError, match="another socket holds the queue"), inside(THERE):
            AfXdpPort("feed0", bind_seconds=0.05)
    with pytest.raises(PortError, match="no interface 'absent0'"):
        AfXdpPort("absent0", destinations=[(GROUP, PORT)])


def test_without_libbpf_it_says_so(wire, monkeypatch):
    monkeypatch.setitem(sys.modules, "nic.xdp_program", None)
    with pytest.raises(PortError, match="libbpf is missing"):
        receiver()


UNPRIVILEGED = """
import os, sys
from nic.af_xdp import AfXdpPort
from tools.namespaces import inside
from nic.port import PortError
with inside(sys.argv[1]):
    os.setgid(65534)
    os.setuid(65534)
    try:
        AfXdpPort("feed0", destinations=[("239.66.1.1", 26477)])
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
    assert "needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF" in done.stdout, done.stderr
    assert done.stdout.count("\n") == 1


def test_tcpdump_sees_what_it_sends(wire, tmp_path):
    """An independent witness: the frames as another program captured them on the other side."""
    path = tmp_path / "witness.pcap"
    # A small snapshot length: in immediate mode the ring has room for so many packets only.
    command = ["tcpdump", "--immediate-mode", "-s", "2048", "-Z", "root", "-i", "feed0"]
    try:
        with inside(THERE):
            witness = subprocess.Popen(
                [*command, "-U", "-w", str(path), "udp port 7003"],
                stderr=subprocess.PIPE,
                text=True,
            )
    except FileNotFoundError:
        pytest.skip("tcpdump is not installed")
    with witness, sender() as source:
        while "listening" not in (line := witness.stderr.readline()):
            assert line, "tcpdump ended"
        sent = [udp(b"w" * i, RECEIVER, 7003, destination_hardware=wire) for i in range(50)]
        for frame in sent:
            source.send(frame)
        limit = time.monotonic() + 5
        while time.monotonic() < limit:
            if path.exists() and path.stat().st_size >= 24 + sum(16 + len(f) for f in sent):
                break
            time.sleep(0.02)
        witness.send_signal(signal.SIGINT)
        witness.wait(5)
    with PcapPort(path) as port:
        assert [frame for frame, _ in port] == sent
