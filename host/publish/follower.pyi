# SPDX-License-Identifier: Apache-2.0
"""Follows a normalised feed: every symbol's top, kept from the events."""

from typing import Any

from host.ipc.event_stream import EventReader
from host.metrics.histogram import Histogram

class FeedFollower:
    """Keeps every symbol's top from the events of a stream."""

    events: EventReader
    symbol_capacity: int
    symbol_count: int
    market_phase: int
    is_stale: bool
    is_ended: bool
    feed_sequence_number: int
    latency: Histogram
    def __init__(self, events: EventReader, *, symbols: int = 65_536) -> None: ...
    def poll(self, maximum: int = 64) -> int: ...
    def poll_events(self, maximum: int = 64) -> list[dict[str, Any]]: ...
    def symbols(self) -> list[str]: ...
    def top_of(self, index: int) -> dict[str, Any]: ...
    def tops_by_symbol(self) -> dict[str, dict[str, Any]]: ...
    def phase(self) -> str: ...
    def counters(self) -> dict[str, int]: ...
