# SPDX-License-Identifier: Apache-2.0
"""The file of a broadcast ring: made whole, checked before it is followed, locked by its writer.

The writer holds a lock (fcntl(2), open file description lock) as long as it lives, so that
everybody sees from the kernel whether it does. A ring appears under its name only when it is
complete, and a new writer never writes into the ring of an earlier one: it puts a new file in its
place.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import secrets
import struct
import time
from dataclasses import dataclass

from host.ipc.broadcast_layout import BROADCAST, MAGIC, PAGE_BYTES
from host.ipc.enumerations import RING_STATE
from nic.wire.reference import Value, decode_as, encode

CONTROL = BROADCAST["control"]
LINE_BYTES = 64
LARGEST_SLOT_BYTES = 4096
LARGEST_BYTES = 1 << 40
FILE_MODE = 0o640
"""The group may follow."""

TRIES = 100
"""How often a writer tries again when another one is quicker."""

_LOCK = struct.Struct("hhqqi0q")
_WHOLE_FILE = (os.SEEK_SET, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Control:
    """What the control page said when the ring was opened."""

    content: int
    slots: int
    slot_bytes: int
    data_offset: int
    instance: int
    writer_process: int
    created_ns: int

    @property
    def size_bytes(self) -> int:
        """Size of page and slots together."""
        return self.data_offset + self.slots * self.slot_bytes


def check_sizes(slots: int, slot_bytes: int) -> None:
    """Raise ``ValueError`` for a ring that can't be."""
    if slots < 2 or slots & (slots - 1):
        raise ValueError(f"the slots of a ring are a power of two, not {slots}")
    if slot_bytes <= 0 or slot_bytes % LINE_BYTES or slot_bytes > LARGEST_SLOT_BYTES:
        raise ValueError(
            f"a slot has a multiple of {LINE_BYTES} bytes, at most {LARGEST_SLOT_BYTES}, "
            f"not {slot_bytes}"
        )
    if slots * slot_bytes > LARGEST_BYTES:
        raise ValueError(f"a ring of {slots} slots of {slot_bytes} bytes is too large")


def read_control(descriptor: int, path: str) -> Control:
    """The control page of an open file; raises ``ValueError`` in one line where it is no ring."""
    head = os.pread(descriptor, CONTROL.length, 0)
    if not head.startswith(MAGIC):
        what = "is empty" if not head else "is no broadcast ring"
        if head.startswith(MAGIC[:6]):
            what = f"is a broadcast ring of another version ({head[6:8].decode('latin-1')})"
        raise ValueError(f"{path} {what}")
    if len(head) < CONTROL.length:
        raise ValueError(f"{path} is a truncated ring: it has {len(head)} bytes")
    values = decode_as(BROADCAST, "control", head)
    numbers = {name: values[name] for name in Control.__slots__}
    control = Control(**{name: int(value) for name, value in numbers.items()})
    try:
        check_sizes(control.slots, control.slot_bytes)
        if control.data_offset % LINE_BYTES or control.data_offset < CONTROL.length:
            raise ValueError(f"its slots begin at byte {control.data_offset}")
    except ValueError as error:
        raise ValueError(f"{path} is a damaged ring: {error}") from None
    size = os.fstat(descriptor).st_size
    if size < control.size_bytes:
        raise ValueError(
            f"{path} is a truncated ring: {size} bytes, should be {control.size_bytes}"
        )
    return control


def is_locked(descriptor: int) -> bool:
    """Whether another open file description holds the writer's lock; takes none itself."""
    asked = _LOCK.pack(fcntl.F_WRLCK, *_WHOLE_FILE)
    answer = _LOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked))
    return bool(answer[0] != fcntl.F_UNLCK)


