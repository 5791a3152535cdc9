# SPDX-License-Identifier: Apache-2.0
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from host.ipc.event_stream import EventPublisher, EventReader
from nic.verbs.connection import Connection, Server, Shape
from nic.verbs.device import VerbsDevice

CLOSE_SECONDS: float

class RdmaPublisher(EventPublisher):
    instance: int
    joined: int
    parted: int
    server: Server
    consumers: list[Connection]
    departures: list[tuple[str, str]]
    watcher: Any
    def __init__(
        self,
        device: str | VerbsDevice,
        address: tuple[str, int],
        secret: bytes,
        *,
        slots: int = 65_536,
        slot_bytes: int = 64,
        content: int = 0,
        batch: int = 16,
        maximum: int = 16,
        requests: Shape | None = None,
        reports: Shape | None = None,
        beside: int = 0,
        depth: int = 256,
        signal_every: int = 32,
    ) -> None: ...
    def service(self) -> None: ...
    def publish_events(self, events: bytes) -> int: ...
    def push(self) -> None: ...
    def counters(self) -> dict[str, int]: ...
    def mode(self) -> Mapping[str, object]: ...
    def __enter__(self) -> RdmaPublisher: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

class RdmaReader(EventReader):
    connection: Connection | None
    instance: int
    connections: int
    def __init__(
        self,
        device: str | VerbsDevice,
        address: tuple[str, int],
        secret: bytes,
        *,
        content: int = 0,
        name: str = "",
        timeout_s: float = 5.0,
        beside: int | None = 0,
    ) -> None: ...
    def reconnect(self) -> bool: ...
    def newest(self) -> int: ...
    def is_begun(self) -> bool: ...
    def failure(self) -> str: ...
    def mode(self) -> Mapping[str, object]: ...
    def __enter__(self) -> RdmaReader: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
