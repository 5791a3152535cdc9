# SPDX-License-Identifier: Apache-2.0
"""Reports for Python: a sink that calls a function, for tools and simulations."""

from collections.abc import Callable
from typing import Any

REPORT_NAMES: dict[int, str]
"""Kind number to name."""

class ReportCallback:
    """Calls ``on_report(dict, t_ns)`` and ``on_session(venue, state, t_ns)``."""

    def __init__(
        self,
        on_report: Callable[[dict[str, Any], int], object],
        on_session: Callable[[int, int, int], object],
    ) -> None: ...
