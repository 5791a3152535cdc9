# SPDX-License-Identifier: Apache-2.0
"""The demo's configurations: the shipped examples, with the demo's own addresses and sizes."""

from __future__ import annotations

import os
import re
from pathlib import Path

EXAMPLES = Path(__file__).parent / "examples"


def replaced(text: str, pattern: str, by: str) -> str:
    """``text`` with every match of ``pattern`` replaced; ``ValueError`` where there is none."""
    changed, count = re.subn(pattern, by, text, flags=re.MULTILINE)
    if not count:
        raise ValueError(f"an example configuration has no {pattern!r} any more")
    return changed


def on_loopback(text: str) -> str:
    """Everything on the loopback interface of this machine."""
    text = replaced(text, r"10\.71\.3\.1", "127.0.0.1")
    return replaced(text, r'"line-[ab]"', '"lo"')


def exchange_text(as_root: bool, symbols: int, messages_per_second: int) -> str:
    """The exchange's configuration."""
    text = (EXAMPLES / "exchange.toml").read_text()
    text = replaced(text, r"^symbol_count = \d+", f"symbol_count = {symbols}")
    text = replaced(
        text, r"^messages_per_second = [\d_]+", f"messages_per_second = {messages_per_second}"
    )
    return text if as_root else on_loopback(text)


CARD_SYMBOLS = 1023
"""Symbols that the simulated card has room for."""


def appliance_text(
    as_root: bool,
    path: str,
    journal: Path,
    *,
    has_card: bool = False,
    planted: str = "",
    send: str = "ordinary",
) -> str:
    """The appliance's configuration; it spins on a core of its own where there is one to spare.

    ``has_card``: the gateware is in the path; ``planted``: a limit that it gets otherwise.
    ``send``: how orders leave.
    """
    cores = sorted(os.sched_getaffinity(0))
    text = (EXAMPLES / "appliance.toml").read_text()
    if has_card:
        text = replaced(text, r"^symbols = 65_536", f"symbols = {CARD_SYMBOLS}")
        text += f'\n[offload]\ndevice = "fpga-sim"\nplant_difference = "{planted}"\n'
    text = replaced(text, r'^send = "ordinary"', f'send = "{send}"')
    text = replaced(text, r'^path = "af_xdp"', f'path = "{path}"')
    text = replaced(text, r'^path = "journal.bin"', f'path = "{journal}"')
    if len(cores) > 1:
        text = replaced(text, r"^core = 1\b", f"core = {cores[-1]}")
    else:
        text = replaced(text, r"^core = 1\b.*$", "")
        text = replaced(text, r"^spin = true", "spin = false")
    return text if as_root else on_loopback(text)
