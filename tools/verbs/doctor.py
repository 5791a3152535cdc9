# SPDX-License-Identifier: Apache-2.0
"""``tickwire doctor``: what this machine supports."""

from __future__ import annotations

import click

from tools.report import as_json, console

MARKS = {"good": "ok     ", "note": "note   ", "missing": "missing"}


@click.command()
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
def command(wants_json: bool) -> None:
    """Say what this machine supports and what to do about the rest; changes nothing.

    Example: tickwire doctor --json
    """
    from tools.doctor import examine

    report = examine()
    if wants_json:
        click.echo(as_json(report), nl=False)
        return
    out = console()
    out.print(f"kernel {report['kernel']}, Python {report['python']}")
    area = ""
    for finding in report["findings"]:
        if finding["area"] != area:
            area = finding["area"]
            out.print(f"\n{area}", style="bold", markup=False)
        out.print(
            f"  {MARKS[finding['verdict']]} {finding['name']}: {finding['found']}", markup=False
        )
        if finding["advice"]:
            out.print(f"          -> {finding['advice']}", markup=False)
    out.print(f"\n{report['missing']} missing, {report['notes']} notes")
