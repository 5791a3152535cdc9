# SPDX-License-Identifier: Apache-2.0
"""``tickwire replay``: a capture through feed handler, book and strategy."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tools.appliance_text import print_offload
from tools.report import as_json, console, price_text, table, text_of

SYMBOLS_SHOWN = 20


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--strategy",
    default="market_maker",
    show_default=True,
    help="market_maker, imbalance_taker, module:Class, or none.",
)
@click.option(
    "--bbo",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a line to this file for every change of a best bid or offer.",
)
@click.option(
    "--pace",
    type=click.FloatRange(min=0, min_open=True),
    help="Replay in the capture's own time, so many times as fast; without it as fast as possible.",
)
@click.option(
    "--orders",
    default=4_000_000,
    show_default=True,
    type=click.IntRange(1_000, 1 << 28),
    help="Live orders the book has room for.",
)
@click.option(
    "--port",
    default="pcap",
    show_default=True,
    type=click.Choice(["pcap", "fpga-sim"]),
    help="fpga-sim: every frame goes through the compiled parser, and each event is compared.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
def command(
    file: Path,
    strategy: str,
    bbo: Path | None,
    pace: float | None,
    orders: int,
    port: str,
    wants_json: bool,
) -> None:
    """Run the feed handler, the book and a strategy on a capture, and say what was in it.

    FILE is pcap, pcapng or BinaryFILE ITCH, gzipped or not. Orders of the strategy meet the
    simulated exchange's matching rules on the replayed book. Two runs print the same.

    Example: tickwire replay day.pcap.gz --bbo bbo.csv --json
    """
    from hw.tools import ToolError
    from nic.port import PortError
    from tools.replay import Replay, ReplayOptions

    try:
        has_card = port == "fpga-sim"
        replay = Replay(ReplayOptions(file, bbo, strategy, pace, orders, has_card=has_card))
        replay.run(show_progress)
    except OSError as error:
        raise click.ClickException(f"{error.filename or file}: {error.strerror}") from None
    except (ValueError, PortError, ToolError) as error:
        raise click.ClickException(str(error)) from None
    report = replay.report()
    if wants_json:
        click.echo(as_json(report), nl=False)
    else:
        print_replay(report)
    if replay.card is not None:
        seconds = replay.card.busy_seconds()
        speed = report["offload"]["cycles"] / seconds if seconds else 0
        click.echo(f"tickwire: {speed:,.0f} cycles a second in the gateware", err=True)
        if not report["offload"]["ok"]:
            raise click.exceptions.Exit(1)


def show_progress(done: int) -> None:
    """One line on the terminal that counts; nothing where standard error is no terminal."""
    if sys.stderr.isatty():
        print(f"\r{done:,}", end="", file=sys.stderr, flush=True)


def print_replay(report: Mapping[str, Any]) -> None:
    """The report for people."""
    if sys.stderr.isatty():
        print("\r", end="", file=sys.stderr)
    out = console()
    out.print(f"{report['file']}: {report['kind']}, transport {report['transport']}", markup=False)
    types = ", ".join(f"{letter} {count:,}" for letter, count in report["messages"].items())
    total = sum(report["messages"].values())
    out.print(f"packets {report['packets']:,}, messages {total:,}: {types}", markup=False)
    for name in (
        "gaps",
        "lost_messages",
        "restarts",
        "heartbeats",
        "duplicates",
        "unwanted_datagrams",
        "symbols",
        "bbo_changes",
        "trades",
    ):
        out.print(f"{name.replace('_', ' ')}: {report[name]:,}")
    for name in ("errors", "book", "orders", "risk", "strategy"):
        if name in report:
            shown = ", ".join(f"{key} {text_of(value)}" for key, value in report[name].items())
            out.print(f"{name}: {shown or 'none'}", markup=False)
    if "offload" in report:
        print_offload(report["offload"])
    best = list(report["best"].items())
    rows = [
        (
            symbol,
            top["bid_size"],
            price_text(top["bid_price"]),
            price_text(top["ask_price"]),
            top["ask_size"],
        )
        for symbol, top in best[:SYMBOLS_SHOWN]
    ]
    if rows:
        columns = ("symbol", "bid size", "bid", "offer", "offer size")
        out.print(table("best bid and offer at the end", columns, rows))
    if len(best) > SYMBOLS_SHOWN:
        out.print(f"and {len(best) - SYMBOLS_SHOWN:,} more: --json has all")
