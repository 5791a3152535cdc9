# SPDX-License-Identifier: Apache-2.0
"""``tickwire soak``: very many events through the broadcast ring, each checked."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import click

from tools.report import as_json


@click.command()
@click.option(
    "--items",
    type=click.IntRange(1),
    default=10_000_000_000,
    show_default=True,
    help="Events that each reader must get, in all runs with the same --state together.",
)
@click.option("--readers", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("--slots", type=click.IntRange(64), default=16_384, show_default=True)
@click.option("--slot-bytes", type=click.IntRange(64, 4096), default=64, show_default=True)
@click.option(
    "--round-items",
    type=click.IntRange(1),
    default=500_000_000,
    show_default=True,
    help="Events of one round: then the ring is made anew, and the readers are lapped for a while.",
)
@click.option(
    "--hunt-seconds",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="How long, each round, a small ring is written without regard to its readers.",
)
@click.option(
    "--state", type=click.Path(path_type=Path), help="Keep the count here, to go on another time."
)
@click.option("--json", "wants_json", is_flag=True, help="Print the report as one JSON object.")
def command(wants_json: bool, **given: Any) -> None:
    """Prove that the broadcast ring loses nothing and tears nothing.

    What each event holds follows from its number and is checked word by word. Paced rounds must
    arrive whole and complete; in between a ring of 64 slots is written as fast as it goes, where
    every event must arrive whole or be counted as lost. Ctrl-C ends in order and keeps the count.

    Example: tickwire soak --items 10000000000 --state soak.json
    """
    from tools.ring_soak import Soak, SoakError, print_report

    stopping: list[int] = []

    def on_signal(number: int, frame: Any) -> None:
        if stopping:
            raise KeyboardInterrupt
        stopping.append(number)

    def on_progress(done: int, items: int, per_second: float) -> None:
        click.echo(
            f"tickwire: {done:,} of {items:,} ({100 * done / items:.1f} %), "
            f"{per_second / 1e6:,.1f} million a second",
            err=True,
        )

    try:
        soak = Soak(**given)
        signal.signal(signal.SIGINT, on_signal)
        signal.signal(signal.SIGTERM, on_signal)
        report = soak.run(lambda: bool(stopping), on_progress)
    except (SoakError, ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None
    if wants_json:
        click.echo(as_json(report), nl=False)
    else:
        print_report(report)
    if not report["ok"]:
        raise click.exceptions.Exit(1)
