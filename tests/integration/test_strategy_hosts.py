# SPDX-License-Identifier: Apache-2.0
"""Strategy processes on a feed host: their orders at the exchange, its limits over all of them."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from host.journal.reader import JournalReader
from tools.demo_config import appliance_text, exchange_text, replaced
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


def wait_until(told: Path, is_so: Callable[[dict], bool]) -> None:
    """Until what a strategy writes down about itself is so."""
    deadline = time.monotonic() + 40
    while not told.exists() or not is_so(json.loads(told.read_text())):
        assert time.monotonic() < deadline, told.read_text() if told.exists() else "nothing"
        time.sleep(0.02)


@pytest.fixture
def commands():
    with loopback_ports() as first_port:
        found = Commands(first_port)
        yield found
        found.end()


STRATEGY = """\
[[strategies]]
name = "{name}"
kind = "{kind}"
symbols = []
[strategies.parameters]
{parameters}

[book]
symbols = 64

[engine]
spin = false
"""


def strategy_file(folder: Path, name: str, kind: str, **parameters: object) -> str:
    """A strategy host's configuration; where its feed is comes from the command line."""
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in parameters.items())
    path = folder / f"{name}.toml"
    path.write_text(STRATEGY.format(name=name, kind=kind, parameters=lines))
    return str(path)


class Place:
    """An exchange and a feed host without strategies of its own, on loopback."""

    def __init__(self, commands: Commands, folder: Path, ring: Path, **limits: int) -> None:
        self.commands, self.folder, self.ring = commands, folder, ring
        exchange_file, appliance_file = folder / "exchange.toml", folder / "appliance.toml"
        exchange_file.write_text(exchange_text(commands.first_port, 5, 1_000))
        text = appliance_text(commands.first_port, "udp", folder / "journal.bin")
        text = text.replace("spin = true", "spin = false")
        text = text.replace("symbols = 65_536", "symbols = 64")
        begin, end = text.index("[[strategies]]"), text.index("[execution]")
        text = text[:begin] + text[end:]
        for name, value in limits.items():
            text = replaced(text, rf"^{name} = [\d_]+", f"{name} = {value}")
        text += f'\n[feed_publish]\npath = "{ring}"\nslots = 16384\nrefresh_ns = 100_000_000\n'
        text += "\n[feed_publish.orders]\nhosts = 3\n"
        appliance_file.write_text(text)
        self.exchange = commands.start(
            "exchange",
            str(exchange_file),
            "--ready",
            str(folder / "open"),
            "--report",
            str(folder / "exchange.json"),
        )
        wait_for(folder / "open", self.exchange)
        self.appliance = commands.start(
            "run", str(appliance_file), "--json", "--ready", str(folder / "up")
        )
        wait_for(folder / "up", self.appliance)

    def host(self, name: str, kind: str, **parameters: object) -> "subprocess.Popen[str]":
        ready = self.folder / f"{name}.ready"
        process = self.commands.start(
            "run",
            strategy_file(self.folder, name, kind, **parameters),
            "--feed",
            f"ring:{self.ring}",
            "--json",
            "--ready",
            str(ready),
        )
        wait_for(ready, process)
        return process

    def stop(self) -> tuple[dict, dict]:
        """Reports of the appliance and of the exchange."""
        self.appliance.send_signal(signal.SIGTERM)
        out, said = self.appliance.communicate(timeout=60)
        assert self.appliance.returncode == 0, said
        self.exchange.send_signal(signal.SIGTERM)
        self.exchange.communicate(timeout=30)
        return json.loads(out), json.loads((self.folder / "exchange.json").read_text())


def ended(process: "subprocess.Popen[str]", code: int = 0) -> dict:
    out, said = process.communicate(timeout=30)
    assert process.returncode == code, said
    return json.loads(out)


RESTING = "tests.integration.resting_strategy:Resting"


