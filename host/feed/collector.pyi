# SPDX-License-Identifier: Apache-2.0
"""Types of :mod:`host.feed.collector`."""

from typing import Any

from host.feed.handler import FeedHandler
from host.interfaces import MessageSink, RequestSink

class Collector(MessageSink):
    """Keeps messages and events as Python objects."""

    messages: list[tuple[int, bytes]]
    events: list[tuple[Any, ...]]
    origins: list[tuple[int, int, int]]
    prefetches: int
    def __init__(self) -> None: ...
    def follow(self, handler: FeedHandler) -> None: ...
    def clear(self) -> None: ...

class RequestCollector(RequestSink):
    """Keeps re-request datagrams; refuses them while ``accepting`` is False."""

    requests: list[bytes]
    accepting: bool
    def __init__(self) -> None: ...
    def take(self) -> list[bytes]: ...
