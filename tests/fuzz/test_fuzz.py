# SPDX-License-Identifier: Apache-2.0
"""Everything that takes bytes from a wire, built with the sanitizers and fed with spoiled bytes."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from fuzz_targets import TARGETS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = ROOT / "build" / "sanitize"
SEED = int(os.environ.get("TICKWIRE_FUZZ_SEED", "20261122"))
CASES = int(os.environ.get("TICKWIRE_FUZZ_CASES", "1500"))


def library(name: str) -> str:
    """Path of a library of the compiler, empty where it has none."""
    asked = subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=False
    )
    path = asked.stdout.strip()
    return path if Path(path).is_absolute() and Path(path).exists() else ""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.fixture(scope="module")
def sanitized() -> dict[str, str]:
    """The environment in which the sanitized modules are imported."""
    sanitizer = library("libasan.so")
    if not sanitizer:
        warnings.warn("libasan.so is missing: nothing was fuzzed", stacklevel=1)
        pytest.skip("libasan.so is missing: nothing was fuzzed")
    modules = sorted({module for target in TARGETS for module in target.modules})
    built = run(sys.executable, str(HERE / "fuzz_build.py"), str(FOLDER), *modules)
    assert built.returncode == 0, built.stderr[-4000:]
    return {
        "LD_PRELOAD": sanitizer,
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONPATH": f"{FOLDER / 'tree'}:{HERE}",
        "PYTHONSAFEPATH": "1",
        "PYTHONMALLOC": "malloc",
    }


@pytest.mark.timeout(300)
def test_spoiled_bytes_break_nothing(sanitized: dict[str, str], tmp_path: Path) -> None:
    last = tmp_path / "last_case"
    done = run(
        sys.executable,
        str(HERE / "fuzz_driver.py"),
        *("--seed", str(SEED), "--cases", str(CASES), "--last", str(last)),
        **sanitized,
    )
    case = last.read_bytes().strip().decode() if last.exists() else ""
    assert done.returncode == 0, f"fuzz_driver.py {case}\n{done.stderr[-6000:]}"
    for target in TARGETS:
        assert f"{target.name}: {CASES // target.cost} cases" in done.stdout


@pytest.mark.timeout(300)
def test_the_sanitizer_is_watching(sanitized: dict[str, str]) -> None:
    """The sanitized build is the one imported, and a read out of bounds ends the process."""
    script = (
        "import ctypes, nic.wire.compiled as c; print(c.__file__, flush=True);"
        "b = bytearray(100); a = (ctypes.c_char * 100).from_buffer(b);"
        "behind = (ctypes.c_ubyte * 36).from_address(ctypes.addressof(a) + 104);"
        "c.decode('itch50', memoryview(behind).cast('B'))"
    )
    done = run(sys.executable, "-c", script, **sanitized)
    assert str(FOLDER / "tree") in done.stdout, done.stderr
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr
