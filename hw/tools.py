# SPDX-License-Identifier: Apache-2.0
"""The programs that gateware needs: where they are, and one way to run them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

FIRST_RUN = (
    "the first run of {name} translates it for this machine: about 80 seconds and 1.7 GB of memory"
)


class ToolError(RuntimeError):
    """A tool is missing or failed; the text says which and what it said."""


class TimeLimitError(ToolError):
    """A tool took longer than it may."""


def environment() -> dict[str, str]:
    """The environment for tools: programs of the Python environment come first."""
    beside = Path(sys.executable).parent
    return {**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ.get('PATH', '')}"}


def program(name: str, why: str) -> str:
    """The path of a program. Raises :class:`ToolError`, which says ``why`` it is needed."""
    found = shutil.which(name, path=environment()["PATH"])
    if found is None:
        raise ToolError(f"{name} is missing: {why}")
    return found


def warn_of_first_run(package: str) -> None:
    """Say on standard error that the package's program was never run here and will take long."""
    base = os.environ.get("YOWASP_CACHE_DIR")
    kept = Path(base) if base else Path.home() / ".cache" / "YoWASP"
    if not any((kept / package).glob("*/*")):
        said = FIRST_RUN.format(name=package.replace("_", "-"))
        print(f"tickwire: {said}", file=sys.stderr, flush=True)


def run(
    command: list[str],
    where: Path,
    expected: tuple[int, ...] = (0,),
    variables: Mapping[str, str] | None = None,
    limit_seconds: float | None = None,
) -> tuple[int, str]:
    """Run a program in folder ``where``; its exit code, and what it said on both outputs.

    ``variables`` are added to its environment. After ``limit_seconds`` it is ended.

    The program and what it starts end with this process's wait, also when that is interrupted.
    Raises :class:`ToolError` for an exit code that is not expected, :class:`TimeLimitError` where
    it was ended.
    """
    child = subprocess.Popen(
        command,
        cwd=where,
        env={**environment(), **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = child.communicate(timeout=limit_seconds)
    except BaseException as error:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise TimeLimitError(f"{Path(command[0]).name} took {limit_seconds:g} s") from None
        raise
    if child.returncode not in expected:
        lines = said.splitlines()
        wrong = [line for line in lines if "error" in line.lower()] or lines[-5:]
        shown = "\n".join(wrong[:10])
        raise ToolError(f"{Path(command[0]).name} ended with {child.returncode}: {shown}")
    return child.returncode, said
