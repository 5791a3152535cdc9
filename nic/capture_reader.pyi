# SPDX-License-Identifier: Apache-2.0
from os import PathLike

from nic.byte_source import ByteSource

LINK_TYPES: dict[int, str]
PCAP_MAGICS: dict[bytes, tuple[bool, int]]
PCAPNG_MAGIC: bytes

class CaptureReader:
    source: ByteSource
    kind: str
    finished: bool
    def __init__(self, path: str | PathLike[str]) -> None: ...
    def errors_by_name(self) -> dict[str, int]: ...
    def link_types(self) -> list[str]: ...
    def close(self) -> None: ...