def lock(descriptor: int) -> bool:
    """Take the writer's lock, which ends with the file description; False where it is held."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _LOCK.pack(fcntl.F_WRLCK, *_WHOLE_FILE))
    except BlockingIOError:
        return False
    return True


def is_still_at(descriptor: int, path: str) -> bool:
    """Whether ``path`` names the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def open_to_follow(path: str) -> tuple[int, Control]:
    """Open a ring read-only; raises ``ValueError`` or ``OSError`` in one line."""
    # a pipe in the place must not hold us
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return descriptor, read_control(descriptor, path)
    except IsADirectoryError:
        os.close(descriptor)
        raise ValueError(f"{path} is a directory") from None
    except BaseException:
        os.close(descriptor)
        raise


def _predecessor(path: str) -> int | None:
    """The ring at ``path``, opened and locked by us; ``None`` where there is nothing.

    Raises ``ValueError`` where something else is there, or a ring whose writer lives.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        control = read_control(descriptor, path)
        if not lock(descriptor):
            raise ValueError(f"{path}: process {control.writer_process} publishes there already")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _granule_bytes(descriptor: int) -> int:
    """What the file system claims and maps at once; those of hugetlbfs have 2 MiB or more."""
    return max(os.fstatvfs(descriptor).f_bsize, PAGE_BYTES)


def set_state(descriptor: int, state: str) -> None:
    """Write the state into a ring's control page."""
    with mmap.mmap(descriptor, _granule_bytes(descriptor)) as page:
        page[CONTROL["state"].offset : CONTROL["state"].end] = RING_STATE.value(state).to_bytes(
            CONTROL["state"].width, BROADCAST.byte_order
        )


def _make_hidden(path: str, slots: int, slot_bytes: int, content: int) -> tuple[int, str]:
    """A complete, locked ring under a name beside ``path``: descriptor and name."""
    hidden = f"{path}.{os.getpid()}-{secrets.token_hex(4)}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(hidden, flags, FILE_MODE)
    try:
        values: dict[str, Value] = {
            "magic": MAGIC,
            "content": content,
            "slots": slots,
            "slot_bytes": slot_bytes,
            "data_offset": PAGE_BYTES,
            "instance": secrets.randbits(64),
            "writer_process": os.getpid(),
            "created_ns": time.time_ns(),
            "state": RING_STATE.value("open"),
        }
        granule = _granule_bytes(descriptor)
        size = -(-(PAGE_BYTES + slots * slot_bytes) // granule) * granule
        os.posix_fallocate(descriptor, 0, size)  # claimed now, so that no write fails later
        with mmap.mmap(descriptor, granule) as page:
            page[: CONTROL.length] = encode(BROADCAST, "control", values)
        if not lock(descriptor):
            raise ValueError(f"{hidden}: can't be locked")
    except BaseException:
        os.unlink(hidden)
        os.close(descriptor)
        raise
    return descriptor, hidden


def make(path: str, slots: int, slot_bytes: int, content: int) -> int:
    """Put a new ring at ``path``, and lock it; its descriptor, open for writing.

    A ring whose writer ended or died is replaced, and its readers see that. Raises ``ValueError``
    where the sizes are wrong, where another writer lives, or where something else is in the place;
    ``OSError`` where the file system has no room or no right.
    """
    check_sizes(slots, slot_bytes)
    for _ in range(TRIES):
        former = _predecessor(path)
        try:
            if former is not None and not is_still_at(former, path):
                continue  # another writer was quicker: look at what it put there
            descriptor, hidden = _make_hidden(path, slots, slot_bytes, content)
            try:
                if former is None:
                    os.link(hidden, path)
                    os.unlink(hidden)
                else:
                    os.rename(hidden, path)
                    set_state(former, "replaced")
            except BaseException as error:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(hidden)
                os.close(descriptor)
                if isinstance(error, FileExistsError):
                    continue
                raise
            return descriptor
        finally:
            if former is not None:
                os.close(former)
    raise ValueError(f"{path}: other publishers come and go there")


def remove(descriptor: int, path: str) -> None:
    """Take the ring's name away, unless another ring bears it now."""
    if is_still_at(descriptor, path):
        os.unlink(path)
