# SPDX-License-Identifier: Apache-2.0
"""SoupBinTCP 3.00 client session: a state machine over a byte stream, without a clock."""

from collections.abc import Callable

from nic.stream import Stream

class SoupBinTCPClient:
    """One session: login and resume, heartbeats, timeouts, reconnection, logout."""

    state: int
    down_reason: int
    next_sequence_number: int

    def __init__(
        self,
        connect: Callable[[], Stream],
        username: str,
        password: str,
        *,
        session: str = "",
        next_sequence_number: int = 1,
        heartbeat_interval_ns: int = 1_000_000_000,
        server_timeout_ns: int = 15_000_000_000,
        connect_timeout_ns: int = 5_000_000_000,
        login_timeout_ns: int = 10_000_000_000,
        logout_timeout_ns: int = 2_000_000_000,
        first_backoff_ns: int = 100_000_000,
        maximum_backoff_ns: int = 10_000_000_000,
        outbound_bytes: int = 65536,
        maximum_packet_bytes: int = 4096,
    ) -> None: ...
    def drive(self, t_ns: int) -> None:
        """Close a stream that was dropped; make a connection when it is time to."""

    def step(self, t_ns: int) -> None:
        """Everything at once, for callers that are not in a hurry: drive, poll, timer."""

    def request_logout(self, t_ns: int) -> None:
        """Log out; :attr:`state_name` is ``stopped`` when it is done."""

    def restart(self, t_ns: int) -> None:
        """Connect again after ``refused``, ``ended`` or ``stopped``."""

    @property
    def state_name(self) -> str:
        """Name of the state, of the table ``CLIENT``."""

    @property
    def down_reason_name(self) -> str:
        """Why it went down the last time, of the table ``DOWN``."""

    @property
    def session_name(self) -> str:
        """The session's name without padding; empty before the first login."""

    @property
    def connect_due_ns(self) -> int:
        """When the next connection is to be made, if the state is ``idle``."""

    def counters(self) -> dict[str, int]:
        """Counters by the names of ``GATEWAY``."""
