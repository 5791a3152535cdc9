# SPDX-License-Identifier: Apache-2.0
"""When a send must not be delegated: windows, neighbours, routes, ends; and what is on the wire."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyroute2 import NetNS
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from tcp_delegated_support import DEVICE, TRADER, VENUE, exchange, receive, wait, world

from nic import link
from nic.port import PortError
from nic.tcp.delegated_stream import DelegatedStream
from nic.udp import UdpPort
from tools.namespaces import inside

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="TCP_REPAIR and namespaces need root")

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("cached", "armed")


@pytest.fixture(scope="module")
def hosts():
    with world() as found:
        yield found


@pytest.fixture
def raw(hosts):
    with hosts.raw_port() as port:
        yield port


@pytest.fixture(autouse=True)
def perfect_wire(hosts):
    hosts.heal()


def deliver(stream, peer, data):
    """Send what fits one segment and wait until it is there; whether it was delegated."""
    before = stream.counters()["sent"]
    assert stream.write(data) == len(data)
    sent = stream.counters()["sent"]
    arrived = b""

    def is_there():
        nonlocal arrived
        arrived += receive(peer)
        stream.read()
        return arrived == data

    wait(is_there)
    wait(stream.prepare)
    return sent > before


@pytest.mark.parametrize("preparation", [*KINDS, "none"])
def test_a_closed_window_is_the_kernels(hosts, raw, preparation):
    source = random.Random(preparation)
    hosts.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    try:
        with hosts.connection(raw, preparation=preparation) as (stream, peer):
            data = source.randbytes(200_000)
            sent = 0
            while stream.counters()["no_window"] == 0:
                piece = data[sent : sent + 500]
                sent += stream.write(piece)
                stream.prepare()
                time.sleep(0.0005)
                assert sent < len(data)
            assert stream.counters()["sent"] > 2
            for _ in range(20):
                sent += stream.write(data[sent : sent + 100])
            counters = stream.counters()
            assert counters["unsent_data"] + counters["no_window"] >= 20
            arrived, _ = exchange(stream, peer, data, source=source, sent=sent)
            assert arrived == data
            wait(stream.prepare)
            assert deliver(stream, peer, b"open again")
    finally:
        hosts.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131072)


@pytest.mark.parametrize("preparation", KINDS)
def test_a_slow_reader_gets_every_byte(hosts, raw, preparation):
    source = random.Random(f"slow {preparation}")
    hosts.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    try:
        with hosts.connection(raw, preparation=preparation) as (stream, peer):
            data = source.randbytes(300_000)
            arrived, _ = exchange(stream, peer, data, source=source, largest=700, reads=0.03)
            assert arrived == data
            assert stream.counters()["sent"] >= 5
    finally:
        hosts.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131072)


@pytest.mark.parametrize("preparation", KINDS)
def test_our_own_slow_reading_does_not_stop_the_venue(hosts, raw, preparation):
    """Our window closes and opens while segments that repeat it leave."""
    source = random.Random(f"our {preparation}")
    with hosts.connection(raw, preparation=preparation) as (stream, peer):
        answer = source.randbytes(3_000_000)
        told, heard, asked = 0, bytearray(), b""
        limit = time.monotonic() + 20
        while len(heard) < len(answer):
            assert time.monotonic() < limit, (told, len(heard), stream.counters())
            with contextlib.suppress(BlockingIOError):
                while told < len(answer):
                    told += peer.send(answer[told : told + 65536])
            asked += receive(peer)
            stream.write(b"order")
            if source.random() < 0.5:
                heard += stream.read(source.randint(1, 400_000)) or b""
        assert bytes(heard) == answer
        assert stream.counters()["sent"] > 10


@pytest.mark.parametrize("preparation", [*KINDS, "none"])
def test_a_reset_ends_it(hosts, raw, preparation):
    with hosts.connection(raw, preparation=preparation) as (stream, peer):
        assert deliver(stream, peer, b"before")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()
        time.sleep(0.05)
        before = raw.counters()["tx_packets"]
        with pytest.raises(PortError, match="closed"):
            for _ in range(10):
                stream.write(b"into the void")
        assert raw.counters()["tx_packets"] == before
        assert stream.status() == "closed"
        assert stream.reason() in ("Connection reset by peer", "Broken pipe")


@pytest.mark.parametrize("preparation", [*KINDS, "none"])
def test_the_peers_end_is_seen(hosts, raw, preparation):
    with hosts.connection(raw, preparation=preparation) as (stream, peer):
        assert deliver(stream, peer, b"before")
        peer.sendall(b"last words")
        peer.shutdown(socket.SHUT_WR)
        time.sleep(0.05)
        assert deliver_half_closed(stream, peer)
        heard = b""

        def is_over():
            nonlocal heard
            got = stream.read()
            heard += got or b""
            return got == b""

        wait(is_over)
        assert heard == b"last words"


def deliver_half_closed(stream, peer):
    """The other direction still works, and by the raw port."""
    before = stream.counters()["sent"]
    assert stream.write(b"and still") == 9
    wait(lambda: receive(peer) == b"and still")
    return stream.counters()["sent"] == before + 1


@pytest.mark.parametrize("preparation", [*KINDS, "none"])
def test_our_end_reaches_the_venue(hosts, raw, preparation):
    with hosts.connection(raw, preparation=preparation) as (stream, peer):
        assert deliver(stream, peer, b"before")
        assert stream.write(b"the last order") == 14
        stream.close()
        peer.setblocking(True)
        peer.settimeout(2)
        arrived = b""
        while got := peer.recv(100):
            arrived += got
        assert arrived == b"the last order"
        assert stream.status() == "closed"
        stream.close()


@pytest.mark.parametrize("preparation", KINDS)
def test_a_forgotten_stream_sends_its_end(hosts, raw, preparation):
    """Whoever drops the last reference closes the connection, in repair mode as well."""
    with inside(hosts.trader):
        port = hosts.listener.getsockname()[1]
        stream = DelegatedStream(VENUE, port, raw=raw, preparation=preparation)
    peer, _ = hosts.listener.accept()
    wait(stream.prepare)
    del stream
    peer.settimeout(2)
    assert peer.recv(10) == b""
    peer.close()


@pytest.mark.parametrize("preparation", KINDS)
def test_the_neighbour_is_followed(hosts, raw, preparation):
    with (
        NetNS(hosts.trader) as space,
        NetNS(hosts.venue) as theirs,
        hosts.connection(raw, preparation=preparation) as (stream, peer),
    ):
        index = space.link_lookup(ifname=DEVICE)[0]
        their_index = theirs.link_lookup(ifname=DEVICE)[0]
        assert deliver(stream, peer, b"first")
        with inside(hosts.venue):
            old = link.facts(DEVICE).hardware_address
        new = "02:77:00:00:00:01"
        try:
            theirs.link("set", index=their_index, address=new)
            space.neigh("replace", dst=VENUE, lladdr=new, ifindex=index, state="reachable")
            wait(lambda: stream.prepare() and stream.mode()["route"]["neighbour"] == new)
            before = stream.counters()["retransmitted_segments"]
            assert deliver(stream, peer, b"to the new address")
            assert stream.counters()["retransmitted_segments"] == before
            # An entry that is gone: the kernel's own send asks for the address.
            space.neigh("delete", dst=VENUE, ifindex=index)
            wait(lambda: not stream.prepare())
            assert stream.verdict() == "no_neighbour"
            assert not deliver(stream, peer, b"who has it?")
            assert stream.counters()["no_neighbour"] == 1
            assert deliver(stream, peer, b"known again")
            assert stream.counters()["route_changes"] > 0
        finally:
            theirs.link("set", index=their_index, address=old)
            space.neigh("replace", dst=VENUE, lladdr=old, ifindex=index, state="reachable")


def test_a_neighbour_that_moved_silently_is_found_by_the_kernel(hosts, raw):
    """Frames to the old address are lost; the kernel's retransmission asks, ours follow."""
    with NetNS(hosts.trader) as space, hosts.connection(raw) as (stream, peer):
        index = space.link_lookup(ifname=DEVICE)[0]
        with inside(hosts.venue):
            old = link.facts(DEVICE).hardware_address
        wrong = "02:99:00:00:00:01"
        with inside(hosts.trader):
            settings = Path("/proc/sys/net/ipv4/neigh") / DEVICE
            for name, value in (("delay_first_probe_time", 1), ("ucast_solicit", 1)):
                (settings / name).write_text(str(value))
        try:
            space.neigh("replace", dst=VENUE, lladdr=wrong, ifindex=index, state="stale")
            wait(lambda: stream.mode()["route"]["neighbour"] == wrong or stream.prepare() is None)
            assert stream.write(b"to nobody") == 9
            arrived = b""

            def is_there():
                nonlocal arrived
                arrived += receive(peer)
                stream.prepare()
                return arrived == b"to nobody"

            wait(is_there, seconds=20)
            wait(lambda: stream.prepare() and stream.mode()["route"]["neighbour"] == old)
            assert stream.counters()["retransmitted_segments"] > 0
            assert deliver(stream, peer, b"there again")
        finally:
            space.neigh("replace", dst=VENUE, lladdr=old, ifindex=index, state="reachable")


