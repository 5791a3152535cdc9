# SPDX-License-Identifier: Apache-2.0
"""The demo's configurations: the shipped examples, with the demo's own addresses and sizes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from tools.loopback_ports import BLOCK_PORTS, FIRST_PORT

EXAMPLES = Path(__file__).parent / "examples"


def replaced(text: str, pattern: str, by: str | Callable[[re.Match[str]], str]) -> str:
    """``text`` with every match of ``pattern`` replaced; ``ValueError`` where there is none."""
    changed, count = re.subn(pattern, by, text, flags=re.MULTILINE)
    if not count:
        raise ValueError(f"an example configuration has no {pattern!r} any more")
    return changed


def on_loopback(text: str, first_port: int) -> str:
    """Everything on the loopback interface of this machine, on ports of this run."""
    text = replaced(text, r"10\.71\.3\.1", "127.0.0.1")
    text = replaced(text, r"^port = (\d+)", lambda port: _moved(port, first_port))
    return replaced(text, r'"line-[ab]"', '"lo"')


def _moved(port: re.Match[str], first_port: int) -> str:
    offset = int(port[1]) - FIRST_PORT
    if not 0 <= offset < BLOCK_PORTS:
        raise ValueError(f"an example configuration has port {port[1]}: not among a run's ports")
    return f"port = {first_port + offset}"


def exchange_text(first_port: int | None, symbols: int, messages_per_second: int) -> str:
    """The exchange's configuration; ``first_port``: of its ports on loopback, None off it."""
    text = (EXAMPLES / "exchange.toml").read_text()
    text = replaced(text, r"^symbol_count = \d+", f"symbol_count = {symbols}")
    text = replaced(
        text, r"^messages_per_second = [\d_]+", f"messages_per_second = {messages_per_second}"
    )
    return text if first_port is None else on_loopback(text, first_port)


CARD_SYMBOLS = 1023
"""Symbols that the simulated card has room for."""


def appliance_text(
    first_port: int | None,
    path: str,
    journal: Path,
    *,
    has_card: bool = False,
    planted: str = "",
    send: str = "ordinary",
) -> str:
    """The appliance's configuration; it spins on a core of its own where there is one to spare.

    ``first_port``: of its ports on loopback, None off it. ``has_card``: the gateware is in
    the path; ``planted``: a limit that it gets otherwise. ``send``: how orders leave.
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
    return text if first_port is None else on_loopback(text, first_port)
