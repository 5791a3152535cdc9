# SPDX-License-Identifier: Apache-2.0
"""Turns what the engine saw into events of the normalised feed."""

from host.book.book import Book
from host.engine import FeedTap
from host.ipc.event_stream import EventPublisher

class FeedPublisher(FeedTap):
    """Publishes what happens to a book."""

    events: EventPublisher
    def __init__(
        self,
        events: EventPublisher,
        book: Book,
        *,
        refresh_ns: int = 1_000_000_000,
        t_ns: int = 0,
    ) -> None: ...
    def counters(self) -> dict[str, int]: ...
