# SPDX-License-Identifier: Apache-2.0
"""The thread that brings the ring to the file."""

import os

from host.ipc.ring import Ring

class JournalWriter:
    """Drains ``ring`` to a new file at ``path``."""

    path: str

    def __init__(
        self,
        ring: Ring,
        path: str | os.PathLike[str],
        *,
        description: str = "",
        created_ns: int | None = None,
        sync_interval_ns: int = 100_000_000,
        idle_ns: int = 1_000_000,
    ) -> None: ...
    def start(self) -> None:
        """Start the thread; raises ``RuntimeError`` when it was started before."""

    def stop(self) -> None:
        """Write what is left, force it to the disk, end the thread and close the file."""

    def counters(self) -> dict[str, int]:
        """What was written, by the names of ``JOURNAL_WRITER``."""

    @property
    def last_error(self) -> str:
        """Why the last call failed; empty when it succeeded."""
