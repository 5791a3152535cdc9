# SPDX-License-Identifier: Apache-2.0
"""OUCH 5.0 order entry: what is checked and kept before and after a venue matches."""

from sim.exchange.sequenced import SequencedStore

class Venue:
    """Where orders meet; the plain class knows no symbol."""

class OrderDesk:
    """Order entry of all sessions of one venue."""

    live_count: int
    session_count: int

    def __init__(self, capacity: int = 1 << 16, tick: int = 100) -> None:
        """Room for ``capacity`` live orders; raises ``MemoryError``."""

    def connect_venue(self, venue: Venue) -> None:
        """Join the desk and the venue, once."""

    def add_session(self, firm: str, store: SequencedStore) -> int:
        """A session of ``firm`` whose messages go to ``store``; its index."""

    def receive(self, session: int, message: bytes, t_ns: int) -> None:
        """One inbound message of a session at ``t_ns`` (nanoseconds since midnight)."""

    def system_event(self, event_code: str, t_ns: int) -> None:
        """Tell every session: ``S`` start of day, ``E`` end of day."""

    def cancel_all(self, session: int, reason: str, t_ns: int) -> None:
        """Cancel every order of a session with a cancel reason letter."""

    def timer(self, t_ns: int) -> None:
        """Cancel the orders whose time to live is over."""

    def open_orders(self) -> list[tuple[int, int, int, int, bytes, str, int, int]]:
        """Live orders: (session, channel, UserRefNum, reference, symbol, side, leaves, price)."""

    def counters(self) -> dict[str, int]:
        """The counters, by name."""

    def rejects_by_reason(self) -> dict[str, int]:
        """Rejected messages, by the name of the reason."""
