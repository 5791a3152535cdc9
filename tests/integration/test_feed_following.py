# SPDX-License-Identifier: Apache-2.0
"""An appliance that publishes its feed, and the command that follows it, on loopback."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.demo_config import appliance_text, exchange_text
from tools.loopback_ports import loopback_ports
from tools.ring_crew import shared_folder

ROOT = Path(__file__).resolve().parents[2]


class Commands:
    """Commands in the background, ended with the test."""

    def __init__(self, first_port: int) -> None:
        self.first_port = first_port
        self.running: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.main", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)
        return process

    def end(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.communicate()


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 40
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"{path.name} did not come"
        time.sleep(0.02)


@pytest.fixture
def commands():
    with loopback_ports() as first_port:
        found = Commands(first_port)
        yield found
        found.end()


def start_publishing(commands, folder, ring, seconds):
    """An exchange and an appliance that publishes; the appliance's process."""
    exchange_file, appliance_file = folder / "exchange.toml", folder / "appliance.toml"
    exchange_file.write_text(exchange_text(commands.first_port, 10, 2_000))
    text = appliance_text(commands.first_port, "udp", folder / "journal.bin")
    text = text.replace("spin = true", "spin = false").replace("symbols = 65_536", "symbols = 64")
    text += f'\n[feed_publish]\npath = "{ring}"\nslots = 16384\nrefresh_ns = 200_000_000\n'
    appliance_file.write_text(text)
    ready = folder / "open"
    exchange = commands.start("exchange", str(exchange_file), "--ready", str(ready))
    wait_for(ready, exchange)
    appliance = commands.start("run", str(appliance_file), "--seconds", str(seconds), "--json")
    wait_for(ring, appliance)
    return appliance


def test_several_follow_one_appliance(commands, tmp_path):
    with shared_folder() as shared:
        ring = shared / "feed"
        appliance = start_publishing(commands, tmp_path, ring, 60)
        followers = []
        for number, options in enumerate((("--json",), ("--count", "50"), ("--show", "none"))):
            ready = tmp_path / f"follows-{number}"
            options = (*options, "--start", "oldest", "--ready", str(ready))
            followers.append(commands.start("follow", str(ring), *options))
            wait_for(ready, followers[-1])
        whole, shown, interrupted = followers
        interrupted.send_signal(signal.SIGINT)
        _, said = interrupted.communicate(timeout=20)
        assert interrupted.returncode == 0 and "publisher open" in said
        lines, said = shown.communicate(timeout=40)
        assert shown.returncode == 0, said
        assert [line.split()[0] for line in lines.splitlines()] == [str(n) for n in range(1, 51)]
        rival = tmp_path / "rival.toml"
        text = (tmp_path / "appliance.toml").read_text()
        rival.write_text(text.replace("journal.bin", "rival.bin"))
        refused = commands.start("run", str(rival))
        _, said = refused.communicate(timeout=40)
        assert refused.returncode == 2 and len(said.splitlines()) == 1
        assert f"process {appliance.pid} publishes there already" in said
        appliance.send_signal(signal.SIGTERM)
        out, said = appliance.communicate(timeout=60)
        assert appliance.returncode == 0, said
        published = json.loads(out)["feed_publish"]
        out, said = whole.communicate(timeout=30)
        assert whole.returncode == 0, said
        assert not ring.exists()
    report = json.loads(out)
    counters = report["counters"]
    assert report["publisher"] == "closed" and report["symbols"] == 10
    assert counters["events"] + counters["events_lost"] == sum(published["events"].values())
    assert counters["events_lost"] == 0 and counters["events"] > 1_000
    assert published["events"]["refused"] == 0
    for kind, count in published["events"].items():
        assert counters.get(kind, 0) == count
    assert {"begin", "add", "top", "state"} <= set(counters)
    assert report["latency_ns"]["p50"] > 0
    assert all(top["book_state"] == "clean" for top in report["tops"].values())


def test_a_killed_publisher_is_told_and_the_next_one_followed(commands, tmp_path):
    with shared_folder() as shared:
        ring = shared / "feed"
        appliance = start_publishing(commands, tmp_path, ring, 60)
        options = ("--start", "oldest", "--ready", str(tmp_path / "follows"))
        follower = commands.start("follow", str(ring), *options, "--json")
        wait_for(tmp_path / "follows", follower)
        faithful = commands.start("follow", str(ring), "--again")
        assert faithful.stdout.readline()
        appliance.kill()
        appliance.communicate()
        out, said = follower.communicate(timeout=20)
        assert follower.returncode == 1
        assert said.splitlines()[-1] == f"tickwire: the publisher of {ring} died"
        assert json.loads(out)["publisher"] == "died"
        (tmp_path / "journal.bin").unlink()
        again = commands.start("run", str(tmp_path / "appliance.toml"), "--json")
        while not faithful.stdout.readline().startswith("1 begin"):
            assert faithful.poll() is None
        faithful.send_signal(signal.SIGINT)
        _, said = faithful.communicate(timeout=20)
        assert faithful.returncode == 0 and "publisher open" in said
        again.send_signal(signal.SIGTERM)
        again.communicate(timeout=30)
        assert not ring.exists()