def test_the_route_is_followed(hosts, raw):
    with NetNS(hosts.trader) as space, hosts.connection(raw) as (stream, peer):
        assert deliver(stream, peer, b"by the wire")
        space.route("add", dst=f"{VENUE}/32", type="blackhole")
        try:
            wait(lambda: not stream.prepare())
            assert stream.verdict() == "no_route"
            assert stream.write(b"nowhere") in (0, 7)
            assert stream.counters()["no_route"] == 1
        finally:
            space.route("del", dst=f"{VENUE}/32", type="blackhole")
        wait(stream.prepare, seconds=10)


def test_an_interface_that_is_down_is_no_way(hosts):
    with hosts.raw_port() as raw, hosts.connection(raw) as (stream, peer):
        assert deliver(stream, peer, b"up")
        with NetNS(hosts.trader) as space:
            index = space.link_lookup(ifname=DEVICE)[0]
            space.link("set", index=index, state="down")
            try:
                wait(lambda: not stream.prepare())
                assert stream.verdict() == "no_route"
            finally:
                space.link("set", index=index, state="up")
        wait(stream.prepare, seconds=10) if stream.write(b"again") else None


def test_frames_can_bear_a_tag(hosts, raw):
    hosts.tell(vlan=77)
    with hosts.connection(raw, vlan=77) as (stream, peer):
        before = hosts.tell()["left"]["tagged"]
        assert deliver(stream, peer, b"tagged")
        assert hosts.tell()["left"]["tagged"] == before + 1
        assert stream.mode()["vlan"] == 77


