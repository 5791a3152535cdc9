# SPDX-License-Identifier: Apache-2.0
"""From Verilog to a shared library: Verilator, then the C++ compiler, kept by what went in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from hw import cache, tools
from sim.gateware import verilator
from sim.gateware.verilator import Verilator

VERILATE = ["--cc", "-O3", "--x-assign", "fast", "--x-initial", "unique", "--no-assert"]
QUIET = ["-Wno-fatal", "-Wno-lint", "-Wno-style"]
COMPILE = ["-std=gnu++17", "-fPIC", "-march=native", "-fno-plt", "-w"]
RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
OPTIMISE = ("-O1", "-O2", "-O3")


def _compiler() -> str:
    return tools.program(os.environ.get("CXX", "g++"), "it compiles the models")


def _made(path: Path, make: Callable[[Path, Path], None]) -> Path:
    """``path``, made by ``make(folder, file)`` in a folder of its own unless it is there."""
    with cache.locked(path):
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=path.parent, prefix="making-") as name:
                place = Path(name)
                partial = place / "result"
                make(place, partial)
                partial.replace(path)
    return path


def _flags(tool: Verilator) -> list[str]:
    zeros = ("SC", "COVERAGE", "TRACE", "TRACE_FST", "TRACE_VCD", "TRACE_SAIF")
    include = [f"-I{tool.include}", f"-I{tool.include / 'vltstd'}"]
    return [*COMPILE, *(f"-DVM_{name}=0" for name in zeros), *include]


def processor() -> str:
    """What ``-march=native`` depends on, so that a library moves to no other kind of machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith("flags")), "")


def _runtime(tool: Verilator) -> Path:
    """Verilator's own C++, compiled once for all models."""
    flags = _flags(tool)
    name = cache.key(tool.version, *flags, processor())

    def make(place: Path, result: Path) -> None:
        whole = place / "runtime.cpp"
        whole.write_text("".join(f'#include "{tool.include / name}"\n' for name in RUNTIME))
        tools.run([_compiler(), "-O2", *flags, "-c", str(whole), "-o", str(result)], place)

    return _made(cache.folder("runtime") / f"{name}.o", make)


def library(name: str, text: str, shim: str, optimise: str = "-O2") -> Path:
    """The shared library of a model: Verilog ``text`` with top ``name``, behind ``shim``.

    ``optimise`` is the C++ compiler's: ``-O1`` compiles quicker, ``-O3`` may run faster.
    Raises :class:`hw.tools.ToolError` with what the tool said.
    """
    if optimise not in OPTIMISE:
        raise ValueError(f"optimise is one of {', '.join(OPTIMISE)}, not {optimise}")
    tool = verilator.find()
    runtime = _runtime(tool)
    flags = [optimise, *_flags(tool)]
    made_of = cache.key(name, text, shim, tool.version, *VERILATE, *flags, processor())

    def make(place: Path, result: Path) -> None:
        (place / f"{name}.v").write_text(text)
        (place / "shim.cpp").write_text(shim)
        verilate = [*VERILATE, *QUIET, "--top-module", name, "--prefix", f"V{name}"]
        command = [str(tool.binary), *verilate, "--Mdir", "made", f"{name}.v"]
        tools.run(command, place, variables=tool.variables())
        parts = sorted((place / "made").glob("*.cpp"))
        included = "".join(f'#include "{part}"\n' for part in parts)
        (place / "whole.cpp").write_text(included + '#include "shim.cpp"\n')
        build = [_compiler(), *flags, f"-I{place / 'made'}", f"-I{place}", "-shared"]
        tools.run([*build, "whole.cpp", str(runtime), "-pthread", "-o", str(result)], place)

    return _made(cache.folder("models") / f"{name}-{made_of}.so", make)
