# SPDX-License-Identifier: Apache-2.0
"""Writers of the ITCH 5.0 messages that an exchange sends."""

from collections.abc import Sequence

from sim.exchange.publisher import Publisher

class FeedWriter:
    """Messages about the symbols of one day; symbol n has stock locate n + 1."""

    def __init__(self, publisher: Publisher, symbols: Sequence[str]) -> None:
        """Raises ``ValueError`` for a symbol that is not 1 to 8 characters, or too many."""

    def event(self, event_code: str, t_ns: int) -> None:
        """A system event by its letter."""

    def begin_day(self, t_ns: int) -> None:
        """Start of messages, and the directory of all symbols."""
