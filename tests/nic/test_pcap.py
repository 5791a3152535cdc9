# SPDX-License-Identifier: Apache-2.0
import gzip
import os
import random
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nic.capture import capture_kind
from nic.frame import build_udp, parse_udp
from nic.pcap import PcapPort, PcapWriter
from nic.port import PortError

T = 1_692_711_000_123_456_789
FRAMES = [build_udp(b"m" * i, "10.0.0.1", 1, "233.1.1.1", 2) for i in range(5)]
ETHERNET, RAW, COOKED, COOKED_2, INFINIBAND = 1, 101, 113, 276, 247


def pcap(packets, order="<", nanoseconds=True, link=ETHERNET) -> bytes:
    data = struct.pack(
        order + "IHHiIII", 0xA1B23C4D if nanoseconds else 0xA1B2C3D4, 2, 4, 0, 0, 65535, link
    )
    unit = 1 if nanoseconds else 1000
    for i, packet in enumerate(packets):
        seconds, rest = divmod(T + i, 10**9)
        data += struct.pack(order + "IIII", seconds, rest // unit, len(packet), len(packet))
        data += packet
    return data


def block(kind, body, order="<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order="<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(order="<", link=ETHERNET, snap=0, resolution=9, offset=None) -> bytes:
    options = struct.pack(order + "HHB3x", 9, 1, resolution) if resolution is not None else b""
    if offset is not None:
        options += struct.pack(order + "HHq", 14, 8, offset)
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options + bytes(4), order)


def enhanced(packet, ticks, order="<", index=0, original=None) -> bytes:
    head = struct.pack(
        order + "IIIII",
        index,
        ticks >> 32,
        ticks & 0xFFFFFFFF,
        len(packet),
        original or len(packet),
    )
    return block(6, head + packet, order)


def simple(packet, order="<") -> bytes:
    return block(3, struct.pack(order + "I", len(packet)) + packet, order)


def read(tmp_path, data: bytes):
    path = tmp_path / "capture.bin"
    path.write_bytes(data)
    with PcapPort(path) as port:
        packets = list(port)
        assert port.finished
        assert port.counters()["rx_packets"] == len(packets)
        return packets, {name: n for name, n in port.errors().items() if n}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("nanoseconds", [True, False])
@pytest.mark.parametrize("compress", [True, False])
def test_pcap_of_every_kind(tmp_path, order, nanoseconds, compress):
    data = pcap(FRAMES, order, nanoseconds)
    packets, errors = read(tmp_path, gzip.compress(data) if compress else data)
    unit = 1 if nanoseconds else 1000
    assert packets == [(f, (T + i) // unit * unit) for i, f in enumerate(FRAMES)]
    assert errors == {}


@pytest.mark.parametrize("order", "<>")
def test_pcapng_with_its_block_types(tmp_path, order):
    other = "<" if order == ">" else ">"
    data = section(order)
    data += block(5, b"statistics", order)
    data += interface(order) + interface(order, resolution=None) + interface(order, resolution=0x8A)
    data += enhanced(FRAMES[0], T, order)
    data += block(0x0BAD, b"custom", order)
    data += enhanced(FRAMES[1], T // 1000, order, index=1)
    data += enhanced(FRAMES[2], 3 * 1024 + 512, order, index=2)
    data += simple(FRAMES[3], order)
    data += section(other) + interface(other, offset=1000) + enhanced(FRAMES[4], 7, other)
    packets, errors = read(tmp_path, data)
    assert packets == [
        (FRAMES[0], T),
        (FRAMES[1], T // 1000 * 1000),
        (FRAMES[2], 3_500_000_000),
        (FRAMES[3], 0),
        (FRAMES[4], 1_000_000_000_007),
    ]
    assert errors == {}


def test_a_simple_packet_is_as_long_as_the_interface_keeps(tmp_path):
    body = struct.pack("<I", 1000) + FRAMES[1][:40]
    packets, errors = read(tmp_path, section() + interface(snap=40) + block(3, body))
    assert packets == [(FRAMES[1][:40], 0)]
    assert errors == {"cut_packets": 1}


@pytest.mark.parametrize(
    ("link", "header"),
    [(RAW, b""), (COOKED, b"\0" * 14 + b"\x08\x00"), (COOKED_2, b"\x08\x00" + b"\0" * 18)],
)
def test_other_link_types_become_ethernet(tmp_path, link, header):
    packets = [header + frame[14:] for frame in FRAMES]
    for data in (
        pcap(packets, link=link),
        section() + interface(link=link) + b"".join(enhanced(p, T) for p in packets),
        section() + interface(link=link) + b"".join(simple(p) for p in packets),
    ):
        taken, errors = read(tmp_path, data)
        assert [parse_udp(frame) for frame, _ in taken] == [parse_udp(f) for f in FRAMES]
        assert errors == {}


def test_an_unsupported_link_type_is_an_error(tmp_path):
    path = tmp_path / "x"
    for data in (
        pcap(FRAMES, link=INFINIBAND),
        section() + interface(link=INFINIBAND) + enhanced(FRAMES[0], T),
    ):
        path.write_bytes(data)
        with pytest.raises(PortError, match="link type 247 is not supported"):
            PcapPort(path)
    mixed = section() + interface() + interface(link=INFINIBAND)
    mixed += enhanced(FRAMES[0], T) + enhanced(b"?" * 60, T, index=1) + enhanced(b"?", T, index=9)
    packets, errors = read(tmp_path, mixed)
    assert packets == [(FRAMES[0], T)]
    assert errors == {"unsupported_link": 1, "unknown_interface": 1}


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
@pytest.mark.parametrize("compress", [False, True])
def test_cut_anywhere_everything_before_is_kept(tmp_path, kind, compress):
    whole = pcap(FRAMES)
    ends = [24]
    for frame in FRAMES:
        ends.append(ends[-1] + 16 + len(frame))
    if kind == "pcapng":
        whole = section() + interface()
        ends = [len(whole)]
        for i, frame in enumerate(FRAMES):
            whole += enhanced(frame, T + i)
            ends.append(len(whole))
    for size in range(ends[0], len(whole) + 1, 7 if compress else 1):
        data = whole[:size]
        packets, errors = read(tmp_path, gzip.compress(data, 1) if compress else data)
        complete = sum(1 for end in ends[1:] if end <= size)
        assert packets == [(f, T + i) for i, f in enumerate(FRAMES[:complete])], size
        assert errors == ({} if size in ends else {"truncated_record": 1}), size


def test_cut_and_damaged_gzip(tmp_path):
    source = random.Random(50)
    frames = [source.randbytes(1000) for _ in range(3000)]
    whole = gzip.compress(pcap(frames), 1)
    packets, errors = read(tmp_path, whole[: len(whole) * 2 // 5 + 300])
    assert [p for p, _ in packets] == frames[: len(packets)]
    assert 1000 < len(packets) < 1300
    assert errors == {"truncated_record": 1, "truncated_gzip": 1}
    damaged = bytearray(whole)
    damaged[-6] ^= 1  # the checksum over everything
    packets, errors = read(tmp_path, bytes(damaged))
    assert [p for p, _ in packets] == frames[: len(packets)]
    assert errors["bad_gzip"] == 1


def test_members_of_gzip_follow_each_other(tmp_path):
    data = pcap(FRAMES)
    packets, errors = read(tmp_path, gzip.compress(data[:100]) + gzip.compress(data[100:]))
    assert [p for p, _ in packets] == FRAMES
    assert errors == {}


def test_impossible_lengths_end_the_reading(tmp_path):
    data = pcap(FRAMES) + struct.pack("<IIII", 1, 1, 1 << 30, 1 << 30) + b"x" * 100
    packets, errors = read(tmp_path, data)
    assert len(packets) == len(FRAMES)
    assert errors == {"bad_record": 1}
    good = section() + interface() + enhanced(FRAMES[0], T)
    for bad in (
        struct.pack("<II", 6, 11) + bytes(20),
        struct.pack("<II", 6, 13) + bytes(20),
        block(6, struct.pack("<IIIII", 0, 0, 0, 999, 999)),
        block(6, b"\0" * 16),
        block(1, b"\0" * 4),
        block(3, b""),
        enhanced(FRAMES[0], T)[:-4] + b"\0\0\0\1",
        block(0x0A0D0D0A, b"\0" * 16),
        interface(resolution=99),
    ):
        packets, errors = read(tmp_path, good + bad + enhanced(FRAMES[1], T))
        assert packets == [(FRAMES[0], T)], bad
        assert errors == {"bad_record": 1}, bad


def test_a_huge_block_is_passed_over(tmp_path):
    data = section() + interface() + block(0x0BAD, b"z" * 5_000_000) + enhanced(FRAMES[0], T)
    packets, errors = read(tmp_path, data)
    assert packets == [(FRAMES[0], T)]
    assert errors == {}


@settings(max_examples=150)
@given(
    flips=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=6),
    is_pcapng=st.booleans(),
    cut=st.integers(0, 200),
)
def test_damaged_files_are_survived(tmp_path_factory, flips, is_pcapng, cut):
    data = bytearray(pcap(FRAMES))
    if is_pcapng:
        data = bytearray(section() + interface() + b"".join(enhanced(f, T) for f in FRAMES))
    del data[len(data) - cut :]
    for at, value in flips:
        if at < len(data):
            data[at] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(data)
    try:
        with PcapPort(path) as port:
            assert sum(len(frame) for frame, _ in port) <= len(data) + 14 * len(FRAMES)
            assert port.finished
    except PortError as error:
        assert "\n" not in str(error)


def test_a_written_file_is_read_back(tmp_path):
    path = tmp_path / "out.pcap"
    with PcapWriter(path) as writer:
        for i, frame in enumerate(FRAMES):
            assert writer.write_frame(frame, T + i) == 0
        writer.time_ns = T + 99
        assert writer.send(b"f" * 60) == 0
        assert writer.write_frame(b"x" * 262_145, T) == -1
        assert writer.counters()["tx_packets"] == len(FRAMES) + 1
        assert writer.counters()["tx_too_long"] == 1
    with PcapPort(path) as port:
        assert list(port) == [*((f, T + i) for i, f in enumerate(FRAMES)), (b"f" * 60, T + 99)]
    assert writer.write_frame(b"closed", 1) == -1


def test_what_is_transmitted_bears_the_time_of_what_was_received(tmp_path):
    source = tmp_path / "in.pcap"
    source.write_bytes(pcap(FRAMES))
    with PcapWriter(tmp_path / "out.pcap") as writer, PcapPort(source, writer=writer) as port:
        port.receive(2)
        assert port.send(FRAMES[4]) == 0
    with PcapPort(tmp_path / "out.pcap") as port:
        assert list(port) == [(FRAMES[4], T + 1)]
        assert port.send(b"nowhere") == -1


def test_mode_and_mistakes(tmp_path):
    path = tmp_path / "named.pcapng"
    path.write_bytes(gzip.compress(pcap(FRAMES)))
    with PcapPort(path) as port:
        mode = port.mode()
        assert (mode["kind"], mode["driver_mode"], mode["format"]) == ("pcap", "file", "pcap")
        assert (mode["compression"], mode["timestamps"]) == ("gzip", "capture-file")
        assert mode["link_types"] == ["ethernet"]
    with pytest.raises(PortError, match="No such file"):
        PcapPort(tmp_path / "absent")
    with pytest.raises(PortError, match="No such file"):
        PcapWriter(tmp_path / "absent" / "x.pcap")
    path.write_text("hello, world")
    with pytest.raises(PortError, match="neither a pcap nor a pcapng"):
        PcapPort(path)
    path.write_bytes(pcap([])[:20])
    with pytest.raises(PortError, match="inside its header"):
        PcapPort(path)
    path.write_bytes(pcap([]))
    with PcapPort(path) as port:
        assert list(port) == []


def test_scapy_reads_and_writes_the_same(tmp_path):
    from scapy.utils import PcapNgWriter, RawPcapReader, RawPcapWriter

    path = str(tmp_path / "ours.pcap")
    with PcapWriter(path) as writer:
        for i, frame in enumerate(FRAMES):
            writer.write_frame(frame, T + i)
    with RawPcapReader(path) as reader:
        taken = [(data, meta.sec * 10**9 + meta.usec) for data, meta in reader]
    assert taken == [(f, T + i) for i, f in enumerate(FRAMES)]
    theirs = str(tmp_path / "theirs.pcap")
    with RawPcapWriter(theirs, linktype=1, endianness=">") as writer:
        for frame in FRAMES:
            writer.write(frame)
    with PcapPort(theirs) as port:
        assert [data for data, _ in port] == FRAMES
    with PcapNgWriter(str(tmp_path / "theirs.pcapng")) as writer:
        for frame in FRAMES:
            writer.write(frame)
    with PcapPort(tmp_path / "theirs.pcapng") as port:
        assert [data for data, _ in port] == FRAMES


def test_a_large_file_is_read_in_pieces_and_fast(tmp_path):
    path = tmp_path / "many.pcap"
    with PcapWriter(path) as writer:
        for i in range(100_000):
            writer.write_frame(FRAMES[i % 5], T + i)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        with PcapPort(path) as port:
            times = [time_ns for burst in iter(port.receive, []) for _, time_ns in burst]
        best = min(best, time.perf_counter() - start)
        assert times == list(range(T, T + 100_000))
    # With a Python object a packet, on a machine that does other things too.
    assert best < 0.4, f"{100_000 / best:.0f} packets a second"


@pytest.fixture
def data() -> Path:
    folder = os.environ.get("TICKWIRE_DATA")
    if not folder:
        pytest.skip("TICKWIRE_DATA is not set")
    return Path(folder)


def test_the_iex_capture(data):
    path = data / "iex" / "DEEP10.pcap.gz"
    assert capture_kind(path) == "pcap"
    with PcapPort(path) as port:
        count = sum(1 for frame, _ in port if parse_udp(frame)[0] == "ok")
        assert count == port.counters()["rx_packets"] == 121_314
        assert {name: n for name, n in port.errors().items() if n} == {"truncated_record": 1}


def test_the_nasdaq_captures(data):
    paths = sorted((data / "nasdaq-itch50").glob("*.pcap"))
    fields = []
    for path in paths:
        with PcapPort(path) as port:
            parsed = [parse_udp(frame) for frame, _ in port]
            assert {reason for reason, _ in parsed} == {"ok"}, path
            fields += [found for _, found in parsed]
    assert len(fields) == 9
    assert {f["vlan"] for f in fields} == {141}
    assert {(f["destination_address"], f["destination_port"]) for f in fields} == {
        ("233.54.12.111", 26477)
    }
    assert max(len(f["payload"]) for f in fields) == 1472
