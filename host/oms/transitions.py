# SPDX-License-Identifier: Apache-2.0
"""Which event may take an order from which state to which; everything else is illegal.

Source: OUCH 5.0, sections on outbound messages and on replace and cancel (executions are
incremental, fills may follow a cancel request, a replace of an order that is no longer live is
ignored silently). Two rules are not in the table because they need more than the state: Accepted,
Replaced and Rejected come once, all others only after one of the first two; and no message executes
or cancels more shares than are open.
"""

from __future__ import annotations

from host.oms.enumerations import EVENT, ORDER_STATE

OPEN = (
    "pending_new",
    "live",
    "partially_filled",
    "cancel_pending",
    "replace_pending",
    "unknown",
)
"""States of orders that may still execute."""

WORKING = ("live", "partially_filled", "cancel_pending", "replace_pending")
"""States in which an acknowledged order may be."""


def same(*states: str) -> dict[str, tuple[str, ...]]:
    """Each state to itself."""
    return {state: (state,) for state in states}


TRANSITIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "accepted": {
        "pending_new": ("live", "cancelled"),
        "cancel_pending": ("cancel_pending", "cancelled"),
        "replace_pending": ("replace_pending", "cancelled"),
        "unknown": ("live", "cancel_pending", "replace_pending", "cancelled"),
    },
    "replaced": {
        "pending_new": ("live", "partially_filled", "cancelled"),
        "cancel_pending": ("cancel_pending", "cancelled"),
        "unknown": ("live", "partially_filled", "cancel_pending", "cancelled"),
    },
    "superseded": {
        "cancel_pending": ("replaced",),
        "replace_pending": ("replaced",),
    },
    "canceled": {
        "live": ("live", "cancelled"),
        "partially_filled": ("partially_filled", "cancelled"),
        "cancel_pending": (*WORKING, "cancelled"),
        "replace_pending": ("replace_pending", "cancelled"),
    },
    "executed": {
        "live": ("partially_filled", "filled"),
        "partially_filled": ("partially_filled", "filled", "broken"),
        "cancel_pending": ("cancel_pending", "filled", "broken"),
        "replace_pending": ("replace_pending", "filled", "broken"),
    },
    "rejected": {
        "pending_new": ("rejected",),
        "cancel_pending": ("rejected",),
        "replace_pending": ("rejected",),
        "unknown": ("rejected",),
    },
    "broken": {
        **same("live", "partially_filled", "cancel_pending", "replace_pending"),
        **same("cancelled", "replaced", "broken"),
        "filled": ("broken",),
    },
    "cancel_pending": dict.fromkeys(WORKING, ("cancel_pending",)),
    "cancel_reject": {"cancel_pending": ("live", "partially_filled", "replace_pending")},
    "restated": same(*WORKING),
    "modified": same(*WORKING),
    "priority": same(*WORKING),
    "replace_sent": {
        "pending_new": ("replace_pending",),
        "live": ("replace_pending",),
        "partially_filled": ("replace_pending",),
        **same("cancel_pending", "unknown"),
    },
    # a cancel to a size that the order is not above changes nothing
    "cancel_sent": {
        "pending_new": ("pending_new", "cancel_pending"),
        "live": ("live", "cancel_pending"),
        "partially_filled": ("partially_filled", "cancel_pending"),
        "replace_pending": ("replace_pending", "cancel_pending"),
        **same("cancel_pending", "unknown"),
    },
    "send_failed": {
        **same("live", "partially_filled"),
        "pending_new": ("pending_new", "none"),
        "unknown": ("unknown", "none"),
        "cancel_pending": ("pending_new", *WORKING),
        "replace_pending": ("pending_new", *WORKING),
    },
    "replace_ended": {
        "replace_pending": ("pending_new", "live", "partially_filled"),
        **same("cancel_pending", "unknown"),
    },
    "original_ended": {
        "pending_new": ("ignored",),
        "cancel_pending": ("ignored",),
        "unknown": ("ignored",),
    },
    "session_down": dict.fromkeys(
        ("pending_new", "cancel_pending", "replace_pending", "unknown"), ("unknown",)
    ),
    "session_up": {"cancel_pending": ("live", "partially_filled", "replace_pending")},
    "not_received": {"unknown": ("not_received",)},
}
"""Event to state to the states it may lead to; names of ``EVENT`` and ``ORDER_STATE``."""


def mask(state: str, event: str) -> int:
    """The states an event may lead to from a state, as bits by their number; 0: it is illegal."""
    return sum(1 << ORDER_STATE.value(name) for name in TRANSITIONS.get(event, {}).get(state, ()))


def masks() -> list[list[int]]:
    """The whole table, by number of state and number of event."""
    events = {entry.value: entry.name for entry in EVENT.entries}
    return [
        [mask(state, events[i]) if i in events else 0 for i in range(EVENT.count)]
        for state in ORDER_STATE.names
    ]


def open_mask() -> int:
    """The states of open orders, as bits by their number."""
    return sum(1 << ORDER_STATE.value(name) for name in OPEN)
