# SPDX-License-Identifier: Apache-2.0
"""How reports look on a terminal, and the one way in which they become JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def as_json(report: Mapping[str, Any]) -> str:
    """The report as one JSON object, keys in the order given, newline at the end."""
    return json.dumps(report, indent=2, default=str) + "\n"


def console(stderr: bool = False) -> Console:
    """A console that prints plain text when it is no terminal."""
    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table whose numbers stand at the right."""
    built = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    materialised = [list(row) for row in rows]
    for number, name in enumerate(columns):
        numeric = all(isinstance(row[number], int | float) for row in materialised)
        built.add_column(name, justify="right" if numeric and materialised else "left")
    for row in materialised:
        built.add_row(*(text_of(cell) for cell in row))
    return built


def text_of(value: Any) -> str:
    """A cell: whole numbers with thousands separators, the rest as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return str(value)


def price_text(price: int) -> str:
    """A price with four implied decimals as a decimal number, without going through a float."""
    sign = "-" if price < 0 else ""
    whole, part = divmod(abs(price), 10_000)
    return f"{sign}{whole:,}.{part:04d}"


def nonzero(counters: Mapping[str, int]) -> dict[str, int]:
    """The counters that counted something."""
    return {name: count for name, count in counters.items() if count}
