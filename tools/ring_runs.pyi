# SPDX-License-Identifier: Apache-2.0
"""The loops of the ring's benchmark and of its soak."""

import numpy as np
from numpy.typing import NDArray

from host.ipc.event_stream import EventPublisher, EventReader
from host.ipc.ring import Ring

PROGRESS_WORDS: int

_Words = NDArray[np.uint64]

def write_items(
    publisher: EventPublisher,
    progress: _Words,
    readers: int,
    base: int,
    last: int,
    window: int,
    deadline_tsc: int,
) -> int: ...
def read_items(
    reader: EventReader, progress: _Words, place: int, base: int, last: int, deadline_tsc: int
) -> int: ...
def push_items(ring: Ring, body_bytes: int, last: int, deadline_tsc: int) -> int: ...
def pop_items(ring: Ring, last: int, deadline_tsc: int) -> tuple[int, int]: ...
def write_pipe(descriptor: int, body_bytes: int, last: int, deadline_tsc: int) -> int: ...
def read_pipe(
    descriptor: int, body_bytes: int, last: int, deadline_tsc: int
) -> tuple[int, int]: ...

class Hop:
    def ask(self, ticks: _Words, lost_ticks: int) -> int: ...
    def answer(self, idle_ticks: int) -> None: ...
    def end(self) -> None: ...

class RingHop(Hop):
    def __init__(self, publisher: EventPublisher, reader: EventReader) -> None: ...

class RecordHop(Hop):
    def __init__(self, outward: Ring, inward: Ring, body_bytes: int) -> None: ...

class PipeHop(Hop):
    def __init__(self, outward: int, inward: int, body_bytes: int) -> None: ...
