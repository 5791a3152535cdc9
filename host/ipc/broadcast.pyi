# SPDX-License-Identifier: Apache-2.0
"""Broadcast ring over shared memory: one writer, any number of readers."""

import os
from types import TracebackType
from typing import Literal

from host.ipc.event_stream import EventPublisher, EventReader

class BroadcastWriter(EventPublisher):
    """The writer of a new ring."""

    path: str
    instance: int
    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        slots: int = 65_536,
        slot_bytes: int = 64,
        content: int = 0,
    ) -> None: ...
    def mode(self) -> dict[str, object]: ...
    def close(self, *, keep: bool = False) -> None: ...
    def __enter__(self) -> BroadcastWriter: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

class BroadcastReader(EventReader):
    """A reader of a ring."""

    path: str
    instance: int
    content: int
    writer_process: int
    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        start: Literal["newest", "oldest"] | int = "newest",
        content: int | None = None,
    ) -> None: ...
    def newest(self) -> int: ...
    def is_current(self) -> bool: ...
    def mode(self) -> dict[str, object]: ...
    def __enter__(self) -> BroadcastReader: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
