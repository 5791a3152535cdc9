# SPDX-License-Identifier: Apache-2.0
"""What the demo finds wrong with a run, each by its own line."""

from pathlib import Path
from typing import Any

import pytest

from tools.demo import Demo, problems_of

ORDINARY = Demo(3, Path(), 1_000, 20, "udp", as_root=True)
DELEGATED = Demo(3, Path(), 1_000, 20, "udp", as_root=True, send="delegated")


def report(
    is_verified: bool = True,
    open_orders: int = 0,
    given_up: int = 0,
    delegated: int = 0,
    offload: dict[str, bool] | None = None,
) -> dict[str, Any]:
    return {
        "appliance": {
            "open_orders": open_orders,
            "gaps": {"never": given_up},
            "offload": offload,
        },
        "verify": {"ok": is_verified, "delegated_segments": delegated},
    }


def test_nothing_is_wrong_with_a_good_run() -> None:
    assert problems_of(ORDINARY, report()) == []
    assert problems_of(ORDINARY, report(offload={"ok": True})) == []
    assert problems_of(DELEGATED, report(delegated=7)) == []


@pytest.mark.parametrize(
    ("demo", "found", "said"),
    [
        (ORDINARY, report(is_verified=False), "the captures and the journal differ"),
        (ORDINARY, report(open_orders=1_234), "orders still open at the end: 1,234"),
        (ORDINARY, report(given_up=2), "gaps of the feed given up: 2"),
        (DELEGATED, report(), "no segment was sent by delegation"),
        (ORDINARY, report(offload={"ok": False}), "the gateware and the host's gate differ"),
    ],
)
def test_each_problem_has_its_line(demo: Demo, found: dict[str, Any], said: str) -> None:
    assert problems_of(demo, found) == [said]
