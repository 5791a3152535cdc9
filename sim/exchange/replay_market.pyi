# SPDX-License-Identifier: Apache-2.0
"""A market whose other side is a recorded feed."""

from host.book.book import Book
from sim.exchange.order_entry import OrderDesk, Venue

class ReplayMarket(Venue):
    """Order entry of ``desk`` against ``book``, which the caller (or ``apply_message``) feeds."""

    def __init__(
        self,
        book: Book,
        desk: OrderDesk,
        unknown_state_trades: bool = False,
        taken_levels: int = 1 << 16,
    ) -> None:
        """Join the desk to the book; raises ``MemoryError``."""

    def apply_message(self, message: bytes, t_ns: int) -> int:
        """Apply one feed message to the book and let client orders feel it; CHANGED bits."""

    def restart(self, t_ns: int) -> None:
        """The recording began anew: every client order is cancelled (reason Z)."""

    def shares_ahead(self, reference: int) -> int | None:
        """Displayed shares that trade before a resting order, or ``None`` when it does not rest."""

    def counters(self) -> dict[str, int]:
        """The counters, by name."""
