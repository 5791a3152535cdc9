# SPDX-License-Identifier: Apache-2.0
"""The demo's report for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.appliance_text import print_appliance
from tools.report import console


def print_demo(report: Mapping[str, Any]) -> None:
    """Print what one demo run showed: both sides, and the proof."""
    out = console()
    out.print(f"mode: {report['mode']}, {report['seconds']:g} s of trading")
    exchange = report["exchange"]
    rate = exchange["messages_per_second"]
    out.print(f"exchange: {exchange['messages']:,} messages published, {rate:,} a second")
    rejects = exchange["rejects_by_reason"]
    shown = ", ".join(f"{name} {count:,}" for name, count in rejects.items())
    out.print(f"rejects of the exchange by reason: {shown or 'none'}", markup=False)
    for name, line in exchange["lines"].items():
        dropped = line["network"]["dropped"]
        out.print(f"line {name}: {line['datagrams']:,} datagrams, {dropped:,} dropped on purpose")
    print_appliance(report["appliance"])
    print_verify(report["verify"])
    for line in report["problems"] or ["all is well"]:
        out.print(line, style="bold", markup=False)


def print_verify(found: Mapping[str, Any]) -> None:
    """Print what the captures proved."""
    out = console()
    if not found["done"]:
        out.print(f"not verified: {found['why_not']}")
        return
    verdict = "agree" if found["ok"] else "DIFFER"
    out.print(f"captures and journal {verdict}", style="bold")
    for name, value in found.items():
        if name not in ("done", "ok", "differences"):
            out.print(f"  {name.replace('_', ' ')}: {value}", markup=False)
    for difference in found.get("differences", []):
        out.print(f"  {difference}", markup=False)
