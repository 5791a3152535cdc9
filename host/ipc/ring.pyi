# SPDX-License-Identifier: Apache-2.0
"""Single-producer single-consumer ring of records over shared memory."""

import os

class Ring:
    """A ring in anonymous memory, or in a new file at ``path`` (usually below ``/dev/shm``)."""

    path: str | None
    capacity_bytes: int
    maximum_bytes: int

    def __init__(self, capacity_bytes: int, path: str | os.PathLike[str] | None = None) -> None: ...
    @classmethod
    def attach(cls, path: str | os.PathLike[str]) -> Ring:
        """The ring another process made at ``path``; raises ``ValueError`` where it is none."""

    def append(self, kind: int, t_ns: int, data: bytes) -> bool:
        """Push a record from Python; False when there is no room."""

    def take(self) -> tuple[int, int, int, bytes] | None:
        """Pop the oldest record: ``(kind, t_ns, sequence, body)``; ``None`` when empty."""

    def used_bytes(self) -> int:
        """Bytes written and not yet consumed."""

    def counters(self) -> dict[str, int]:
        """Records pushed, and refused for want of room (``full``) or for size (``too_long``)."""

    def close(self) -> None:
        """Unmap the memory; a closed ring refuses every push and is empty."""

    def unlink(self) -> None:
        """Remove the file, if there is one."""

def crc32c(data: bytes, crc: int = 0) -> int:
    """CRC-32C of ``data``, continuing ``crc``. Source: RFC 3720, appendix B.4."""
