# SPDX-License-Identifier: Apache-2.0
"""A channel to nowhere that remembers what it was given."""

from typing import Any

from host.interfaces import OrderChannel

class PaperChannel(OrderChannel):
    """Takes every order while ``is_open``; keeps the latest ``capacity`` of them."""

    is_open: bool
    count: int
    def __init__(self, capacity: int = 4096) -> None: ...
    def sent(self) -> list[dict[str, Any]]:
        """What was sent, oldest first: the request's fields, its pass number and time, as dicts."""
