# SPDX-License-Identifier: Apache-2.0
"""``tickwire run``: the appliance by itself."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tools.report import as_json

if TYPE_CHECKING:
    from host.remote.config import StrategyHostConfig

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
@click.option(
    "--feed",
    metavar="FEED",
    help="Run the strategies of CONFIG on the feed of a feed host, and send their orders through "
    "its risk gate: ring:PATH on this machine, rdma:HOST:PORT on another.",
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
    feed: str | None,
    wants_json: bool,
    report: Path | None,
    ready: Path | None,
) -> None:
    """Run the appliance as CONFIG says, until Ctrl-C; then cancel, log out and report.

    SIGUSR1 throws the global kill switch. A CONFIG with [follow], or any with --feed, is a strategy
    host's: it has no lines, venues or limits of its own. Exit code 1 says that its feed host went
    away or cut it off.

    Example: tickwire run tools/examples/appliance.toml --port af_packet --seconds 60

    Example: tickwire run strategies.toml --feed ring:/dev/shm/tickwire-feed

    Example: tickwire run strategies.toml --feed rdma:10.1.1.1:26500
    """
    from host.config import load
    from host.remote.config import load_strategy_host
    from nic.port import PortError

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
        what = "every session is up" if follower is None else "the order line is open"
        click.echo(f"tickwire: {what}", err=True)

    def on_signal(number: int, frame: Any) -> None:
        if stopping:
            raise KeyboardInterrupt
        stopping.append(number)

    def on_signals() -> None:
        signal.signal(signal.SIGINT, on_signal)
        signal.signal(signal.SIGTERM, on_signal)

    def show(found: dict[str, Any], printed: Callable[[dict[str, Any]], None]) -> None:
        if report is not None:
            report.write_text(as_json(found))
        if wants_json:
            click.echo(as_json(found), nl=False)
        else:
            printed(found)

    try:
        follower = load_strategy_host(config, feed)
        if follower is not None and ports:
            raise click.UsageError("--port is for lines, and a strategy host has none")
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    if follower is not None:
        _run_strategies(follower, on_signals, should_stop, on_ready, show)
        return
    from host.appliance import Appliance
    from host.appliance_report import report_of
    from tools.appliance_text import print_appliance
    from tools.card import card_of
    from tools.port_choice import with_ports

    try:
        loaded = with_ports(load(config), ports)
        appliance = Appliance(loaded, card_of(loaded))
    except (ValueError, PortError, OSError, RuntimeError) as error:
        raise click.ClickException(str(error)) from None
    with appliance:
        on_signals()
        signal.signal(signal.SIGUSR1, lambda number, frame: appliance.kill())
        try:
            appliance.run(should_stop, on_ready)
        except ValueError as error:
            raise click.ClickException(str(error)) from None
        found = report_of(appliance)
    show(found, print_appliance)
    if found["offload"] and not found["offload"]["ok"]:
        raise click.exceptions.Exit(1)


def _run_strategies(
    config: StrategyHostConfig,
    on_signals: Callable[[], None],
    should_stop: Callable[[], bool],
    on_ready: Callable[[], None],
    show: Callable[[dict[str, Any], Callable[[dict[str, Any]], None]], None],
) -> None:
    """Run a strategy host until it should stop or its feed host is gone; then report."""
    from host.strategy_host import StrategyHost
    from nic.port import PortError
    from tools.strategy_host_text import print_strategy_host

    try:
        with StrategyHost(config) as strategies:
            on_signals()
            strategies.run(should_stop, on_ready)
            found = strategies.report()
    except (ValueError, PortError, OSError, MemoryError) as error:
        raise click.ClickException(str(error)) from None
    show(found, print_strategy_host)
    if found["ended_by"]:
        click.echo(f"tickwire: {config.follow.feed}: {found['ended_by']}", err=True)
        raise click.exceptions.Exit(1)
