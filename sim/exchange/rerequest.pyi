# SPDX-License-Identifier: Apache-2.0
"""The MoldUDP64 re-request server."""

from sim.exchange.publisher import Publisher

class RerequestServer:
    """Answers request packets for one publisher's session."""

    def __init__(self, publisher: Publisher) -> None:
        """Serve the publisher's history."""

    def answer(self, request: bytes) -> bytes | None:
        """The answer to a request datagram, or ``None`` when there is none."""

    def counters(self) -> dict[str, int]:
        """The counters, by name."""
