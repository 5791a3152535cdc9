# SPDX-License-Identifier: Apache-2.0
"""The page ``docs/risk.md``: checks, limits and commands from their tables, and what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from host.risk.page_text import INTRODUCTION, LIMITS, REST, SEMANTICS, SOURCES, WIDTHS
from nic.offload.commands import COMMANDS, TELLS, Command
from nic.offload.enumerations import FIRST_OF_NEW_RISK, MARKET_PHASE, ORDER_TYPE, RISK
from nic.offload.limits import Limits


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"


def command_row(command: Command) -> tuple[str, str, str]:
    """A command with its arguments and their bits."""
    arguments = ", ".join(f"{entry.name} {entry.bits}" for entry in command.arguments)
    return f"`{command.name}`", command.meaning, arguments


def page_text() -> str:
    """The whole page."""
    checks = (
        (e.value, f"`{e.name}`", e.meaning, "no" if e.value < FIRST_OF_NEW_RISK else "yes")
        for e in RISK.entries
        if e.value
    )
    limits = (
        (f"`{f.name}`", *(f.metadata[key] for key in ("unit", "bits", "scope", "meaning")))
        for f in fields(Limits)
    )
    bits = (
        (f"`{entry.name}`", name, 1 << entry.value, entry.meaning)
        for name, entries in (
            ("allowed_order_types", ORDER_TYPE.entries),
            ("allowed_phases", MARKET_PHASE.entries),
        )
        for entry in entries
    )
    sources = (
        (number, item, ", ".join(f"`{name}`" for name in reasons), place)
        for number, item, reasons, place in SOURCES
    )
    lines = [
        INTRODUCTION,
        *table(("number", "reason", "refused when", "only new risk"), checks),
        SEMANTICS,
        LIMITS,
        *table(("limit", "unit", "bits", "scope", "meaning"), limits),
        "",
        *table(("name", "of", "bit", "meaning"), bits),
        "",
        "## Commands",
        "",
        "Everything but order requests that changes a gate, with the bits of each argument.",
        "",
        *table(("command", "meaning", "arguments and bits"), map(command_row, COMMANDS)),
        "",
        "What the order management tells:",
        "",
        *table(("event", "meaning", "arguments and bits"), map(command_row, TELLS)),
        "",
        "## Widths",
        "",
        *table(("value", "bits", ""), WIDTHS),
        REST,
        *table(("number", "control", "reasons", "where else, and why"), sources),
    ]
    return "\n".join(lines) + "\n"
