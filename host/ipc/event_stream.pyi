# SPDX-License-Identifier: Apache-2.0
"""The two ends of a stream of events, whatever carries it."""

READ_LIMIT: int

class EventPublisher:
    """The writing end."""

    slot_bytes: int
    published: int
    def publish_event(self, event: bytes) -> bool: ...
    def beat(self, t_ns: int) -> None: ...
    def close(self) -> None: ...

class EventReader:
    """The reading end."""

    slot_bytes: int
    next_sequence: int
    taken: int
    lost: int
    overruns: int
    last_lost: int
    def read(self, maximum: int = 1) -> tuple[int, list[bytes]]: ...
    def heard(self) -> int: ...
    def state(self) -> str: ...
    def close(self) -> None: ...
