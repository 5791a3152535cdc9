# SPDX-License-Identifier: Apache-2.0
"""``tickwire bench``: the benchmarks, each beside its peers."""

from __future__ import annotations

import importlib
from typing import Any

import click

from tools.report import as_json

BENCHMARKS = {
    "decode": "every field of every ITCH message, beside the bare walk over the lengths",
    "book": "decode and full L3 book with best-bid/offer events, beside itch-book and itchcpp",
    "pipeline": "frame in memory to order in memory, compiled and Python strategy",
    "ring": "shared-memory hop and rate, the broadcast ring beside a record ring and a pipe",
    "ports": "round trip on veth, AF_XDP beside the spinning UDP socket; needs root",
    "sends": "an order's way to the peer's end, delegated beside send(); needs root",
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*BENCHMARKS, "all"]))
@click.option("--messages", type=click.IntRange(10_000), help="Messages of decode, book and ring.")
@click.option("--rounds", type=click.IntRange(1), help="Rounds, interleaved.")
@click.option(
    "--seconds", type=click.FloatRange(0.1), help="Length of the day that pipeline replays."
)
@click.option("--core", type=click.IntRange(0), help="Pin to this core.")
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
def command(
    names: tuple[str, ...],
    messages: int | None,
    rounds: int | None,
    seconds: float | None,
    core: int | None,
    wants_json: bool,
) -> None:
    """Run the benchmarks NAMES (decode, book, pipeline, ring, ports, sends; all without one).

    What is compared runs interleaved in one process or pair of processes. Quote ratios and
    percentiles: absolute times of a virtual machine are noise.

    Example: tickwire bench book --messages 1000000 --rounds 3
    """
    chosen = list(BENCHMARKS) if not names or "all" in names else list(dict.fromkeys(names))
    given = {"messages": messages, "rounds": rounds, "seconds": seconds, "core": core}
    reports = {}
    for name in chosen:
        click.echo(f"tickwire: {name}: {BENCHMARKS[name]}", err=True)
        module = importlib.import_module(f"tools.bench_{name}")
        reports[name] = run_one(module, given)
        if not wants_json:
            module.print_report(reports[name])
    if wants_json:
        click.echo(as_json(reports), nl=False)


def run_one(module: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Measure with those of the given options that the benchmark knows."""
    from nic.port import PortError

    known = module.measure.__annotations__
    options = {name: value for name, value in given.items() if value is not None and name in known}
    try:
        report: dict[str, Any] = module.measure(**options)
    except (PortError, ValueError, ImportError, OSError) as error:
        raise click.ClickException(str(error)) from None
    return report
