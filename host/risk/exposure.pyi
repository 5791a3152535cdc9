# SPDX-License-Identifier: Apache-2.0
"""What is open and what may still happen to the positions, as the gate counts it."""

class Exposures:
    """Positions, reservations and open orders."""

    symbol_capacity: int
    order_capacity: int
    open_orders: int
    unacknowledged_orders: int
    executions: int
    gross_notional: int
    net_position_notional: int
    cash: int
    def __init__(self, symbol_capacity: int, order_capacity: int) -> None: ...
    def tell(self, event: str, *numbers: int) -> None:
        """Tell by name what happened, with the arguments of ``on_<event>`` in order."""
    def totals(self) -> dict[str, int]:
        """The sums over all symbols by name; notional in price units x shares."""
    def strategy_executions(self, strategy_id: int) -> int:
        """Executions of a strategy's open orders since it was released."""
    def open_orders_of(
        self,
        *,
        symbol_index: int | None = None,
        strategy_id: int | None = None,
        venue: int | None = None,
    ) -> int:
        """Open orders, replaces in flight among them, of a symbol, a strategy or a venue."""
    def symbol(self, symbol_index: int) -> dict[str, int]:
        """What is counted of a symbol; shares signed, notional in price units x shares."""
