# SPDX-License-Identifier: Apache-2.0
"""Builds modules with AddressSanitizer and UndefinedBehaviorSanitizer beside copies of the others.

``python tests/fuzz/fuzz_build.py FOLDER MODULE...`` fills FOLDER with the Python files of all
rooms, the ordinary extensions and, in place of those named, sanitized ones. Nothing outside FOLDER
is written. A second build makes only what changed.
"""

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["-O0", "-g1"]
"""The checks do not depend on optimisation, and the compiler takes a fifth of the time."""


def newer(source: Path, target: Path) -> bool:
    return not target.exists() or source.stat().st_mtime_ns > target.stat().st_mtime_ns


def copy_rooms(tree: Path, rooms: tuple[str, ...], sanitized: set[str]) -> None:
    """Copy Python files and the extensions that are not sanitized."""
    for room in rooms:
        for source in (ROOT / room).rglob("*"):
            path = source.relative_to(ROOT)
            module = ".".join((*path.parts[:-1], path.name.split(".")[0]))
            wanted = source.suffix == ".py" or (source.suffix == ".so" and module not in sanitized)
            if wanted and newer(source, tree / path):
                (tree / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, tree / path)


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    modules = sys.argv[2:]
    os.environ["TICKWIRE_SANITIZE"] = "1"
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    from Cython.Build import cythonize
    from setuptools import setup

    from tools.build_backend import ROOMS, extensions

    tree = folder / "tree"
    copy_rooms(tree, ROOMS, set(modules))
    found = extensions(modules)
    for extension in found:
        extension.extra_compile_args += QUICK
    setup(
        name="sanitized",
        ext_modules=cythonize(
            found,
            build_dir=str(folder / "c"),
            nthreads=os.cpu_count() or 1,
            quiet=True,
            compiler_directives={"language_level": 3},
        ),
        options={
            "build_ext": {
                "build_lib": str(tree),
                "build_temp": str(folder / "objects"),
                "parallel": os.cpu_count(),
            }
        },
        script_args=["-q", "build_ext"],
        packages=[],
    )


if __name__ == "__main__":
    main()