def test_orders_of_two_processes_arrive_at_the_exchange(commands, tmp_path):
    with shared_folder() as shared:
        place = Place(commands, tmp_path, shared / "feed")
        maker = place.host("maker", "market_maker", minimum_interval_ns=1_000_000)
        taker = place.host("taker", "imbalance_taker", cooldown_ns=5_000_000, ratio=2)
        time.sleep(3)
        reports = []
        for process in (maker, taker):
            process.send_signal(signal.SIGINT)
            reports.append(ended(process))
        appliance, exchange = place.stop()
        assert not (shared / "feed.orders").exists()
    for report in reports:
        assert report["ended_by"] == "" and report["open_orders"] == 0
        orders = report["orders"]
        assert orders["taken"] > 10 and orders["unknown"] == orders["lost_answers"] == 0
        assert orders["requests"] == orders["taken"] + orders["refused"]
        assert report["answer_ns"]["p50"] > 0 and report["latency_ns"]["p50"] > 0
        assert report["strategies"][0]["fills"] > 0
        assert report["events"]["events_lost"] == 0
    hosts = {host["strategy"]: host for host in appliance["strategy_hosts"]["hosts"]}
    for number, report in enumerate(reports):
        assert report["strategy_number"] == number
        assert hosts[number]["requests"] == report["orders"]["requests"]
        assert hosts[number]["taken"] == report["orders"]["taken"]
        assert hosts[number]["state"] == "free" and hosts[number]["open_orders"] == 0
        assert hosts[number]["latency_ns"]["p50"] > 0
    with JournalReader(tmp_path / "journal.bin") as journal:
        told = [json.loads(record.payload) for record in journal if record.kind == "command"]
    news = [one["strategy_host"] for one in told if "strategy_host" in one]
    # the journal says whose the orders are
    assert [(one["strategy"], one["joined"]) for one in news] == [
        (0, True),
        (1, True),
        (0, False),
        (1, False),
    ]
    # what the hosts sent is what the gate passed, the order management sent, the exchange got
    sent = appliance["orders"]
    taken = sum(report["orders"]["taken"] for report in reports)
    gone = sent["orders_sent"] + sent["replaces_sent"] + sent["cancels_sent"]
    assert appliance["risk"]["passed"] == gone == taken
    assert appliance["open_orders"] == 0 and appliance["strategies"] == []
    got = exchange["order_entry"]
    assert got["enter_orders"] == sent["orders_sent"] > 20
    assert got["replaces"] == sent["replaces_sent"] and got["cancels"] == sent["cancels_sent"]
    assert got["accepted"] > 20 and got["executions"] > 2


def test_limits_hold_over_all_processes_and_a_killed_ones_orders_go(commands, tmp_path):
    with shared_folder() as shared:
        place = Place(commands, tmp_path, shared / "feed", maximum_open_orders=10)
        told = [tmp_path / "first.said", tmp_path / "second.said"]
        first = place.host("first", RESTING, orders=8, progress=str(told[0]))
        wait_until(told[0], lambda said: said["accepted"] == 8)
        second = place.host("second", RESTING, orders=8, progress=str(told[1]))
        # two fit beside the first one's eight
        wait_until(told[1], lambda said: said["accepted"] == 2 and said["refused"] >= 6)
        first.kill()  # nobody is there to cancel its orders but the feed host
        first.communicate()
        wait_until(told[1], lambda said: said["accepted"] == 8)
        second.send_signal(signal.SIGINT)
        report = ended(second)
        appliance, exchange = place.stop()
    assert report["refused"].keys() == {"open_orders"}
    (strategy,) = report["strategies"]
    assert strategy["accepted"] == 8 and strategy["canceled"] == 8
    assert strategy["refused"] == report["orders"]["refused"] >= 6
    killed, other = appliance["strategy_hosts"]["hosts"]
    assert (killed["ended_by"], killed["taken"]) == ("the peer went away", 8)
    assert killed["orders_cancelled"] == 8 and killed["open_orders"] == 0
    assert other["orders_cancelled"] == 0
    assert appliance["risk"]["open_orders"] == report["orders"]["refused"]
    assert appliance["orders"]["orders_sent"] == exchange["order_entry"]["accepted"] == 16
    assert exchange["order_entry"]["canceled"] == 16
    assert appliance["open_orders"] == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_strategy_host_ends_with_its_feed_host_and_says_so(commands, tmp_path, how):
    with shared_folder() as shared:
        place = Place(commands, tmp_path, shared / "feed")
        told = tmp_path / "resting.said"
        host = place.host("resting", RESTING, orders=2, progress=str(told))
        wait_until(told, lambda said: said["accepted"] == 2)
        place.appliance.send_signal(how)
        place.appliance.communicate(timeout=30)
        out, said = host.communicate(timeout=20)
        assert host.returncode == 1
        report = json.loads(out)
        if how == signal.SIGTERM:
            assert report["ended_by"] == "the feed host closed the line: stopped"
            assert report["strategies"][0]["canceled"] == 2
        else:
            assert report["ended_by"] == "the peer went away"
        assert said.splitlines()[-1].endswith(report["ended_by"])


@pytest.mark.parametrize(
    ("text", "feed", "said"),
    [
        ("", "ring:/none", "strategies"),
        ("[venues]\n", "ring:/none", "venues is the feed host's"),
        ("[follow]\nfeed = 'smoke:signals'\n", None, "a feed is ring:PATH or rdma:HOST:PORT"),
        ("", "rdma:nowhere", "a feed of another host is rdma:HOST:PORT"),
        ("", "rdma:10.1.1.1:1", "needs a device and a secret_file"),
        (STRATEGY, "ring:/none", "/none"),
        (STRATEGY, "ring:" + __file__, "is no broadcast ring"),
    ],
)
def test_what_cant_be_is_one_line(commands, tmp_path, text, feed, said):
    path = tmp_path / "strategies.toml"
    path.write_text(text.format(name="a", kind="market_maker", parameters=""))
    process = commands.start("run", str(path), *(["--feed", feed] if feed else []))
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert len(errors.splitlines()) == 1 and said in errors
