# SPDX-License-Identifier: Apache-2.0
"""Decode of all fields of all messages, beside the bare walk over their lengths."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from nic.affinity import pin
from nic.wire.session_file import count_messages, decode_all_fields
from tools.itch_stream import generate
from tools.report import console


def measure(
    messages: int = 10_000_000, rounds: int = 5, seed: int = 1, core: int | None = None
) -> dict[str, Any]:
    """Interleave walk and decode over one generated day; nanoseconds a message, per round."""
    pin(core)
    data = generate(messages, seed=seed).data
    count_messages(data)  # the pages are touched before the clock starts
    found: dict[str, list[float]] = {"framing walk": [], "decode of all fields": []}
    for _ in range(rounds):
        for name, run in zip(found, (count_messages, decode_all_fields), strict=True):
            begin = time.perf_counter_ns()
            count = run(data)[0]
            found[name].append((time.perf_counter_ns() - begin) / count)
    return {
        "benchmark": "decode",
        "command": f"tickwire bench decode --messages {messages} --rounds {rounds}",
        "messages": int(count),
        "ns_per_message": {
            name: {
                "min": float(np.min(times)),
                "median": float(np.median(times)),
                "max": float(np.max(times)),
            }
            for name, times in found.items()
        },
    }


def print_report(report: dict[str, Any]) -> None:
    """The report for people."""
    out = console()
    out.print(f"decode: {report['messages']:,} messages of a generated day")
    for name, times in report["ns_per_message"].items():
        out.print(
            f"  {name}: median {times['median']:.2f} ns a message "
            f"(min {times['min']:.2f}, max {times['max']:.2f})"
        )
