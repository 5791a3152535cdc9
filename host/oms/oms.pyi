# SPDX-License-Identifier: Apache-2.0
"""Order management: takes what passed the gate, numbers it, keeps it and sends it."""

from collections.abc import Iterator
from typing import Any

from host.interfaces import OrderChannel, OrderEventSink, OrderPath
from host.oms.order_reports import OrderReports
from host.risk.gate import RiskGate

class OrderManager(OrderPath):
    """Orders, positions and profit; becomes the path of ``gate``."""

    reports: OrderReports
    def __init__(
        self,
        gate: RiskGate,
        events: OrderEventSink | None = None,
        *,
        capacity: int = ...,
        executions: int = ...,
    ) -> None: ...
    @property
    def open_order_count(self) -> int:
        """Open orders, replaces in flight among them."""
    @property
    def next_user_ref_num(self) -> int:
        """The number that the next order will bear, if its place is free."""
    def set_channel(self, venue: int, channel: OrderChannel) -> None:
        """Send a venue's orders by this channel; raises ``IndexError`` for an unknown venue."""
    def set_events(self, events: OrderEventSink | None) -> None:
        """Tell every change to this sink, or to nobody (``None``)."""
    def set_next_user_ref_num(self, user_ref_num: int) -> None:
        """Go on numbering from here; raises ``ValueError`` when the number was passed already."""
    def resolve_unknown(self, next_user_ref_num: int, *, venue: int = 0, t_ns: int = 0) -> int:
        """Decide about a venue's unknown orders once the replay is complete."""
    def cancel_all(self, t_ns: int) -> int:
        """Cancel every open order, through the gate; how many cancels were sent."""
    def order(self, user_ref_num: int) -> dict[str, Any] | None:
        """An order as a dict, or ``None`` when the table does not hold it."""
    def orders(self) -> Iterator[dict[str, Any]]:
        """Every order that the table holds, oldest number first, as dicts: an iterator."""
    def open_orders(self) -> list[dict[str, Any]]:
        """The open orders in the order they were sent, as a list of dicts."""
    def positions(self) -> dict[int, dict[str, int]]:
        """Symbol index to position, for every symbol that was executed."""
    def mark_price(self, symbol_index: int) -> int:
        """Price that values a symbol's position now; 0 when there is none, or no position."""
    def counters(self) -> dict[str, int]:
        """Everything counted (:data:`~host.oms.enumerations.OMS`)."""
    def illegal_transitions(self) -> list[dict[str, Any]]:
        """The latest illegal transitions, oldest first: number, state and event by name, time."""
