# SPDX-License-Identifier: Apache-2.0
"""The command: help, refusals in one line with exit code 2, nothing on standard output then."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.main import VERBS

ROOT = Path(__file__).resolve().parents[2]
BUILT = ("replay_ring", "counter_bank")


def tickwire(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.main", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_a_verb_it_shows_the_verbs() -> None:
    done = tickwire("--help")
    assert done.returncode == 0
    for verb in VERBS:
        assert f"  {verb} " in done.stdout


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "test"])  # that is pytest's
def test_help_shows_an_example(verb: str) -> None:
    done = tickwire(verb, "--help")
    assert done.returncode == 0
    assert f"Example: tickwire {verb}" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("fly",), "fly"),
        (("demo", "--seconds", "-3"), "-3"),
        (("demo", "--sekonds", "3"), "--sekonds"),
        (("run", "nowhere.toml"), "nowhere.toml"),
        (("exchange", "nowhere.toml"), "nowhere.toml"),
        (("run", "LICENSE"), "LICENSE"),
        (("replay", "README.md"), "README.md"),
        (("replay", "docs"), "docs"),
        (("replay",), "FILE"),
        (("verify", "README.md", "--journal", "nowhere.bin"), "nowhere.bin"),
        (("verify", "README.md"), "--journal"),
        (("bench", "everything"), "everything"),
        (("hw", "fly"), "fly"),
        (("hw", "build", "nothing"), "nothing"),
        (("hw", "report", "--seeds", "0"), "--seeds"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: tuple[str, ...], named: str) -> None:
    done = tickwire(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert named in done.stderr


def test_a_key_that_does_not_exist_is_named(tmp_path: Path) -> None:
    text = (ROOT / "tools" / "examples" / "appliance.toml").read_text()
    path = tmp_path / "appliance.toml"
    path.write_text(text.replace("maximum_notional", "maximum_notion"))
    done = tickwire("run", str(path))
    assert done.returncode == 2
    assert "maximum_notion" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_doctor_reports_what_it_found() -> None:
    report = json.loads(tickwire("doctor", "--json").stdout)
    areas = {finding["area"] for finding in report["findings"]}
    assert {"privileges", "processor", "memory", "packet paths", "interface lo"} <= areas
    for finding in report["findings"]:
        if finding["verdict"] != "good":
            assert finding["advice"] or finding["found"]


def test_hw_build_writes_verilog_and_says_where(tmp_path: Path) -> None:
    done = tickwire("hw", "build", "replay_ring", "counter_bank", "--folder", str(tmp_path / "v"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "v" / f"{name}.v") for name in BUILT]
    for name in BUILT:
        assert f"module {name}(" in (tmp_path / "v" / f"{name}.v").read_text()
    done = tickwire("hw", "build", "replay_ring", "--folder", str(ROOT / "LICENSE"))
    assert done.returncode == 2
