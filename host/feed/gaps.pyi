# SPDX-License-Identifier: Apache-2.0
"""Types of :mod:`host.feed.gaps`."""

from typing import Any

class GapTable:
    """Open gaps, and the last closed ones."""

    def __init__(self, capacity: int, history: int) -> None: ...
    def report(self) -> list[dict[str, Any]]: ...
