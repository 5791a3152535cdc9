# SPDX-License-Identifier: Apache-2.0
"""The orders, the list of the open ones, and the rules by which their states change."""

from typing import Any

from host.interfaces import OrderEventSink
from host.risk.exposure import Exposures

class OrderTable:
    """Orders and positions, and what every change of an order brings with it."""

    def __init__(
        self,
        exposures: Exposures,
        events: OrderEventSink | None,
        capacity: int,
        executions: int,
    ) -> None: ...
    def illegal_transitions(self) -> list[dict[str, Any]]:
        """The latest illegal transitions, oldest first: number, state and event by name, time."""
