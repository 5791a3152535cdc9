# SPDX-License-Identifier: Apache-2.0
"""Orders of two strategy hosts by RDMA through the risk gate of a feed host, on a real device.

Each is a process of its own. Skipped where there is no RDMA device: ``tools/tickwire test
--soft-roce`` brings one.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("host.ipc.rdma_line", reason="libibverbs-dev was missing at the build")

from order_peer import SECRET

from nic.port import PortError
from nic.verbs.device import device_names

ROOT = Path(__file__).resolve().parents[2]
PEER = Path(__file__).with_name("order_peer.py")


def devices():
    try:
        return device_names()
    except PortError:
        return []


pytestmark = pytest.mark.skipif(
    "rxe0" not in devices(), reason="no soft-RoCE device: tools/tickwire test --soft-roce"
)


class Peer:
    """A process and what it says."""

    def __init__(self, *arguments):
        self.said = []
        self.process = subprocess.Popen(
            [sys.executable, str(PEER), *map(str, arguments)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
        )

    def hear(self):
        line = self.process.stdout.readline()
        assert line, f"the process ended; before: {self.said[-3:]}"
        self.said.append(json.loads(line))
        return self.said[-1]

    def hear_until(self, **wanted):
        """Listen until everything wanted is so, at the latest until the test's time is over."""
        while True:
            found = self.hear()
            if wanted.items() <= found.items():
                return found

    def end(self):
        """Ask it to stop; the last it says."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 0
        return json.loads(out.splitlines()[-1])


@pytest.fixture
def start():
    with contextlib.ExitStack() as stack:

        def begin(*arguments):
            peer = Peer(*arguments)
            stack.callback(peer.process.stdout.close)
            stack.callback(peer.process.wait)
            stack.callback(peer.process.kill)
            return peer

        yield begin


@pytest.mark.timeout(600)
def test_orders_of_two_hosts_limits_over_both_and_a_killed_one(start):
    feed_host = start("feed_host", 0, 3)
    port = feed_host.hear()["port"]
    first = start("strategy_host", port, 2)
    first.hear_until(accepted=2, open=2)
    second = start("strategy_host", port, 2)
    # the limit of three open orders holds for both together
    found = second.hear_until(accepted=1, is_refused=True)
    assert found["number"] == 1
    feed_host.hear_until(taken=3, open=3)
    first.process.kill()
    # the dead one's orders are cancelled, and there is room for the other one's second
    feed_host.hear_until(left=1, cancelled=2)
    second.hear_until(accepted=2, open=2)
    second = second.end()
    report = feed_host.end()
    assert second["kinds"].count("accepted") == second["kinds"].count("canceled") == 2
    assert second["refused"].keys() == {"open_orders"} and second["events"] > 0
    assert second["counters"]["requests"] == (
        second["counters"]["taken"] + second["counters"]["refused"]
    )
    desk, risk = report["desk"], report["risk"]
    assert desk["taken"] == 2 + second["counters"]["taken"] and desk["orders_cancelled"] == 2
    assert risk["open_orders"] == second["counters"]["refused"] == desk["refusals"]["gate"]
    assert [host["open_orders"] for host in desk["hosts"]] == [0, 0]
    assert {symbol.to_bytes(8, "little").strip() for _, _, symbol in report["wire"]} == {b"TICK"}
    sent = sorted((action, strategy) for action, strategy, _ in report["wire"])
    assert sent == [(0, 0), (0, 0), (0, 1), (0, 1), (2, 0), (2, 0), (2, 1), (2, 1)]


@pytest.mark.timeout(600)
def test_a_killed_feed_host_ends_its_strategy_hosts(start):
    feed_host = start("feed_host", 0, 3)
    host = start("strategy_host", feed_host.hear()["port"], 1)
    host.hear_until(accepted=1, open=1)
    feed_host.process.kill()
    out, _ = host.process.communicate(timeout=120)
    assert host.process.returncode == 0
    assert json.loads(out.splitlines()[-1])["failure"] != ""


STRATEGIES = """\
[follow]
device = "rxe0"
secret_file = "{secret}"

[[strategies]]
name = "resting"
kind = "tests.integration.resting_strategy:Resting"
[strategies.parameters]
orders = 2
progress = "{progress}"

[book]
symbols = 8

[engine]
spin = false
stop_timeout_ns = 60_000_000_000
"""


@pytest.mark.timeout(600)
def test_the_command_runs_strategies_on_a_feed_by_rdma(start, tmp_path):
    secret, progress = tmp_path / "rdma.secret", tmp_path / "progress.json"
    secret.write_bytes(SECRET)
    secret.chmod(0o600)
    configuration = tmp_path / "strategies.toml"
    configuration.write_text(STRATEGIES.format(secret=secret, progress=progress))
    feed_host = start("feed_host", 0, 3)
    feed = f"rdma:127.0.0.1:{feed_host.hear()['port']}"
    command = [sys.executable, "-m", "tools.main", "run", configuration, "--feed", feed, "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            feed_host.hear_until(taken=2, open=2)
            while not progress.exists() or json.loads(progress.read_text())["accepted"] < 2:
                assert process.poll() is None
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=200)
        finally:
            process.kill()
    report = json.loads(out)
    assert process.returncode == 0 and report["ended_by"] == ""
    assert report["open_orders"] == 0 and report["orders"]["taken"] == 4
    assert report["strategies"][0]["canceled"] == 2
    desk = feed_host.end()["desk"]
    assert desk["taken"] == 4 and desk["orders_cancelled"] == 0  # it took them back itself
