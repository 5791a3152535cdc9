# SPDX-License-Identifier: Apache-2.0
"""A byte stream in memory: two ends, each with the bytes that wait for the other."""

from nic.stream import Stream

class MemoryStream(Stream):
    """One end; :meth:`pair` makes both."""

    current_state: int
    capacity_bytes: int
    segment_bytes: int
    window_bytes: int

    def __init__(self, capacity_bytes: int = ...) -> None: ...
    @staticmethod
    def pair(
        capacity_bytes: int = ..., *, connecting: bool = ...
    ) -> tuple[MemoryStream, MemoryStream]:
        """Two connected ends; with ``connecting`` they are open after :meth:`open` of either."""

    def open(self) -> None:
        """Finish the connecting of both ends."""

    def close(self) -> None:
        """Close this end; harmless when it is closed."""

    def waiting_bytes(self) -> int:
        """Bytes that can be received here."""
