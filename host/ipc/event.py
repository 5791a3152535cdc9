# SPDX-License-Identifier: Apache-2.0
"""Events of the normalised feed in Python, derived from the table of their layout."""

from __future__ import annotations

from typing import Any

from host.ipc.enumerations import EVENT
from host.ipc.event_layout import FEED
from nic.wire.reference import decode_as

KINDS = {entry.value: entry.name for entry in EVENT.entries}
"""Number of a kind to its name."""

_LETTERS = ("side", "trading_state", "short_sale_state")


def decode_event(data: bytes) -> dict[str, Any]:
    """The fields of one event by name: kind by its name, letters and the symbol as text.

    Prices have four implied decimals. A kind that this version does not know is ``kind_N``.
    Raises ``WireError`` for another number of bytes.
    """
    found: dict[str, Any] = dict(decode_as(FEED, "event", data))
    del found["reserved"]
    found["kind"] = KINDS.get(found["kind"], f"kind_{found['kind']}")
    found["symbol"] = found["symbol"].rstrip(b" \0").decode("latin-1")
    for name in _LETTERS:
        found[name] = chr(found[name]) if found[name] else ""
    return found
