# SPDX-License-Identifier: Apache-2.0
"""``tickwire exchange``: the simulated exchange by itself."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import click

from tools.report import as_json, console


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--seconds", type=click.FloatRange(min=0), help="Stop after so many seconds.")
@click.option("--json", "wants_json", is_flag=True, help="Print the report as one JSON object.")
@click.option("--report", type=click.Path(path_type=Path), help="Write the JSON report here too.")
@click.option(
    "--ready",
    type=click.Path(path_type=Path),
    help="Create this file once the exchange is open.",
)
def command(
    config: Path, seconds: float | None, wants_json: bool, report: Path | None, ready: Path | None
) -> None:
    """Run the simulated exchange as CONFIG says, until Ctrl-C; then end the session and report.

    Example: tickwire exchange tools/examples/exchange.toml --seconds 60
    """
    from sim.exchange.config import ExchangeConfigError, load_config
    from sim.exchange.server import run_exchange

    stopping: list[int] = []
    begin = time.monotonic()

    def should_stop() -> bool:
        return bool(stopping) or (seconds is not None and time.monotonic() - begin >= seconds)

    def on_ready(*_: Any) -> None:
        if ready is not None:
            ready.touch()
        click.echo("tickwire: the exchange is open", err=True)

    def on_signal(number: int, frame: Any) -> None:
        if stopping:
            raise KeyboardInterrupt
        stopping.append(number)

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    try:
        found = run_exchange(load_config(config), should_stop, on_ready)
    except (ExchangeConfigError, OSError) as error:
        raise click.ClickException(str(error)) from None
    if report is not None:
        report.write_text(as_json(found))
    if wants_json:
        click.echo(as_json(found), nl=False)
        return
    out = console()
    for name, value in found.items():
        out.print(f"{name.replace('_', ' ')}: {value}", markup=False)
