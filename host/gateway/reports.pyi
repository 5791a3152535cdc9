# SPDX-License-Identifier: Apache-2.0
"""What the exchange says: sequenced OUCH 5.0 messages, recorded and decoded to reports."""

from typing import Any

from host.gateway.soupbintcp import SoupBinTCPClient

class OuchReports:
    """Records and decodes the sequenced messages of one session for ``sink``."""

    session_state: int
    venue: int
    next_user_ref_num: int

    def __init__(
        self,
        client: SoupBinTCPClient,
        recorder: Any,
        sink: Any,
        *,
        venue: int = 0,
        query_timeout_ns: int = 1_000_000_000,
    ) -> None: ...
    @property
    def session_state_name(self) -> str:
        """``down``, ``up``, ``replaying`` or ``ended``."""

    def messages(self) -> dict[str, int]:
        """Decoded messages by the names of ``MESSAGE``."""
