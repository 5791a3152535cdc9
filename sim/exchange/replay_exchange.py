# SPDX-License-Identifier: Apache-2.0
"""Order entry in front of a recorded feed, for replay and backtest: no sockets, no clock."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from host.book.book import Book
from sim.exchange.acceptor import Acceptor, OrderEntrySession
from sim.exchange.config import SessionConfig
from sim.exchange.order_entry import OrderDesk
from sim.exchange.replay_market import ReplayMarket


class ReplayExchange:
    """The order-entry side of :class:`~sim.exchange.exchange.Exchange` over a replayed book.

    ``book`` holds the recorded market; each message of the recording goes through ``on_message``
    (or the caller applies it and calls ``market.observe`` from Cython). Times ``t_ns`` are
    nanoseconds since midnight, as in the recording, never going back. Sessions are logged in to as
    at the real acceptor.
    """

    def __init__(
        self,
        book: Book,
        sessions: Sequence[SessionConfig] = (SessionConfig(),),
        *,
        tick: int = 100,
        live_orders: int = 1 << 16,
        unknown_state_trades: bool = False,
        start_ns: int = 0,
    ) -> None:
        """Join order entry and book; the sessions hear of the start of day at ``start_ns``."""
        self.desk = OrderDesk(live_orders, tick)
        self.market = ReplayMarket(book, self.desk, unknown_state_trades)
        self.acceptor = Acceptor(self.desk)
        self.sessions: list[OrderEntrySession] = [
            self.acceptor.add_session(each.name, each.username, each.password, each.firm)
            for each in sessions
        ]
        self.desk.system_event("S", start_ns)

    def on_message(self, message: bytes, t_ns: int) -> int:
        """One message of the recording; the bits of ``host.book.book.CHANGED`` for it."""
        changed: int = self.market.apply_message(message, t_ns)
        return changed

    def on_restart(self, t_ns: int) -> None:
        """The recording's books were reset: client orders are cancelled."""
        self.market.restart(t_ns)

    def on_client_connected(self, identity: Hashable, t_ns: int) -> None:
        """A client opened a connection; ``identity`` names it from now on."""
        self.acceptor.connect(identity, t_ns)

    def on_client_bytes(self, identity: Hashable, data: bytes, t_ns: int) -> None:
        """Bytes of a connection, cut anywhere."""
        self.acceptor.receive(identity, data, t_ns)

    def on_client_closed(self, identity: Hashable, t_ns: int) -> None:
        """A client closed its connection."""
        self.acceptor.disconnect(identity, t_ns)

    def on_timer(self, t_ns: int) -> None:
        """Expiries, heartbeats, timeouts."""
        self.desk.timer(t_ns)
        self.acceptor.timer(t_ns)

    def take_client_output(self, t_ns: int) -> list[tuple[Hashable, bytes, bool]]:
        """Identity, bytes to write, and whether to close the connection after them."""
        return self.acceptor.take_output(t_ns)

    def stop(self, t_ns: int) -> None:
        """End the day: client orders are cancelled (closed), the sessions end."""
        for session in self.sessions:
            self.desk.cancel_all(session.index, "E", t_ns)
        self.desk.system_event("E", t_ns)
        self.acceptor.end_of_session(t_ns)

    def report(self) -> dict[str, object]:
        """What happened to the client's orders."""
        return {
            "market": self.market.counters(),
            "order_entry": self.desk.counters(),
            "rejects_by_reason": self.desk.rejects_by_reason(),
            "acceptor": self.acceptor.counters(),
        }
