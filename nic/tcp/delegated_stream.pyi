# SPDX-License-Identifier: Apache-2.0
from typing import Self

from nic.port import Port
from nic.tcp_stream import TcpStream

PREPARATIONS: dict[str, int]

class DelegatedStream(TcpStream):
    def __init__(
        self,
        host: str,
        port: int,
        *,
        raw: Port,
        interface: str | None = None,
        vlan: int = 0,
        preparation: str = "cached",
        maximum_age_ns: int = 10_000_000,
        follow_interval_ns: int = 1_000_000,
        source: str | None = None,
        quick_ack: bool = True,
        busy_poll_us: int = 0,
    ) -> None: ...
    @classmethod
    def from_descriptor(  # type: ignore[override]
        cls,
        descriptor: int,
        *,
        raw: Port,
        interface: str | None = None,
        vlan: int = 0,
        preparation: str = "cached",
        maximum_age_ns: int = 10_000_000,
        follow_interval_ns: int = 1_000_000,
        quick_ack: bool = True,
        busy_poll_us: int = 0,
    ) -> Self: ...
    def prepare(self) -> bool: ...
    def verdict(self, length: int = 1) -> str: ...
