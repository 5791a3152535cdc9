# SPDX-License-Identifier: Apache-2.0
"""``tickwire demo``: the main job on one machine."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import click

from tools.report import as_json

RATE = 20_000
CARD_RATE = 500
"""Messages a second that the compiled gateware keeps up with."""


@click.command()
@click.option(
    "--seconds",
    default=20.0,
    show_default=True,
    type=click.FloatRange(min=0.5),
    help="How long to trade.",
)
@click.option(
    "--symbols",
    default=20,
    show_default=True,
    type=click.IntRange(1, 2000),
    help="Symbols that the exchange trades.",
)
@click.option(
    "--rate",
    default=None,
    show_default="20000, 500 with fpga-sim",
    type=click.IntRange(1, 1_000_000),
    help="Messages a second of the background order flow.",
)
@click.option(
    "--port",
    "--path",
    "port",
    default="af_xdp",
    show_default=True,
    type=click.Choice(["af_xdp", "af_packet", "udp", "fpga-sim"]),
    help="How the appliance takes the feed; fpga-sim: feed and orders go through the gateware.",
)
@click.option(
    "--send",
    default="ordinary",
    show_default=True,
    type=click.Choice(["ordinary", "delegated"]),
    help="How orders leave: by the kernel's sends, or past its TCP stack; that needs root.",
)
@click.option(
    "--plant-difference",
    "planted",
    default="",
    metavar="LIMIT",
    help="A test: give the gateware another value of this limit; trading must stop.",
)
@click.option("--loopback", is_flag=True, help="No namespaces, even as root: loopback sockets.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep configurations, captures, journal and reports in this folder.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print the report as one JSON object.")
def command(
    seconds: float,
    symbols: int,
    rate: int | None,
    port: str,
    send: str,
    planted: str,
    loopback: bool,
    keep: Path | None,
    wants_json: bool,
) -> None:
    """Run exchange and appliance on this machine, record the lines, verify, and report.

    As root in two network namespaces with AF_XDP (or --port) and tcpdump; otherwise on loopback
    sockets.

    With --port fpga-sim the feed goes through the compiled parser and every order through the
    compiled risk gate; the report says how many events and verdicts were compared. The model is
    built when its sources changed, which takes minutes.

    Example: tickwire demo --seconds 5 --keep demo-files
    """
    from hw.tools import ToolError
    from tools.demo import LOOPBACK_COSTS, Demo, DemoError, demo_folder, is_root, run_demo
    from tools.demo_text import print_demo

    end_like_ctrl_c()
    has_card = port == "fpga-sim"
    if planted and not has_card:
        raise click.UsageError("--plant-difference needs --port fpga-sim")
    as_root = is_root() and not loopback
    if send == "delegated" and not as_root:
        raise click.UsageError("--send delegated needs root and namespaces: a raw port")
    if not as_root:
        click.echo(f"tickwire: {LOOPBACK_COSTS}", err=True)
    with demo_folder(keep) as folder:
        demo = Demo(
            seconds,
            folder.resolve(),
            rate or (CARD_RATE if has_card else RATE),
            symbols,
            ("af_xdp" if has_card else port) if as_root else "udp",
            as_root,
            has_card,
            planted,
            send,
        )
        try:
            if has_card:
                build_card()
            report = run_demo(demo)
        except (DemoError, ToolError) as error:
            raise click.ClickException(str(error)) from None
    if wants_json:
        click.echo(as_json(report), nl=False)
    else:
        print_demo(report)
    if not report["ok"]:
        raise click.exceptions.Exit(1)


def build_card() -> None:
    """Build the model before anything runs: that may take minutes the first time."""
    from nic.framing.feed_format import NASDAQ
    from sim.gateware.card import open_card

    open_card(NASDAQ).close()


def end_like_ctrl_c() -> None:
    """Let SIGTERM end the demo as Ctrl-C does; helper processes of libraries just end."""
    owner = os.getpid()

    def on_terminate(number: int, frame: Any) -> None:
        if os.getpid() != owner:
            os._exit(128 + number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, on_terminate)
