# SPDX-License-Identifier: Apache-2.0
from os import PathLike

class ByteSource:
    path: str
    is_gzip: bool
    ended: bool
    gzip_truncated: bool
    gzip_damaged: bool
    read_failed: bool
    def __init__(self, path: str | PathLike[str]) -> None: ...
    def head(self, count: int) -> bytes: ...
    def close(self) -> None: ...
