# SPDX-License-Identifier: Apache-2.0
"""The gate on a card, as the second gate of the host's."""

from host.risk.offload import GateOffload
from nic.offload.card import Card
from nic.offload.record_stream import RecordStream

class CardGate(GateOffload):
    """Asks the gate of a card."""

    card: Card
    stream: RecordStream
    busy_ticks: int
    def __init__(
        self, card: Card, stream: RecordStream, *, polls: int = ..., planted: str | None = None
    ) -> None: ...
    @property
    def symbol_capacity(self) -> int:
        """Symbols that the card can hold; the last index stands for unknown ones."""
    @property
    def order_capacity(self) -> int:
        """Orders and replaces in flight that may be open at once."""
    @property
    def strategy_capacity(self) -> int:
        """Strategies that the card can tell apart."""
    @property
    def venue_capacity(self) -> int:
        """Order-entry sessions that the card can tell apart."""
