# SPDX-License-Identifier: Apache-2.0
"""Types of :mod:`host.feed.handler`."""

from typing import Any, Literal

from host.feed.settings import FeedSettings
from host.interfaces import MessageSink, RequestSink

class FeedHandler:
    """Makes one gapless sequence of messages out of two lines and a re-request server."""

    settings: FeedSettings
    def __init__(
        self,
        sink: MessageSink,
        requests: RequestSink | None = None,
        *,
        transport: Literal["moldudp64", "iextp"] = "moldudp64",
        session: bytes | str | int = b"",
        start: int | Literal["first"] = "first",
        restart: Literal["strict", "detect"] = "strict",
        settings: FeedSettings | None = None,
        message_protocol_id: int = 0x8004,
        **overrides: int | None,
    ) -> None: ...
    def datagram(self, line: int, payload: bytes, t_ns: int) -> int: ...
    def timer(self, t_ns: int) -> None: ...
    def finish(self, t_ns: int) -> None: ...
    def counters(self) -> dict[str, int]: ...
    def gaps(self) -> dict[str, Any]: ...
    def lead_times(self) -> dict[str, dict[str, int | float]]: ...
    @property
    def next_sequence_number(self) -> int: ...
    @property
    def restarts(self) -> int: ...
    @property
    def session(self) -> bytes: ...
    @property
    def state(self) -> Literal["waiting", "live", "recovering", "stale", "ended"]: ...
