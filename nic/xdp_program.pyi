# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterable

class XdpProgram:
    interface: str
    driver_mode: str
    stamps: bool
    notes: list[str]
    destinations: tuple[tuple[str, int], ...]
    def __init__(
        self,
        interface: str,
        destinations: Iterable[tuple[str, int]],
        *,
        driver_mode: str = "best",
        stamps: bool = True,
        queues: int = 64,
    ) -> None: ...
    def attach(self) -> None: ...
    def insert(self, queue: int, descriptor: int) -> None: ...
    def remove(self, queue: int) -> None: ...
    def close(self) -> None: ...

def library_version() -> str: ...
