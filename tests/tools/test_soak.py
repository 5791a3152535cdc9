# SPDX-License-Identifier: Apache-2.0
"""The soak and the ring's benchmark in small, and their refusals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.bench_ring import WAYS, measure
from tools.ring_crew import Crew, CrewError, shared_folder
from tools.ring_soak import Soak

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments):
    return [sys.executable, "-m", "tools.main", *arguments]


def tickwire(*arguments):
    return subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )


SMALL = ("--round-items", "100000", "--hunt-seconds", "0.05", "--slots", "1024", "--json")


def test_a_soak_goes_on_where_the_last_one_ended(tmp_path):
    state = tmp_path / "state.json"
    first = tickwire("soak", "--items", "250000", "--state", str(state), *SMALL)
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert report["ok"] and report["complete"] and report["rounds"] == 3
    assert json.loads(state.read_text()) == {"items_done": 250_000}
    lapped = report["lapped"]
    assert lapped["taken"] + lapped["lost"] == lapped["published"] > 0
    second = tickwire("soak", "--items", "400000", "--readers", "2", "--state", str(state), *SMALL)
    report = json.loads(second.stdout)
    assert (report["items_done_now"], report["items_done"]) == (150_000, 400_000)
    third = json.loads(tickwire("soak", "--items", "400000", "--state", str(state), *SMALL).stdout)
    assert third["complete"] and third["items_done_now"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_keeps_the_count(tmp_path, number):
    """As a terminal's Ctrl-C does it: the readers get the signal as well."""
    state = tmp_path / "state.json"
    arguments = ("soak", "--state", str(state), *SMALL)
    process = subprocess.Popen(
        command(*arguments),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, number)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    report = json.loads(out)
    assert report["ok"] and not report["complete"]
    assert json.loads(state.read_text())["items_done"] == report["items_done"] > 0
    assert "Traceback" not in said


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"items_done": -1}', '{"items_done": "1"}'])
def test_a_file_that_is_no_state_is_refused(tmp_path, text):
    state = tmp_path / "state.json"
    state.write_text(text)
    done = tickwire("soak", "--state", str(state))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"tickwire: {state}: is no state of a soak"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("soak", "--slots", "100"), "power of two"),
        (("soak", "--slot-bytes", "65"), "multiple of 64"),
        (("soak", "--items", "0"), "--items"),
        (("follow", "nowhere"), "nowhere"),
        (("follow", "LICENSE"), "no broadcast ring"),
        (("follow", "docs"), "directory"),
        (("follow",), "PATH"),
    ],
)
def test_refusals_are_one_line(arguments, said):
    done = tickwire(*arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and said in done.stderr


def soak_of(**options):
    given = {
        "items": 20_000,
        "readers": 1,
        "slots": 256,
        "slot_bytes": 64,
        "round_items": 10_000,
        "hunt_seconds": 0.0,
        "state": None,
    }
    return Soak(**{**given, **options})


def test_a_fault_is_found_and_ends_the_soak(monkeypatch):
    """The soak must be able to fail: a writer that is not paced loses events."""
    paced = Crew.write

    def heedless(self, last, seconds, ns_per_tick, *, is_paced):
        return paced(self, last, seconds, ns_per_tick, is_paced=False)

    monkeypatch.setattr(Crew, "write", heedless)
    report = soak_of(slots=64, items=5_000_000, round_items=5_000_000).run(
        lambda: False, lambda *_: None
    )
    assert not report["ok"] and "paced" in report["faults"][0]
    assert report["items_done"] == 0


def test_a_dead_reader_is_said():
    with shared_folder() as folder, Crew(folder, readers=2, slots=64, slot_bytes=64) as crew:
        crew._processes[1].kill()
        crew._processes[1].join()
        with pytest.raises(CrewError, match="ended early"):
            crew.write(1 << 40, 1.0, 0.4, is_paced=True)


def test_the_benchmark_measures_every_way():
    report = measure(rounds=1, messages=40_000)
    assert set(report["hops"]) == set(WAYS)
    for found in report["hops"].values():
        assert found["count"] + found["lost"] == 2_000 and found["p50_ns"] > 0
    assert {"slots_64", "slots_128", "slots_64_three_readers"} < set(report["rates"])
    assert all(found["median_per_second"] > 0 for found in report["rates"].values())
