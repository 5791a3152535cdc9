# SPDX-License-Identifier: Apache-2.0
"""The rules of the house, as tests: layers, style, types, docstrings, documents."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tools.main import VERBS, tickwire

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("nic", "hw", "host", "sim", "tools")
MAY_IMPORT = {
    "nic": {"nic"},
    "hw": {"nic", "hw"},
    "host": {"nic", "host"},
    "sim": {"nic", "hw", "host", "sim"},
    "tools": set(ROOMS),
}
IMPORT = re.compile(r"^\s*(?:from|import|cimport)\s+([a-z_]\w*)", re.MULTILINE)
LONGEST_FILE_LINES = 600
TO_PYTEST = {"test", "hw test", "hw prove"}
"""Verbs whose arguments go to pytest."""


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not listed:  # an unpacked archive, not a checkout
        folders = [ROOT / room for room in (*ROOMS, "tests")]
        listed = [str(p.relative_to(ROOT)) for f in folders for p in f.rglob("*.p*") if p.is_file()]
    return [ROOT / name for name in listed if (ROOT / name).exists()]


def sources(*suffixes: str) -> list[Path]:
    return [path for path in tracked() if path.suffix in suffixes]


def is_generated(path: Path) -> bool:
    return "enerated" in "".join(path.read_text().splitlines(keepends=True)[:4])


def run(*command: str) -> None:
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": beside},  # cython-lint calls pycodestyle by its name
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def test_imports_point_downward() -> None:
    wrong = []
    for path in sources(".py", ".pyx", ".pxd", ".pyi"):
        room = path.relative_to(ROOT).parts[0]
        if room in MAY_IMPORT:
            for name in IMPORT.findall(path.read_text()):
                if name in ROOMS and name not in MAY_IMPORT[room]:
                    wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_every_source_names_its_licence() -> None:
    wrong = []
    for path in sources(".py", ".pyx", ".pxd", ".pyi", ".toml", ".sh"):
        if path.name == "pyproject.toml":
            continue
        head = path.read_text().splitlines()[:3]
        if not any("SPDX-License-Identifier: Apache-2.0" in line for line in head):
            wrong.append(str(path.relative_to(ROOT)))
    assert not wrong


def test_files_stay_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources(".py", ".pyx", ".pxd")
        if (lines := len(path.read_text().splitlines())) > LONGEST_FILE_LINES
        and not is_generated(path)
    }
    assert not long


def test_generated_files_are_current() -> None:
    run(sys.executable, "-m", "tools.generate", "--check")


def test_ruff() -> None:
    run(sys.executable, "-m", "ruff", "check", *ROOMS, "tests")
    run(sys.executable, "-m", "ruff", "format", "--check", *ROOMS, "tests")


def test_mypy_against_the_stubs() -> None:
    rooms = [argument for room in ROOMS for argument in ("-p", room)]
    run(sys.executable, "-m", "mypy", *rooms)


def test_cython_lint() -> None:
    files = [str(p.relative_to(ROOT)) for p in sources(".pyx", ".pxd") if not is_generated(p)]
    run(str(Path(sys.executable).parent / "cython-lint"), *files)


def test_public_cython_has_docstrings_and_stubs() -> None:
    """Every module, class and ``def`` of a .pyx says what it is; what Python sees has a stub."""
    wrong = []
    opening = re.compile(r"^( *)(?:def|cdef class|class) +([A-Za-z]\w*)", re.MULTILINE)
    for path in sources(".pyx"):
        if is_generated(path):
            continue
        text = path.read_text()
        name = str(path.relative_to(ROOT))
        code = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).lstrip()
        if not code.startswith(('"""', 'r"""')):
            wrong.append(f"{name}: no module docstring")
        if opening.search(text) and not path.with_suffix(".pyi").exists():
            wrong.append(f"{name}: no stub beside it")
        for found in opening.finditer(text):
            rest = text[found.end() :]
            after = re.search(r":[ \t]*(?:#.*)?\n", rest)
            body = rest[after.end() :].lstrip() if after else ""
            if not body.startswith(('"""', 'r"""')):
                wrong.append(f"{name}: {found.group(2)} has no docstring")
    assert not wrong, "\n".join(wrong)


def documents() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", documents(), ids=lambda p: p.name)
def test_commands_in_documents_exist(path: Path) -> None:
    """Every ``tickwire VERB --option`` that a document shows is one."""
    text = path.read_text()
    shown = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^    (\S.*)$", text, re.MULTILINE)
    wrong = []
    for command_line in shown:
        found = re.match(r"(?:\S*/)?tickwire ((?:hw )?[a-z]+)(.*)", command_line)
        if not found:
            continue
        words, rest = found.groups()
        verb, _, inner = words.partition(" ")
        if verb not in VERBS:
            wrong.append(f"no verb {verb}: {command_line}")
            continue
        command = tickwire.get_command(click.Context(tickwire), verb)
        if isinstance(command, click.Group) and inner:
            command = command.commands.get(inner)
            if command is None:
                wrong.append(f"{verb} has no {inner}: {command_line}")
                continue
        known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
        for option in re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", rest.split("#")[0]):
            if option not in known | {"--help", "-h"} and words not in TO_PYTEST:
                wrong.append(f"{verb} has no {option}: {command_line}")
    assert not wrong


@pytest.mark.parametrize("path", documents(), ids=lambda p: p.name)
def test_links_in_documents_lead_somewhere(path: Path) -> None:
    wrong = []
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
        if not target.startswith("http") and not (path.parent / target).exists():
            wrong.append(target)
    assert not wrong


def test_index_page_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    missing = [p.name for p in documents()[1:] if p.name != "README.md" and p.name not in index]
    assert not missing


def test_every_verb_has_help_with_an_example() -> None:
    for verb in VERBS:
        command = tickwire.get_command(click.Context(tickwire), verb)
        assert f"tickwire {verb}" in (command.help or ""), verb
        for name, inner in getattr(command, "commands", {}).items():
            assert f"tickwire {verb} {name}" in (inner.help or ""), name
