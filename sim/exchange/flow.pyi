# SPDX-License-Identifier: Apache-2.0
"""Background order flow: seeded, at a given rate, in virtual time."""

from collections.abc import Sequence

from sim.exchange.matching import MatchingEngine

class BackgroundFlow:
    """Flow in every symbol of an engine at ``messages_per_second`` (0 for none)."""

    catch_up_messages: int

    def __init__(
        self,
        engine: MatchingEngine,
        seed: int,
        messages_per_second: int,
        orders_per_symbol: int = 96,
        tick: int = 100,
        first_prices: Sequence[int] | None = None,
    ) -> None:
        """Raises ``ValueError`` for prices, orders or a rate out of range."""

    def start(self, t_ns: int) -> None:
        """Quote both sides of every symbol; the pace begins at ``t_ns``."""

    def run_until(self, t_ns: int) -> None:
        """Make the messages that are due at ``t_ns``."""

    def fair_price(self, locate: int) -> int:
        """The fair price of a stock locate now; raises ``IndexError``."""

    def counters(self) -> dict[str, int]:
        """The counters, by name."""
