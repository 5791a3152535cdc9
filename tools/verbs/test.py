# SPDX-License-Identifier: Apache-2.0
"""``tickwire test``: the tests and the house rules."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

GROUPED = ("--dist", "loadfile")
"""A file's tests take turns on one worker: some make the same namespaces, or share a long run."""
ROOT = Path(__file__).resolve().parents[2]


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Run the tests with pytest; ARGUMENTS go to it.

    Real captures are used where TICKWIRE_DATA names their folder.

    Example: tickwire test tests/host -k risk
    """
    if not (ROOT / "tests").is_dir():
        raise click.ClickException("the tests are part of a checkout; there is none here")
    os.chdir(ROOT)
    argv = [
        sys.executable,
        "-m",
        "pytest",
        *(arguments or ("-n", str(os.cpu_count() or 1), *GROUPED)),
    ]
    os.execv(sys.executable, argv)
