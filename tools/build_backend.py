# SPDX-License-Identifier: Apache-2.0
"""Builds the Cython extensions: the project's PEP 517 backend, and a command to build in place.

Every ``.pyx`` below the rooms is an extension module named for its path. The flags stand here once;
libraries and optional modules are listed in ``LIBRARIES``. As a command
``python tools/build_backend.py [MODULE ...]`` builds the named modules in place, or all of them.

``TICKWIRE_SANITIZE=1`` builds with AddressSanitizer and UndefinedBehaviorSanitizer;
``TICKWIRE_NO_EXTENSIONS=1`` makes an editable install; its extensions are built in place later.
``TICKWIRE_MARCH`` names another processor than this one to compile for, ``TICKWIRE_OPTIMISE`` how
hard to try (-O3), and ``TICKWIRE_BUILD_INTO`` a folder to put the modules in instead of beside
their sources.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools import build_meta as _build_meta

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("nic", "host", "hw", "sim", "tools")

LIBRARIES = {
    "nic.xdp_program": ["bpf"],
    "nic.verbs.device": ["ibverbs"],
    "nic.verbs.queue_pair": ["ibverbs"],
    "nic.verbs.port": ["ibverbs"],
    "nic.verbs.ring": ["ibverbs"],
    "host.ipc.rdma_line": ["ibverbs"],
    "host.ipc.rdma_stream": ["ibverbs"],
    "sim.verbs.fake_device": ["ibverbs"],
}
"""C libraries a module links with; such a module is left out where the headers are missing."""

HEADERS = {"bpf": "bpf/libbpf.h", "ibverbs": "infiniband/verbs.h"}

MARCH = os.environ.get("TICKWIRE_MARCH", "native")
LEVEL = os.environ.get("TICKWIRE_OPTIMISE", "-O3")
OPTIMISE = [LEVEL, f"-march={MARCH}", "-fno-plt", "-fno-semantic-interposition"]
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
WARNINGS = ["-Wno-unused-function", "-Wno-unused-variable", "-Wno-unreachable-code"]


def extensions(names: list[str] | None = None) -> list[Extension]:
    """The extension modules: all of them, or those named."""
    flags = SANITIZE if os.environ.get("TICKWIRE_SANITIZE") else OPTIMISE
    link = [flag for flag in flags if flag.startswith("-fsanitize")]
    found = []
    for path in sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.pyx")):
        source = path.relative_to(ROOT)
        name = ".".join(source.with_suffix("").parts)
        if names and name not in names:
            continue
        found.append(
            Extension(
                name,
                [str(source)],
                libraries=LIBRARIES.get(name, []),
                extra_compile_args=flags + WARNINGS,
                extra_link_args=link,
                define_macros=[("CYTHON_CLINE_IN_TRACEBACK", "0")],
            )
        )
    missing = set(names or ()) - {extension.name for extension in found}
    if missing:
        raise SystemExit(f"build: no such module: {', '.join(sorted(missing))}")
    return found


def _setup(names: list[str] | None = None, arguments: list[str] | None = None) -> None:
    from Cython.Build import cythonize

    os.chdir(ROOT)
    if os.environ.get("TICKWIRE_NO_EXTENSIONS"):
        setup()
        return
    modules = cythonize(
        extensions(names),
        nthreads=os.cpu_count() or 1,
        quiet=arguments is not None,
        compiler_directives={"language_level": 3},
    )
    for module in modules:  # cythonize makes new objects and does not keep this
        headers = [HEADERS[library] for library in LIBRARIES.get(module.name, ())]
        module.optional = not all(Path("/usr/include", header).exists() for header in headers)
    options = {"build_ext": {"parallel": os.cpu_count()}}
    if arguments is not None:
        setup(ext_modules=modules, options=options, script_args=arguments)
    else:
        setup(ext_modules=modules, options=options)


class _Backend(_build_meta._BuildMetaBackend):
    def run_setup(self, setup_script: str = "setup.py") -> None:
        _setup()


_backend = _Backend()
get_requires_for_build_wheel = _backend.get_requires_for_build_wheel
get_requires_for_build_editable = _backend.get_requires_for_build_editable
get_requires_for_build_sdist = _backend.get_requires_for_build_sdist
prepare_metadata_for_build_wheel = _backend.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = _backend.prepare_metadata_for_build_editable
build_wheel = _backend.build_wheel
build_editable = _backend.build_editable
build_sdist = _backend.build_sdist


def main() -> None:
    """Build what changed, in place or into the folder that the environment names."""
    folder = os.environ.get("TICKWIRE_BUILD_INTO")
    into = ["--build-lib", folder, "--build-temp", f"{folder}.o"] if folder else ["--inplace"]
    _setup(sys.argv[1:] or None, ["-q", "build_ext", *into])


if __name__ == "__main__":
    main()
