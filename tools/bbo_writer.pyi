# SPDX-License-Identifier: Apache-2.0
from typing import BinaryIO

from host.engine import BookObserver

class BboWriter(BookObserver):
    lines: int
    def __init__(self, file: BinaryIO) -> None: ...
    def close(self) -> None: ...
