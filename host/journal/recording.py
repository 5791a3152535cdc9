# SPDX-License-Identifier: Apache-2.0
"""A journal from beginning to end: ring, producer, writer thread, and closing them in order."""

from __future__ import annotations

import os
import tempfile
from types import TracebackType

from host.ipc.ring import Ring, crc32c
from host.journal.journal import Journal
from host.journal.writer import JournalWriter

SHARED_MEMORY = "/dev/shm"


def ring_path(name: str) -> str:
    """A path of this process for a ring: in shared memory, else where temporary files go."""
    folder = SHARED_MEMORY if os.path.isdir(SHARED_MEMORY) else tempfile.gettempdir()
    return os.path.join(folder, f"tickwire-{os.getpid()}-{name}.ring")


class Recording:
    """A journal file that is being written; use as a context manager or call :meth:`close`.

    ``capacity_bytes`` is the size of the ring: it must hold what is recorded while the disk is
    slow. ``ring`` is the path of its memory, chosen in ``/dev/shm`` when left out.
    Raises ``FileExistsError`` where there is a file at ``path``.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        capacity_bytes: int = 1 << 24,
        description: str = "",
        ring: str | None = None,
        created_ns: int | None = None,
        sync_interval_ns: int = 100_000_000,
    ) -> None:
        self.path = os.fspath(path)
        if os.path.exists(self.path):
            raise FileExistsError(f"{self.path}: a journal is never overwritten")
        name = f"{crc32c(os.fsencode(os.path.abspath(self.path))):08x}"
        self.ring = Ring(capacity_bytes, ring or ring_path(name))
        try:
            self.writer = JournalWriter(
                self.ring,
                self.path,
                description=description,
                created_ns=created_ns,
                sync_interval_ns=sync_interval_ns,
            )
        except BaseException:
            self.ring.unlink()
            raise
        self.journal = Journal(self.ring)
        self.writer.start()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self, t_ns: int = 0) -> None:
        """Write the closing record, bring everything to the disk, remove the ring; once.

        Raises ``OSError`` when the disk did not take everything; the ring is then kept for salvage.
        """
        if self.ring.capacity_bytes == 0:
            return
        counters = self.journal.counters()
        refused = counters["refused_full"] + counters["refused_too_long"]
        self.journal.write("closed", t_ns, refused=refused)
        self.writer.stop()
        self.ring.close()
        self.ring.unlink()

    def counters(self) -> dict[str, int]:
        """Counters of the producer and of the writer, the writer's under ``writer_...``."""
        found = self.journal.counters()
        found.update({f"writer_{k}": v for k, v in self.writer.counters().items()})
        return found
