# SPDX-License-Identifier: Apache-2.0
"""After a kill: brings the records that are still in the ring's memory into the journal file."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass

from host.ipc.layout import MAGIC, RING, WRAP
from host.journal.reader import JournalError, JournalReader, scan
from host.journal.record import Record, struct_of

_CONTROL = struct_of(RING["control"])


@dataclass(frozen=True, slots=True)
class Salvage:
    """What was done: bytes cut from a torn end, records appended, number of the last record."""

    cut_bytes: int
    appended_records: int
    last_sequence: int

    def to_dict(self) -> dict[str, int]:
        """As JSON can hold it."""
        return asdict(self)


def ring_records(data: bytes, name: str) -> list[tuple[bytes, Record]]:
    """The records a ring's memory holds, oldest first, each with its bytes.

    Raises :class:`JournalError` where the memory is no ring or a record is damaged.
    """
    if len(data) < _CONTROL.size or not data.startswith(MAGIC):
        raise JournalError(f"{name} is no ring")
    names = [item.name for item in RING["control"]]
    control = dict(zip(names, _CONTROL.unpack_from(data), strict=True))
    capacity, start = control["capacity"], control["data_offset"]
    if len(data) < start + capacity or capacity & (capacity - 1) or not capacity:
        raise JournalError(f"{name} is a damaged ring")
    found = []
    head, tail = control["head"], control["tail"]
    while head < tail:
        at = start + head % capacity
        if int.from_bytes(data[at : at + 4], "little") == WRAP:
            head += capacity - head % capacity
            continue
        end, item = next(scan(data, at, start + capacity, None))
        if isinstance(item, str):
            raise JournalError(f"{name}: {item}")
        found.append((data[at:end], item))
        head += end - at
    return found


def _is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def salvage(
    path: str | os.PathLike[str], ring_path: str | None = None, *, even_if_running: bool = False
) -> Salvage:
    """Cut a torn end off the journal and append what its ring still holds; removes the ring.

    The ring's path is taken from the journal's header when left out. A journal that was closed in
    order is left as it is. Raises :class:`JournalError` when the writing process (or another one
    with its number) is running, when records are missing between file and ring, or when the ring is
    damaged; ``FileNotFoundError`` when its memory is gone.
    """
    with JournalReader(path) as reader:
        for _ in reader:
            pass
        header, end, last = reader.header, reader.end_offset, reader.last_sequence
        if reader.closed_in_order and reader.tear is None:
            return Salvage(0, 0, last)
        size = reader.size
    if _is_running(header.process_id) and not even_if_running:
        raise JournalError(f"{os.fspath(path)}: its process {header.process_id} is still running")
    memory = ring_path or header.ring_path
    if not memory:
        raise JournalError(f"{os.fspath(path)}: its ring was not in a file")
    with open(memory, "rb") as file:
        records = ring_records(file.read(), memory)
    missing = [(raw, record) for raw, record in records if record.sequence > last]
    if missing and missing[0][1].sequence != last + 1:
        raise JournalError(
            f"{memory}: begins with record {missing[0][1].sequence}, the file ends with {last}"
        )
    with open(path, "r+b") as file:
        file.truncate(end)
        file.seek(end)
        for raw, _ in missing:
            file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    os.unlink(memory)
    return Salvage(size - end, len(missing), last + len(missing))
