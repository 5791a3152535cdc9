# SPDX-License-Identifier: Apache-2.0
"""The SoupBinTCP server: connections, logins, resume."""

from collections.abc import Hashable

from sim.exchange.order_entry import OrderDesk
from sim.exchange.sequenced import SequencedStore

class OrderEntrySession:
    """One order-entry port of the day: who may log in, and what was said to it so far."""

    name: str
    username: str
    store: SequencedStore
    index: int
    connected: bool

class Acceptor:
    """Order-entry sessions of one desk, and the connections to them."""

    ended: bool

    def __init__(
        self,
        desk: OrderDesk,
        cancel_on_disconnect: bool = False,
        heartbeat_ns: int = 1_000_000_000,
        silence_ns: int = 15_000_000_000,
        login_timeout_ns: int = 30_000_000_000,
    ) -> None:
        """Silences of server and client, and the time a connection has to log in."""

    def add_session(self, name: str, username: str, password: str, firm: str) -> OrderEntrySession:
        """A session that clients may log in to; raises ``ValueError``."""

    def connect(self, identity: Hashable, t_ns: int) -> None:
        """A client connected; ``identity`` names the connection from now on."""

    def receive(self, identity: Hashable, data: bytes, t_ns: int) -> None:
        """Bytes of a connection, cut anywhere."""

    def disconnect(self, identity: Hashable, t_ns: int) -> None:
        """The client closed a connection, or it broke."""

    def timer(self, t_ns: int) -> None:
        """Heartbeats, and connections that are silent or do not log in."""

    def end_of_session(self, t_ns: int) -> None:
        """The day is over: tell everyone, close everything."""

    def take_output(self, t_ns: int) -> list[tuple[Hashable, bytes, bool]]:
        """What to write and close since the last call: (identity, bytes, close)."""

    def counters(self) -> dict[str, int]:
        """The counters, by name."""
