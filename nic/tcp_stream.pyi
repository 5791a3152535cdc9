# SPDX-License-Identifier: Apache-2.0
from typing import Any, Self

from nic.stream import Stream

class TcpStream(Stream):
    def __init__(
        self,
        host: str,
        port: int,
        *,
        source: str | None = None,
        interface: str | None = None,
        quick_ack: bool = True,
        busy_poll_us: int = 0,
    ) -> None: ...
    @classmethod
    def from_descriptor(
        cls, descriptor: int, *, quick_ack: bool = True, busy_poll_us: int = 0
    ) -> Self: ...
    def fileno(self) -> int: ...
    def reason(self) -> str: ...
    def mode(self) -> dict[str, Any]: ...
    def counters(self) -> dict[str, int]: ...
