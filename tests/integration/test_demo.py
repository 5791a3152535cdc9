# SPDX-License-Identifier: Apache-2.0
"""The main job end to end: two namespaces, real packets, captures, and independent witnesses."""

import heapq
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyroute2.netns import listnetns

from nic.frame import parse_tcp
from nic.pcap import PcapPort, PcapWriter
from tools.demo import is_root
from tools.namespaces import pids

COMMAND = [sys.executable, "-m", "tools.main"]
ROOT = Path(__file__).resolve().parents[2]
needs_root = pytest.mark.skipif(not is_root(), reason="namespaces need root")


def tickwire(*arguments: str, timeout: float = 90) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    folder = tmp_path_factory.mktemp("demo")
    done = tickwire("demo", "--seconds", "4", "--json", "--keep", str(folder))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout), folder


@needs_root
@pytest.mark.timeout(150)
def test_every_stage_did_its_part(demo: tuple[dict, Path]) -> None:
    report, _ = demo
    appliance = report["appliance"]
    ports = {port["name"]: port for port in appliance["ports"]}
    assert ports["line A"]["kind"] == ports["line B"]["kind"] == "af_xdp"
    assert ports["line A"]["driver_mode"] == "native"
    assert appliance["messages"]["delivered"] > 4 * 5_000
    assert len(appliance["positions"]) >= 5
    assert appliance["orders"]["executed"] > 0
    assert appliance["open_orders"] == 0
    assert appliance["gaps"]["never"] == 0
    assert appliance["stages"]["total"]["count"] > 100
    assert report["exchange"]["messages_per_second"] > 5_000
    assert report["verify"]["done"] and report["verify"]["ok"]
    assert report["ok"]


@needs_root
@pytest.mark.timeout(150)
def test_verify_finds_a_changed_byte(demo: tuple[dict, Path], tmp_path: Path) -> None:
    """The proof is one: a capture with one changed order fails it."""
    _, folder = demo
    with PcapPort(folder / "orders.pcap") as port:
        segments = [segment for _, segment in (parse_tcp(frame) for frame, _ in port) if segment]
    # SoupBinTCP unsequenced data with an OUCH enter order, behind the packet's length; the two
    # letters alone also turn up in time stamps and checksums
    order = [s["payload"] for s in segments if s["payload"][2:4] == b"UO"][-1]
    data = bytearray((folder / "orders.pcap").read_bytes())
    data[data.rfind(order) + 12] ^= 1  # a byte of the quantity
    changed = tmp_path / "orders.pcap"
    changed.write_bytes(data)
    journal = str(folder / "journal.bin")
    assert tickwire("verify", str(folder / "orders.pcap"), "--journal", journal).returncode == 0
    assert tickwire("verify", str(changed), "--journal", journal).returncode == 1


@needs_root
@pytest.mark.timeout(150)
def test_replay_of_the_captured_lines_agrees(demo: tuple[dict, Path], tmp_path: Path) -> None:
    """Each line lacks what its network lost; both together have it all."""
    report, folder = demo
    both = tmp_path / "both.pcap"
    with (
        PcapPort(folder / "line-a.pcap") as a,
        PcapPort(folder / "line-b.pcap") as b,
        PcapWriter(both) as writer,
    ):
        for frame, time_ns in heapq.merge(a, b, key=lambda packet: packet[1]):
            writer.write_frame(frame, time_ns)
    done = tickwire("replay", str(both), "--json", "--strategy", "none")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["lines"]) == 2
    assert set(found["errors"]) <= {"not_ipv4", "not_udp"}  # what the kernel says by itself
    appliance = report["appliance"]
    assert found["gaps"] <= appliance["gaps"]["re_request"]  # lost on both lines at once
    for letter, count in appliance["messages"]["types"].items():
        # the exchange went on a little longer
        assert found["messages"][letter] + found["lost_messages"] >= count


@needs_root
@pytest.mark.timeout(150)
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_agrees_with_our_dissection(demo: tuple[dict, Path]) -> None:
    """Wireshark's own MoldUDP64 and SoupBinTCP dissectors read what we read."""
    from tools.witness import moldudp64_packets, soupbintcp_packets, tshark_moldudp64, tshark_soup

    _, folder = demo
    line = folder / "line-a.pcap"
    ours = moldudp64_packets(line)
    assert len(ours) > 1000
    assert tshark_moldudp64(line) == ours
    orders = folder / "orders.pcap"
    packets = soupbintcp_packets(orders)
    assert len(packets) > 100
    assert tshark_soup(orders) == packets


def children_of(pid: int) -> list[int]:
    """Processes that the process started and that still run."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


@needs_root
@pytest.mark.timeout(120)
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "demo", "--seconds", "60"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    end = time.monotonic() + 40
    while time.monotonic() < end and not list(tmp_path.glob("tickwire-demo-*/appliance.ready")):
        time.sleep(0.1)
    time.sleep(0.5)
    children = children_of(process.pid)
    spaces = [name for name in listnetns() if set(pids(name)) & set(children)]

    def rings() -> list[str]:
        mine = tuple(f"tickwire-{pid}-" for pid in (process.pid, *children))
        return [name for name in os.listdir("/dev/shm") if name.startswith(mine)]

    assert len(children) == 5 and len(spaces) == 2 and rings()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert not set(spaces) & set(listnetns())
    assert not rings()
    assert not [pid for pid in children if os.path.exists(f"/proc/{pid}")]
    assert not list(tmp_path.iterdir())


@needs_root
@pytest.mark.timeout(120)
def test_two_at_once() -> None:
    demos = [
        subprocess.Popen(
            [*COMMAND, "demo", "--seconds", "2", "--json"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    spaces = set()
    for one in demos:
        out, errors = one.communicate(timeout=90)
        assert out, errors
        report = json.loads(out)
        assert report["exchange"]["order_entry"]["accepted"] > 0
        assert report["verify"]["ok"]
        spaces |= set(report["namespaces"])
    assert len(spaces) == 4
    assert not spaces & set(listnetns())


@pytest.mark.timeout(120)
def test_demo_without_root_says_what_it_costs() -> None:
    """The loopback run works for everybody, and says what it lacks."""
    done = tickwire("demo", "--seconds", "2", "--json", "--loopback")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["mode"] == "loopback"
    assert "costs" in report["note"]
    assert report["appliance"]["messages"]["delivered"] > 10_000
    assert report["appliance"]["open_orders"] == 0
