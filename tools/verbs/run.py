# SPDX-License-Identifier: Apache-2.0
"""``tickwire run``: the appliance by itself."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import click

from tools.report import as_json

CONNECT_SECONDS = 30
"""How much longer a run of limited length may take to get its sessions up."""


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    help="Stop so many seconds after every session is up.",
)
@click.option(
    "--port",
    "ports",
    multiple=True,
    metavar="PATH[:INTERFACE]",
    help="Take the lines by this port (udp, af_packet, af_xdp), on this interface, or by "
    "verbs:DEVICE; once for all lines, or once for each.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print the report as one JSON object.")
@click.option("--report", type=click.Path(path_type=Path), help="Write the JSON report here too.")
@click.option(
    "--ready", type=click.Path(path_type=Path), help="Create this file once every session is up."
)
def command(
    config: Path,
    seconds: float | None,
    ports: tuple[str, ...],
    wants_json: bool,
    report: Path | None,
    ready: Path | None,
) -> None:
    """Run the appliance as CONFIG says, until Ctrl-C; then cancel, log out and report.

    SIGUSR1 throws the global kill switch.

    Example: tickwire run tools/examples/appliance.toml --port af_packet --seconds 60
    """
    from host.appliance import Appliance
    from host.appliance_report import report_of
    from host.config import load
    from nic.port import PortError
    from tools.appliance_text import print_appliance
    from tools.card import card_of
    from tools.port_choice import with_ports

    stopping: list[int] = []
    begin, is_up = time.monotonic(), False

    def should_stop() -> bool:
        if stopping or seconds is None:
            return bool(stopping)
        limit = seconds if is_up else seconds + CONNECT_SECONDS
        return time.monotonic() - begin >= limit

    def on_ready() -> None:
        nonlocal begin, is_up
        begin, is_up = time.monotonic(), True
        if ready is not None:
            ready.touch()
        click.echo("tickwire: every session is up", err=True)

    def on_signal(number: int, frame: Any) -> None:
        if stopping:
            raise KeyboardInterrupt
        stopping.append(number)

    try:
        loaded = with_ports(load(config), ports)
        appliance = Appliance(loaded, card_of(loaded))
    except (ValueError, PortError, OSError, RuntimeError) as error:
        raise click.ClickException(str(error)) from None
    with appliance:
        signal.signal(signal.SIGINT, on_signal)
        signal.signal(signal.SIGTERM, on_signal)
        signal.signal(signal.SIGUSR1, lambda number, frame: appliance.kill())
        try:
            appliance.run(should_stop, on_ready)
        except ValueError as error:
            raise click.ClickException(str(error)) from None
        found = report_of(appliance)
    if report is not None:
        report.write_text(as_json(found))
    if wants_json:
        click.echo(as_json(found), nl=False)
    else:
        print_appliance(found)
    if found["offload"] and not found["offload"]["ok"]:
        raise click.exceptions.Exit(1)
