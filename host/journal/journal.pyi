# SPDX-License-Identifier: Apache-2.0
"""The producer's side of the journal: records go into shared memory before anything leaves."""

from host.interfaces import Recorder
from host.ipc.ring import Ring

class Journal(Recorder):
    """Writes records to a ring; one thread only."""

    ring: Ring

    def __init__(self, ring: Ring) -> None: ...
    def write(self, kind: str, t_ns: int, payload: bytes = b"", **fields: int | bytes) -> bool:
        """Write a record from Python: the kind's name, its fields and payload."""

    def write_json(self, kind: str, t_ns: int, value: object) -> bool:
        """Write a record whose body is JSON: ``configuration``, ``command`` or ``counters``."""

    def counters(self) -> dict[str, int]:
        """Records written and refused, by the names of ``JOURNAL_COUNTER``."""
