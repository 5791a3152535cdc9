# SPDX-License-Identifier: Apache-2.0
"""The main job with the feed by AF_PACKET rings: traded, recorded, verified."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.demo import is_root

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not is_root(), reason="namespaces need root")
@pytest.mark.timeout(150)
def test_the_demo_runs_and_verifies(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tools.main", "demo", "--port", "af_packet"),
            *("--seconds", "3", "--json", "--keep", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    report = json.loads(done.stdout)
    appliance = report["appliance"]
    ports = {port["name"]: port for port in appliance["ports"]}
    for line in ("line A", "line B"):
        assert (ports[line]["kind"], ports[line]["handover"]) == ("af_packet", "frame")
        assert ports[line]["counters"]["rx_packets"] > 100
        assert ports[line]["counters"]["rx_checksum_undone"] == 0
    assert appliance["messages"]["delivered"] > 3 * 5_000
    assert appliance["orders"]["executed"] > 0
    assert appliance["open_orders"] == 0
    assert appliance["gaps"]["never"] == 0
    assert report["verify"]["done"] and report["verify"]["ok"]
