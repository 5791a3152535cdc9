# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from os import PathLike

from nic.port import Port

class PcapWriter(Port):
    path: str
    time_ns: int
    def __init__(self, path: str | PathLike[str], *, name: str = "") -> None: ...
    def write_frame(self, data: bytes | bytearray | memoryview, time_ns: int) -> int: ...

class PcapPort(Port):
    time_ns: int
    def __init__(
        self, path: str | PathLike[str], *, writer: PcapWriter | None = None, name: str = ""
    ) -> None: ...
    @property
    def finished(self) -> bool: ...
    def errors(self) -> dict[str, int]: ...
    def __iter__(self) -> Iterator[tuple[bytes, int]]: ...
