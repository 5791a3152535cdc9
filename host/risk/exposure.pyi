# SPDX-License-Identifier: Apache-2.0
"""What is open and what may still happen to the positions, as the gate counts it."""

class Exposures:
    """Positions, reservations and open orders."""

    symbol_capacity: int
    order_capacity: int
    open_orders: int
    gross_notional: int
    def __init__(self, symbol_capacity: int, order_capacity: int) -> None: ...
    def tell(self, event: str, *numbers: int) -> None:
        """Tell by name what happened, with the arguments of ``on_<event>`` in order."""
    def symbol(self, symbol_index: int) -> dict[str, int]:
        """What is counted of a symbol; shares signed, notional in price units x shares."""
