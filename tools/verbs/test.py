# SPDX-License-Identifier: Apache-2.0
"""``tickwire test``: the tests and the house rules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

GROUPED = ("--dist", "loadfile")
"""A file's tests take turns on one worker: some make the same namespaces, or share a long run."""
ROOT = Path(__file__).resolve().parents[2]


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--soft-roce",
    is_flag=True,
    help="Only the RDMA tests, in an emulated guest with a soft-RoCE device.",
)
@click.option(
    "--guest-seconds",
    default=1500.0,
    show_default=True,
    type=click.FloatRange(min=10),
    help="How long the guest may take.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(soft_roce: bool, guest_seconds: float, arguments: tuple[str, ...]) -> None:
    """Run the tests with pytest; ARGUMENTS go to it.

    Without ARGUMENTS every test runs, and after them the RDMA tests in an emulated guest, where
    QEMU is installed. Real captures are used where TICKWIRE_DATA names their folder.

    Example: tickwire test tests/host -k risk
    """
    if not (ROOT / "tests").is_dir():
        raise click.ClickException("the tests are part of a checkout; there is none here")
    os.chdir(ROOT)
    pytest = [sys.executable, "-m", "pytest"]
    if soft_roce:
        code = in_guest(arguments, guest_seconds)
    elif arguments:
        os.execv(sys.executable, [*pytest, *arguments])
    else:
        code = subprocess.run(
            [*pytest, "-n", str(os.cpu_count() or 1), *GROUPED], check=False
        ).returncode
        code = max(code, in_guest((), guest_seconds, must=False))
    raise click.exceptions.Exit(code)


def in_guest(arguments: tuple[str, ...], seconds: float, must: bool = True) -> int:
    """Run the RDMA tests in the guest; pytest's exit code.

    Where the guest can't be made that is an error, or with ``must`` off a loud line and code 0.
    """
    from tools import soft_roce
    from tools.soft_roce_image import GuestError, prepare

    click.echo("tickwire: the RDMA tests, in a guest with soft-RoCE (emulated, slow)", err=True)
    try:
        try:
            prepare()
        except GuestError as error:
            if must:
                raise
            click.echo(f"tickwire: RDMA TESTS NOT RUN: {error}", err=True)
            return 0
        return soft_roce.test(arguments, seconds)
    except GuestError as error:
        raise click.ClickException(str(error)) from None
