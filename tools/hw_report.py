# SPDX-License-Identifier: Apache-2.0
"""The report of ``tickwire hw report``: size, speed and latency of the gateware."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hw import synthesis
from hw.blocks import BLOCKS
from hw.stream import CLOCK_HZ
from sim.gateware import measure as latency
from tools.report import console, table

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "gateware.md"
BEGIN = "<!-- figures: written by tickwire hw report -->"
END = "<!-- end of figures -->"
FEWEST_SEEDS = 4
CLOCK_MHZ = CLOCK_HZ / 1e6


def measure(
    names: Sequence[str], seeds: int, say: Callable[[str], None], latencies: bool
) -> dict[str, Any]:
    """Everything as one object: a row per block, a row per latency, and whether all is ``ok``."""
    rows = []
    for name in names:
        block = BLOCKS[name]
        found = synthesis.synthesise(block.make(), name, range(1, seeds + 1), say, block.placer)
        row = synthesis.as_dict(found) | {"duty": block.duty, "placer": block.placer}
        row["ok"] = found.worst_mhz is not None and found.worst_mhz >= CLOCK_MHZ
        rows.append(row)
    measured = (
        [asdict(one) | {"ok": one.ok} for one in latency.all_of_them(say)] if latencies else []
    )
    return {
        "device": synthesis.DEVICE_NAME,
        "clock_mhz": CLOCK_MHZ,
        "seeds": seeds,
        "tools": synthesis.versions(),
        "blocks": rows,
        "measurements": measured,
        "ok": all(row["ok"] for row in [*rows, *measured]),
    }


COLUMNS = ("block", "LUT", "FF", "BRAM", "DSP", "worst MHz", "best MHz", "closes", "placer")


def _block_rows(report: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (
            row["name"],
            *(row["size"][kind] for kind in ("lut", "ff", "bram", "dsp")),
            *(
                "not routed" if mhz is None else round(mhz, 1)
                for mhz in (row["worst_mhz"], row["best_mhz"])
            ),
            "yes" if row["ok"] else "no",
            row["placer"],
        )
        for row in report["blocks"]
    ]


def show(report: Mapping[str, Any], wants_path: bool) -> None:
    """The report for people."""
    out = console()
    title = f"{report['device']}, {report['seeds']} seeds, needed {report['clock_mhz']} MHz"
    out.print(table(title, COLUMNS, _block_rows(report)))
    if wants_path:
        for row in report["blocks"]:
            routed = [run for run in row["runs"] if run["fmax_mhz"] is not None]
            if not routed:
                continue
            slowest = min(routed, key=lambda run: float(run["fmax_mhz"]))
            out.print(f"\n{row['name']}, seed {slowest['seed']}:", markup=False)
            for step in slowest["critical_path"]:
                if not step.lstrip().startswith("0.00"):
                    out.print(f"  {step}", markup=False)
    if report["measurements"]:
        rows = [(m["name"], m["value"], m["limit"], m["unit"]) for m in report["measurements"]]
        out.print(table("\nmeasured in simulation", ("what", "measured", "bound", "unit"), rows))
    for row in [*report["blocks"], *report["measurements"]]:
        if not row["ok"]:
            out.print(f"not reached: {row['name']}", markup=False)


def page_part(report: Mapping[str, Any]) -> str:
    """The figures as the part of ``docs/gateware.md`` between its markers."""
    lines = [
        BEGIN,
        "",
        f"{report['device']}; {report['seeds']} placement seeds; needed: {CLOCK_MHZ} MHz.",
        f"Tools: {report['tools']}. Command: `tickwire hw report`.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "| --- |" + " ---: |" * (len(COLUMNS) - 3) + " --- | --- |",
    ]
    for row in _block_rows(report):
        name, *cells = row
        told = (cell if isinstance(cell, str) else f"{cell:,}" for cell in cells)
        lines.append(f"| `{name}` | " + " | ".join(told) + " |")
    if report["measurements"]:
        lines += [
            "",
            "| measured in simulation | figure | bound | how |",
            "| --- | ---: | ---: | --- |",
        ]
        lines += [
            f"| {m['name']} | {m['value']} {m['unit']} | {m['limit']} | {m['how']} |"
            for m in report["measurements"]
        ]
    return "\n".join([*lines, "", END])


def write(report: Mapping[str, Any]) -> None:
    """Put the figures into ``docs/gateware.md``, where this is a checkout."""
    if not PAGE.exists():
        return
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(before + page_part(report) + after)
