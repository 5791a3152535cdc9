# SPDX-License-Identifier: Apache-2.0
"""``tickwire follow``: follow the normalised feed that an appliance publishes."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import click

from tools.report import as_json


@click.command()
@click.argument("path", required=False)
@click.option(
    "--feed",
    metavar="rdma:HOST:PORT",
    help="Instead of PATH: a feed that another host writes into this one's memory.",
)
@click.option("--device", default="", help="RDMA device for a feed of another host.")
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path),
    help="File with the secret that the publisher shares.",
)
@click.option(
    "--start",
    type=click.Choice(["newest", "oldest"]),
    default="newest",
    show_default=True,
    help="Begin with the next event, or with the oldest that is still there.",
)
@click.option(
    "--show",
    type=click.Choice(["events", "none"]),
    default="events",
    show_default=True,
    help="Print each event as a line, or only follow.",
)
@click.option("--symbol", "symbols", multiple=True, help="Show only this symbol; repeatable.")
@click.option("--count", type=click.IntRange(1), help="End after so many events.")
@click.option("--seconds", type=click.FloatRange(min=0), help="End after so long.")
@click.option("--again", is_flag=True, help="Go on with the next publisher at the same path.")
@click.option("--json", "wants_json", is_flag=True, help="Print only the report, as JSON.")
@click.option("--ready", type=click.Path(path_type=Path), help="Create this file once it follows.")
def command(
    path: str | None, feed: str | None, wants_json: bool, ready: Path | None, **given: Any
) -> None:
    """Follow the feed published at PATH until its publisher ends or Ctrl-C; then report.

    Follows as many as there are: the publisher waits for none. Exit code 1 says that the publisher
    died without closing. A feed of another host begins with its next event, and latency is not
    measured between the clocks of two hosts.

    Example: tickwire follow /dev/shm/tickwire-feed --symbol AAPL --seconds 10

    Example: tickwire follow --feed rdma:10.1.1.1:26500 --device mlx5_0 --secret-file rdma.secret
    """
    from nic.port import PortError
    from tools.feed_following import Following, print_report

    if (path is None) == (feed is None):
        raise click.UsageError("one of PATH and --feed is needed")
    path = path or feed or ""

    stopping: list[int] = []

    def on_signal(number: int, frame: Any) -> None:
        if stopping:
            raise KeyboardInterrupt
        stopping.append(number)

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    show = given.pop("show") == "events" and not wants_json
    try:
        following = Following(path, show=click.echo if show else None, **given)
        if ready is not None:
            ready.touch()
        following.run(lambda: bool(stopping))
    except (ValueError, OSError, MemoryError, PortError) as error:
        raise click.ClickException(str(error)) from None
    report = following.report()
    if wants_json:
        click.echo(as_json(report), nl=False)
    else:
        print_report(report)
    if report["publisher"] == "died":
        click.echo(f"tickwire: the publisher of {path} died", err=True)
        raise click.exceptions.Exit(1)
