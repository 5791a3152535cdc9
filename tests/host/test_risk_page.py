# SPDX-License-Identifier: Apache-2.0
"""The page on risk maps every known control, and every reason is one of them."""

from host.risk.page import page_text
from host.risk.page_text import SOURCES
from nic.offload.commands import COMMANDS, TELLS
from nic.offload.enumerations import LIMIT, RISK

VALIDITY = {
    "passed",
    "invalid_request",
    "unknown_symbol",
    "unknown_order",
    "order_busy",
    "replace_below_executed",
}
"""Reasons that no list of controls names: a request that makes no sense."""


def test_the_thirty_controls_are_mapped_and_every_reason_is_one():
    assert [number for number, *_ in SOURCES if number != "all"] == list(range(1, 31))
    assert all(reasons or place for _, _, reasons, place in SOURCES)
    named = {name for _, _, reasons, _ in SOURCES for name in reasons}
    assert named | VALIDITY == set(RISK.names)


def test_the_page_shows_every_table():
    text = page_text()
    commands = [command.name for command in (*COMMANDS, *TELLS)]
    for name in (*RISK.names[1:], *LIMIT.names, *commands):
        assert f"| `{name}` |" in text
