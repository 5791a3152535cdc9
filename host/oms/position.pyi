# SPDX-License-Identifier: Apache-2.0
"""Positions and profit in integers, and the executions they came from."""

class Positions:
    """Positions of all symbols."""

    symbol_capacity: int
    execution_capacity: int
    def __init__(self, symbol_capacity: int, execution_capacity: int) -> None: ...
    def execution(
        self,
        symbol_index: int,
        side: int,
        quantity: int,
        price: int,
        user_ref_num: int = 0,
        match_number: int = 0,
    ) -> None:
        """Take an execution given by its fields; raises ``IndexError`` for an unknown symbol."""
    def break_execution(self, user_ref_num: int, match_number: int) -> bool:
        """Take an execution back; False when it is not remembered."""
    def position(self, symbol_index: int, mark_price: int = 0) -> dict[str, int]:
        """A symbol's position as a dict; raises ``IndexError`` for an unknown symbol."""
