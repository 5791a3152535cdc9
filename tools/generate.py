# SPDX-License-Identifier: Apache-2.0
"""Writes every generated file of the house: ``python -m tools.generate [--check]``.

Cython codecs from the protocol tables, ``ids.pxd`` from each folder's ``enumerations.py``, and the
pages of ``docs/`` that are derived from tables.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from host.publish import page as feed_page
from host.remote import page as strategies_page
from host.risk import page as risk_page
from nic.enumeration import ids_text
from nic.offload import page as offload_page
from nic.wire import generate as wire
from nic.wire import page

ROOT = Path(__file__).resolve().parent.parent

LAYOUTS = {
    "host.ipc.broadcast_layout": "BROADCAST",
    "host.ipc.event_layout": "FEED",
    "host.ipc.layout": "RING",
    "host.ipc.order_layout": "ORDER_LINE",
    "host.journal.layout": "JOURNAL_LAYOUT",
    "nic.offload.records": "OFFLOAD",
    "nic.verbs.layout": "RDMA_RING",
}
"""Tables of records that never leave the machine: module and name of the table."""


def outputs() -> dict[Path, str]:
    """Every generated file and its text."""
    found = dict(wire.outputs())
    for module, name in LAYOUTS.items():
        table = getattr(importlib.import_module(module), name)
        folder = (ROOT / module.replace(".", "/")).parent
        found[folder / f"{table.name}_codec.pxd"] = wire.codec_text(table, module)
    for room in ("nic", "host", "hw", "sim", "tools"):
        for path in sorted((ROOT / room).rglob("enumerations.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            tables = importlib.import_module(module).ENUMERATIONS
            found[path.parent / "ids.pxd"] = ids_text(module, tables)
    found[ROOT / "docs" / "wire-formats.md"] = page.page_text()
    found[ROOT / "docs" / "feed-following.md"] = feed_page.page_text()
    found[ROOT / "docs" / "strategy-hosts.md"] = strategies_page.page_text()
    found[ROOT / "docs" / "risk.md"] = risk_page.page_text()
    found[ROOT / "docs" / "registers.md"] = offload_page.page_text()
    return found


def main() -> int:
    """Write the files, or with ``--check`` say which are not current."""
    parser = argparse.ArgumentParser(description="Write the files that are derived from tables.")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if not current")
    check = parser.parse_args().check
    texts = outputs()
    stale = [p for p, text in texts.items() if not p.exists() or p.read_text() != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(ROOT)} is not current: run python -m tools.generate")
        else:
            path.write_text(texts[path])
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
