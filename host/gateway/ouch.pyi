# SPDX-License-Identifier: Apache-2.0
"""OUCH 5.0 order entry over a SoupBinTCP session: check the seal, encode, record, send."""

from typing import Any

from host.gateway.reports import OuchReports
from host.gateway.soupbintcp import SoupBinTCPClient
from host.interfaces import OrderChannel
from host.risk.seal import SealChecker

class OuchChannel(OrderChannel):
    """Orders of one venue onto the wire, and its answers to ``sink``."""

    client: SoupBinTCPClient
    reports: OuchReports
    venue: int

    def __init__(
        self,
        client: SoupBinTCPClient,
        seal: SealChecker,
        recorder: Any,
        sink: Any,
        *,
        venue: int = 0,
        firm: str = "",
        display: str = "Y",
        capacity: str = "P",
        cross_type: str = "N",
        query_timeout_ns: int = 1_000_000_000,
        journal_reserve_bytes: int = 65536,
    ) -> None: ...
    def drive(self, t_ns: int) -> None:
        """Close a stream that was dropped; make a connection when it is time to."""

    def step(self, t_ns: int) -> None:
        """Everything at once, for callers that are not in a hurry: drive, poll, timer."""

    def request_logout(self, t_ns: int) -> None:
        """Log out; the client's ``state_name`` is ``stopped`` when it is done."""

    def is_ready(self) -> bool:
        """Whether an order can be sent now."""

    def send_passed(self, passed: bytes, user_ref_num: int, symbol: str, t_ns: int) -> int:
        """Send an order the gate sealed, given as the bytes of the struct ``PassedOrder``."""

    def counters(self) -> dict[str, int]:
        """Counters of session and channel by the names of ``GATEWAY``, then messages by type."""
