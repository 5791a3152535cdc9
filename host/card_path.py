# SPDX-License-Identifier: Apache-2.0
"""What a card in the path is to the appliance: a second gate, and ports that lead through it.

Whoever starts the appliance makes the card; a card behind PCI Express and a model of one differ in
nothing that is asked here.
"""

from __future__ import annotations

from typing import Any, Protocol

from host.risk.card_gate import CardGate
from host.risk.gate import RiskGate
from nic.port import Port


class CardPath(Protocol):
    """A card between the lines and the host, and between the host's orders and their way out."""

    gate: CardGate

    def through(self, number: int, port: Port, destination: tuple[str, int]) -> Port:
        """A line's packets after the card: line ``number`` (0 A), and its group and port."""

    def attach(self, gate: RiskGate) -> None:
        """Stop this gate when the feed side differs."""

    def finish(self) -> None:
        """The last packet came: compare what is left, and the counters."""

    def report(self) -> dict[str, Any]:
        """Events and verdicts compared, differences, and what the card is."""

    def close(self) -> None:
        """Let the card go."""
