# SPDX-License-Identifier: Apache-2.0
"""No decoder reads beyond the end of a message: the page after it cannot be read."""

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("page_end.py")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_nothing_is_read_beyond_a_message() -> None:
    done = run()
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    assert "no read beyond the end" in done.stdout


def test_a_read_beyond_is_noticed() -> None:
    assert run("--control").returncode == -signal.SIGSEGV
