# SPDX-License-Identifier: Apache-2.0
"""The strategy host's report for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.report import console, nonzero


def print_strategy_host(report: Mapping[str, Any]) -> None:
    """Print the report of one run."""
    out = console()
    if report["ended_by"]:
        out.print(f"{report['feed']}: {report['ended_by']}", markup=False, style="bold")
    out.print(f"strategy {report['strategy_number']} of {report['feed']}", markup=False)
    _line("events", nonzero(report["events"]))
    _line("orders", nonzero(report["orders"]))
    _line("refused by reason", report["refused"])
    for strategy in report["strategies"]:
        _line(f"strategy {strategy['name']}", {k: v for k, v in strategy.items() if k != "name"})
    for name, title in (
        ("latency_ns", "packet taken to event followed, ns"),
        ("answer_ns", "request sent to its answer, ns"),
    ):
        if report[name]:
            _line(title, report[name])
    if report["open_orders"]:
        out.print(f"{report['open_orders']:,} orders were open at the end", style="bold")


def _line(title: str, counters: Mapping[str, Any]) -> None:
    shown = ", ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}"
        for name, value in counters.items()
    )
    console().print(f"{title}: {shown or 'none'}", markup=False)