def segments(handle):
    """The trader's segments with payload, as frames."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            packet = Ether(handle.recv(65536))
            if TCP in packet and packet[IP].src == TRADER and len(packet[TCP].payload):
                found.append(packet)
    return found


@pytest.mark.parametrize("has_timestamps", [True, False])
def test_a_delegated_segment_looks_like_the_kernels(hosts, raw, has_timestamps):
    """Beside an ordinary segment of the same connection: only what must differ does."""
    for space in (hosts.trader, hosts.venue):
        with inside(space):
            Path("/proc/sys/net/ipv4/tcp_timestamps").write_text(str(int(has_timestamps)))
    try:
        with inside(hosts.venue):
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            tap.bind((DEVICE, 0))
            tap.setblocking(False)
        with tap, hosts.connection(raw) as (stream, peer):
            assert stream.mode()["timestamps"] is has_timestamps
            for number in range(20):
                peer.sendall(b"tick" * number)
                heard = b""

                def has_heard(number=number):
                    nonlocal heard
                    heard += stream.read() or b""
                    return len(heard) == 4 * number

                wait(has_heard)
                assert stream.read() is None  # idle: what came is acknowledged at once
                wait(stream.prepare)
                assert deliver(stream, peer, b"delegated")
                with socket.socket(fileno=os.dup(stream.fileno())) as handle:
                    assert handle.getsockopt(socket.IPPROTO_TCP, 19) == 0
                assert stream.write(bytes(2000)) == 2000  # the kernel's
                arrived = b""

                def all_there():
                    nonlocal arrived
                    arrived += receive(peer)
                    return len(arrived) == 2000

                wait(all_there)
                wait(stream.prepare)
            frames = segments(tap)
            ours = [p for p in frames if bytes(p[TCP].payload) == b"delegated"]
            kernels = [p for p in frames if bytes(p[TCP].payload) != b"delegated"]
            assert len(ours) == 20 and len(kernels) == 40
            for mine in ours:
                end = mine[TCP].seq + 9
                theirs = next(p for p in kernels if p[TCP].seq == end & 0xFFFFFFFF)
                assert (mine.src, mine.dst) == (theirs.src, theirs.dst)
                for name in ("tos", "ttl", "flags", "src", "dst", "version", "ihl"):
                    assert getattr(mine[IP], name) == getattr(theirs[IP], name), name
                for name in ("sport", "dport", "ack", "window", "dataofs"):
                    assert getattr(mine[TCP], name) == getattr(theirs[TCP], name), name
                assert str(mine[TCP].flags) == "PA"
                assert [kind for kind, _ in mine[TCP].options] == [
                    kind for kind, _ in theirs[TCP].options
                ]
                if has_timestamps:
                    own, other = dict(mine[TCP].options), dict(theirs[TCP].options)
                    assert 0 <= other["Timestamp"][0] - own["Timestamp"][0] < 1000
                for packet in (mine, theirs):
                    whole = bytes(packet[IP])
                    del packet[IP].chksum, packet[TCP].chksum
                    assert bytes(IP(bytes(packet[IP]))) == whole
            if has_timestamps:
                stamps = [dict(p[TCP].options)["Timestamp"][0] for p in frames]
                assert stamps == sorted(stamps)
    finally:
        for space in (hosts.trader, hosts.venue):
            with inside(space):
                Path("/proc/sys/net/ipv4/tcp_timestamps").write_text("1")


def test_congestion_marks_are_the_kernels_business(hosts, raw):
    for space in (hosts.trader, hosts.venue):
        with inside(space):
            Path("/proc/sys/net/ipv4/tcp_ecn").write_text("1")
    try:
        with inside(hosts.trader):
            stream = DelegatedStream(VENUE, hosts.listener.getsockname()[1], raw=raw)
        with stream:
            peer, _ = hosts.listener.accept()
            with peer:
                peer.setblocking(False)
                wait(lambda: stream.read() is None and stream.verdict() == "unsupported")
                assert stream.write(b"marked") == 6
                wait(lambda: receive(peer) == b"marked")
                assert stream.counters()["unsupported"] == 1
    finally:
        for space in (hosts.trader, hosts.venue):
            with inside(space):
                Path("/proc/sys/net/ipv4/tcp_ecn").write_text("2")


def test_a_refusing_port_is_healed_by_the_kernel(hosts):
    raw = hosts.raw_port()
    with hosts.connection(raw) as (stream, peer):
        assert deliver(stream, peer, b"open")
        raw.close()
        assert stream.write(b"refused") == 7
        assert stream.counters()["port_refused"] == 1
        wait(lambda: stream.prepare() and receive(peer) == b"refused")
        assert stream.counters()["retransmitted_segments"] >= 1


def test_the_send_buffer_is_honoured(hosts, raw):
    with hosts.connection(raw, maximum_age_ns=10**12) as (stream, peer):
        with socket.socket(fileno=os.dup(stream.fileno())) as handle:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
        wait(stream.prepare)
        hosts.tell(right={"is_cut": True})
        data = random.Random(4).randbytes(100_000)
        sent = 0
        while took := stream.write(data[sent : sent + 900]):
            sent += took
        assert 900 <= sent < 50_000
        counters = stream.counters()
        assert counters["no_buffer"] >= 1
        hosts.tell(right={"is_cut": False})
        arrived, _ = exchange(stream, peer, data, source=random.Random(5), sent=sent)
        assert arrived == data


DYING = """
import os, sys, time
from nic.af_xdp import AfXdpPort
from nic.tcp.delegated_stream import DelegatedStream
raw = AfXdpPort("wire0")
stream = DelegatedStream(sys.argv[1], int(sys.argv[2]), raw=raw, preparation=sys.argv[3])
while not stream.prepare():
    time.sleep(0.001)
