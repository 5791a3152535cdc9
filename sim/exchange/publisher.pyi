# SPDX-License-Identifier: Apache-2.0
"""ITCH messages in, MoldUDP64 packets out, and the history that answers re-requests."""

class Publisher:
    """Numbers the messages of one session, packs them and keeps them."""

    next_sequence_number: int
    first_sequence_number: int
    session_name: bytes
    ended: bool

    def __init__(
        self,
        session: str,
        history_bytes: int = 1 << 28,
        history_messages: int = 1 << 23,
        heartbeat_ns: int = 1_000_000_000,
    ) -> None:
        """Allocate the history; raises ``ValueError`` and ``MemoryError``."""

    def publish(self, message: bytes, t_ns: int) -> None:
        """Publish one message (1 to 64 bytes); it waits for the next packet."""

    def flush_now(self, t_ns: int) -> None:
        """Put what waits into a packet."""

    def timer(self, t_ns: int) -> None:
        """Flush, and send a heartbeat or end of session packet when it is time."""

    def end(self, t_ns: int) -> None:
        """Flush and announce the end of the session."""

    def take_packets(self) -> list[bytes]:
        """The packets made since the last call, in order: UDP payloads."""

    def messages(self, first: int, count: int) -> list[bytes]:
        """Up to ``count`` messages of the history from sequence number ``first`` on."""

    def counters(self) -> dict[str, int]:
        """The counters, by name."""

    def messages_by_type(self) -> dict[str, int]:
        """Messages published, by type letter."""
