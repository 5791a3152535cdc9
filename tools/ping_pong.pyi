# SPDX-License-Identifier: Apache-2.0
from typing import Any

from nic.port import Port

class Side:
    def __init__(
        self,
        port: Port,
        source: tuple[str, int],
        destination: tuple[str, int],
        *,
        source_hardware: bytes = ...,
        destination_hardware: bytes = ...,
        payload_bytes: int = 32,
    ) -> None: ...
    def answer(self, idle_seconds: float, ns_per_tick: float) -> int: ...
    def ask(self, ticks: Any, lost_seconds: float, ns_per_tick: float) -> int: ...
    def end(self) -> None: ...

def burst(port: Port, frame: bytes | bytearray | memoryview, count: int) -> int: ...