stream.write(b"order")
stream.prepare()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("preparation", KINDS)
def test_what_a_killed_process_leaves(hosts, preparation):
    """Cached: a FIN at once. Armed: silence, until the venue's next packet draws a reset."""
    port = str(hosts.listener.getsockname()[1])
    child = subprocess.Popen(
        [
            "ip",
            "netns",
            "exec",
            hosts.trader,
            sys.executable,
            "-c",
            DYING,
            VENUE,
            port,
            preparation,
        ],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    try:
        peer, _ = hosts.listener.accept()
        with peer:
            assert child.stdout.readline() == "ready\n"
            peer.settimeout(0.5)
            assert peer.recv(100) == b"order"
            child.send_signal(signal.SIGKILL)
            child.wait()
            if preparation == "cached":
                assert peer.recv(100) == b""
                return
            with pytest.raises(TimeoutError):
                peer.recv(100)
            peer.send(b"heartbeat")
            with pytest.raises(ConnectionResetError):
                peer.recv(100)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_refusals_say_what_is_missing(hosts, raw):
    with (
        UdpPort(bind=("127.0.0.1", 0)) as datagrams,
        pytest.raises(PortError, match="sends frames"),
    ):
        DelegatedStream(VENUE, 1, raw=datagrams)
    with pytest.raises(PortError, match="preparation"):
        DelegatedStream(VENUE, 1, raw=raw, preparation="much")
    with pytest.raises(PortError, match="VLAN"):
        DelegatedStream(VENUE, 1, raw=raw, vlan=4095)
    with pytest.raises(PortError, match="no-such-device"):
        DelegatedStream(VENUE, 1, raw=raw, interface="no-such-device")
    program = "from nic.tcp.kernel_side import repair_refused\nprint(repair_refused())"
    done = subprocess.run(
        [
            "setpriv",
            "--bounding-set",
            "-net_admin",
            "--inh-caps",
            "-net_admin",
            sys.executable,
            "-c",
            program,
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert "CAP_NET_ADMIN" in done.stdout
