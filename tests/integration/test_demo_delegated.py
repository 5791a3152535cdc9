# SPDX-License-Identifier: Apache-2.0
"""The demo with orders sent past the kernel's TCP stack, and the proof that it can fail."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nic.frame import parse_tcp
from nic.pcap import PcapPort, PcapWriter
from tools.demo import is_root

COMMAND = [sys.executable, "-m", "tools.main"]
ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.skipif(not is_root(), reason="namespaces and raw ports need root"),
    pytest.mark.timeout(150),
]


def tickwire(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    folder = tmp_path_factory.mktemp("delegated")
    done = tickwire(
        "demo", "--seconds", "4", "--send", "delegated", "--json", "--keep", str(folder)
    )
    assert done.returncode in (0, 1), done.stderr[-2000:]
    report = json.loads(done.stdout)
    appliance = report["appliance"]
    assert done.returncode == 0, (
        appliance["gaps"],
        appliance["open_orders"],
        appliance["order_entry"]["venues"],
        report["verify"]["differences"],
    )
    return report, folder


def test_orders_left_by_the_raw_port(demo: tuple[dict, Path]) -> None:
    report, _ = demo
    entry = report["appliance"]["order_entry"]
    counters = entry["venues"]["exchange"]
    verified = report["verify"]
    assert report["ok"] and verified["ok"]
    assert entry["send"] == "delegated"
    assert entry["ports"][0]["kind"] == "af_xdp"
    assert counters["sent"] > 100
    assert counters["sent"] > 0.9 * verified["orders_on_wire"]
    assert entry["ports"][0]["counters"]["tx_packets"] == counters["sent"]
    assert verified["delegated_segments"] == counters["sent"]
    assert verified["sent_again"] <= counters["retransmitted_segments"]
    assert verified["sent_segments"] - verified["sent_again"] >= counters["sent"]
    assert report["appliance"]["orders"]["executed"] > 0


def test_each_delegated_order_is_in_the_capture_once(demo: tuple[dict, Path]) -> None:
    """Without a word of ours in between: sequence numbers in the file that tcpdump wrote."""
    report, folder = demo
    times: dict[int, int] = {}
    with PcapPort(folder / "orders.pcap") as port:
        for frame, _ in port:
            _, segment = parse_tcp(frame)
            if segment and segment["payload"] and segment["source_address"] == "10.71.3.2":
                number = segment["sequence_number"]
                times[number] = times.get(number, 0) + 1
    counters = report["appliance"]["order_entry"]["venues"]["exchange"]
    again = sum(times.values()) - len(times)
    assert len(times) > 100
    assert again <= counters["retransmitted_segments"]


def test_a_segment_that_nobody_sent_again_fails_the_proof(
    demo: tuple[dict, Path], tmp_path: Path
) -> None:
    report, folder = demo
    doubled = tmp_path / "orders.pcap"
    counters = report["appliance"]["order_entry"]["venues"]["exchange"]
    left = counters["retransmitted_segments"] - report["verify"]["sent_again"] + 1
    with PcapPort(folder / "orders.pcap") as port, PcapWriter(doubled) as writer:
        for frame, time_ns in port:
            writer.write_frame(frame, time_ns)
            _, segment = parse_tcp(frame)
            if left and segment and segment["payload"][2:4] == b"UO":
                writer.write_frame(frame, time_ns)
                left -= 1
    assert left == 0
    journal = str(folder / "journal.bin")
    assert tickwire("verify", str(folder / "orders.pcap"), "--journal", journal).returncode == 0
    done = tickwire("verify", str(doubled), "--journal", journal, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["difference_counts"] == {"sent_twice": 1}


def test_loopback_says_that_it_can_not() -> None:
    done = tickwire("demo", "--send", "delegated", "--loopback")
    assert done.returncode == 2
    assert "needs root" in done.stderr
