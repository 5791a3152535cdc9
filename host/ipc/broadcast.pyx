# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Broadcast ring over shared memory: one writer, any number of readers, no locks.

Event ``n`` lies in slot ``n`` modulo the number of slots, its number in the slot's last word. The
writer marks the slot as being written, writes the words, then the number; it never looks at a
reader and overwrites the oldest event. A reader polls the number of the slot that comes next,
copies the words and looks at the number again: what it gives was whole, or is not given. A reader
that was lapped is told how many events it lost and goes on in the middle of what is there. Readers
map the memory read-only and can come, go and die at any time. Layout:
``host/ipc/broadcast_layout.py``; the file's duties: ``host/ipc/broadcast_file.py``.
"""

import os

from posix.mman cimport (
    MAP_FAILED, MAP_POPULATE, MAP_SHARED, PROT_READ, PROT_WRITE, mmap, munmap)

from host.ipc.atomic cimport (
    copy_from_shared, copy_to_shared, fence_acquire, fence_release, load_acquire, load_relaxed,
    store_release)
from host.ipc.broadcast_codec cimport (
    BROADCAST_BUSY, BROADCAST_CONTROL_HEARTBEAT_NS_OFFSET, BROADCAST_CONTROL_PUBLISHED_OFFSET,
    BROADCAST_CONTROL_STATE_OFFSET)
from host.ipc.event_stream cimport TAKE_ENDED, TAKE_OVERRUN
from host.ipc.ids cimport RING_STATE_CLOSED, RING_STATE_OPEN
from nic.prefetch cimport prefetch_object

from host.ipc import broadcast_file
from host.ipc.enumerations import RING_STATE

cdef enum:
    SLOTS_AHEAD = 8       # how far in front of the writer lines are fetched

cdef extern from "sys/mman.h":
    int MADV_HUGEPAGE
    int madvise(void *base, size_t size, int advice) noexcept nogil


cdef int map_ring(Mapping *ring, int descriptor, control, bint is_writer) except -1:
    """Map an open ring; raises MemoryError."""
    cdef int rights = PROT_READ | PROT_WRITE if is_writer else PROT_READ
    cdef size_t size = os.fstat(descriptor).st_size
    cdef void *base = mmap(NULL, size, rights, MAP_SHARED | MAP_POPULATE, descriptor, 0)
    if base == MAP_FAILED:
        raise MemoryError(f"no memory for a ring of {size} bytes")
    madvise(base, size, MADV_HUGEPAGE)  # where shared memory may have them; mode() says the truth
    ring.base = <uint8_t *> base
    ring.slots = ring.base + <size_t> control.data_offset
    ring.size_bytes = size
    ring.mask = control.slots - 1
    ring.slot_bytes = control.slot_bytes
    ring.words = ring.slot_bytes // 8 - 1
    ring.published = <uint64_t *> (ring.base + BROADCAST_CONTROL_PUBLISHED_OFFSET)
    ring.heartbeat = <uint64_t *> (ring.base + BROADCAST_CONTROL_HEARTBEAT_NS_OFFSET)
    ring.state = <uint64_t *> (ring.base + BROADCAST_CONTROL_STATE_OFFSET)
    return 0


cdef inline uint8_t *slot_of(const Mapping *ring, uint64_t number) noexcept nogil:
    return ring.slots + (number & ring.mask) * ring.slot_bytes


cdef inline uint64_t *number_of(const Mapping *ring, uint8_t *slot) noexcept nogil:
    return <uint64_t *> slot + ring.words


cdef huge_page_bytes(const Mapping *ring):
    """Bytes of the mapping that lie in huge pages now, from /proc/self/smaps."""
    first = f"{<size_t> ring.base:x}-"
    with open("/proc/self/smaps") as file:
        inside = False
        kilobytes = 0
        for line in file:
            name, _, rest = line.partition(" ")
            if not name.endswith(":"):
                inside = line.startswith(first)
            elif inside and name in ("ShmemPmdMapped:", "FilePmdMapped:", "Shared_Hugetlb:"):
                kilobytes += int(rest.split()[0])
    return kilobytes * 1024


cdef class BroadcastWriter(EventPublisher):
    """The writer of a new ring at ``path`` (usually below ``/dev/shm``).

    ``slots``: a power of two; ``slot_bytes``: a multiple of 64, of which the event has eight less;
    ``content``: the number of the table that the events follow. A ring whose writer ended or died
    is replaced. Raises ``ValueError`` or ``OSError`` in one line where that can't be, or where
    another writer lives.
    """

    def __cinit__(self):
        self.descriptor = -1

    def __init__(self, path: str | os.PathLike, *, uint64_t slots=65_536, uint32_t slot_bytes=64,
                 uint64_t content=0):
        self.path = os.path.abspath(os.fspath(path))
        self.descriptor = broadcast_file.make(self.path, slots, slot_bytes, content)
        control = broadcast_file.read_control(self.descriptor, self.path)
        self.instance = control.instance
        self.slot_bytes = slot_bytes
        map_ring(&self.ring, self.descriptor, control, True)

    def __dealloc__(self):
        if self.ring.base != NULL:
            munmap(self.ring.base, self.ring.size_bytes)
        if self.descriptor >= 0:
            os.close(self.descriptor)

    cdef bint publish(self, const uint8_t *event) noexcept nogil:
        """Publish one event; False only when closed."""
        cdef uint64_t number = self.published + 1
        cdef uint8_t *slot
        cdef uint64_t *mark
        if self.ring.base == NULL:
            return False
        slot = slot_of(&self.ring, number)
        mark = number_of(&self.ring, slot)
        prefetch_object(slot_of(&self.ring, number + SLOTS_AHEAD), self.slot_bytes)
        store_release(mark, number | <uint64_t> BROADCAST_BUSY)
        fence_release()
        copy_to_shared(slot, event, self.ring.words)
        store_release(mark, number)
        self.published = number
        store_release(self.ring.published, number)
        return True

    cdef void heartbeat(self, uint64_t t_ns) noexcept nogil:
        """Write the time where readers see it."""
        if self.ring.base != NULL:
            store_release(self.ring.heartbeat, t_ns)

    def mode(self) -> dict[str, object]:
        """What the ring truly is: path, slots, sizes in bytes, how much lies in huge pages."""
        if self.ring.base == NULL:
            return {"path": self.path, "slots": 0, "slot_bytes": self.slot_bytes, "bytes": 0,
                    "huge_page_bytes": 0}
        return {"path": self.path, "slots": self.ring.mask + 1, "slot_bytes": self.slot_bytes,
                "bytes": self.ring.size_bytes, "huge_page_bytes": huge_page_bytes(&self.ring)}

    def close(self, *, keep=False) -> None:
        """Tell the readers that nothing more will come, and remove the file (not with ``keep``).

        Readers still take what is there.
        """
        if self.ring.base == NULL:
            return
        if load_acquire(self.ring.state) == RING_STATE_OPEN:
            store_release(self.ring.state, RING_STATE_CLOSED)
        if not keep:
            broadcast_file.remove(self.descriptor, self.path)
        munmap(self.ring.base, self.ring.size_bytes)
        self.ring.base = NULL
        os.close(self.descriptor)
        self.descriptor = -1

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


cdef class BroadcastReader(EventReader):
    """A reader of the ring at ``path``.

    ``start``: ``"newest"`` begins with the next event that is published, ``"oldest"`` with the
    oldest that is still there, a number with the event of that number (what of it is gone counts
    as lost). ``content``: refuse a ring of anything else. Raises ``ValueError`` or ``OSError`` in
    one line where there is no ring, a damaged one, or one of another content.
    """

    def __cinit__(self):
        self.descriptor = -1

    def __init__(self, path: str | os.PathLike, *, start="newest", content=None):
        cdef uint64_t newest
        self.path = os.path.abspath(os.fspath(path))
        if start not in ("newest", "oldest") and (not isinstance(start, int) or start < 1):
            raise ValueError("a reader starts at newest, oldest or a number of at least 1")
        self.descriptor, control = broadcast_file.open_to_follow(self.path)
        if content is not None and control.content != content:
            raise ValueError(f"{self.path} holds other events than this version reads: content "
                             f"{control.content}, should be {content}")
        self.instance = control.instance
        self.content = control.content
        self.writer_process = control.writer_process
        self.slot_bytes = control.slot_bytes
        map_ring(&self.ring, self.descriptor, control, False)
        newest = load_acquire(self.ring.published)
        if start == "newest":
            self.next_sequence = newest + 1
        elif start == "oldest":
            # not the very oldest: the writer may be about to overwrite it
            self.next_sequence = newest + 1 - self.ring.mask if newest > self.ring.mask else 1
        elif start > newest + 1:
            raise ValueError(f"{self.path} has no event {start} yet, the newest is {newest}")
        else:
            self.next_sequence = start

    def __dealloc__(self):
        if self.ring.base != NULL:
            munmap(self.ring.base, self.ring.size_bytes)
        if self.descriptor >= 0:
            os.close(self.descriptor)

    cdef int take(self, uint8_t *out, uint32_t maximum) noexcept nogil:
        """Copy what is there; see :class:`EventReader`."""
        cdef uint64_t number = self.next_sequence
        cdef uint64_t seen, state
        cdef uint32_t count = 0
        cdef uint32_t size = self.slot_bytes
        cdef uint8_t *slot
        cdef uint64_t *mark
        if self.ring.base == NULL:
            return TAKE_ENDED
        while count < maximum:
            slot = slot_of(&self.ring, number)
            mark = number_of(&self.ring, slot)
            seen = load_acquire(mark)
            if seen != number:
                break
            copy_from_shared(out, slot, self.ring.words)
            fence_acquire()
            if load_relaxed(mark) != number:
                break
            (<uint64_t *> out)[self.ring.words] = number
            out += size
            number += 1
            count += 1
        if count:
            self.taken += count
            self.next_sequence = number
            return <int> count
        if maximum == 0:
            return 0
        state = load_acquire(self.ring.state)
        seen = load_acquire(mark) & ~<uint64_t> BROADCAST_BUSY
        if seen > number:
            return TAKE_OVERRUN if self.overrun() else 0
        if state != RING_STATE_OPEN and load_acquire(self.ring.published) < number:
            return TAKE_ENDED
        return 0

    cdef bint overrun(self) noexcept nogil:
        """The writer lapped us: go on in the middle of what is there."""
        cdef uint64_t newest = load_acquire(self.ring.published)
        cdef uint64_t middle = newest - (self.ring.mask + 1) // 2 + 1
        self.skip_to(middle)
        return True

    cdef uint64_t heard_ns(self) noexcept nogil:
        """The writer's last heartbeat."""
        return 0 if self.ring.base == NULL else load_acquire(self.ring.heartbeat)

    def newest(self) -> int:
        """Number of the last event published."""
        return 0 if self.ring.base == NULL else load_acquire(self.ring.published)

    def state(self) -> str:
        """How the writer stands: ``open``, ``closed``, ``replaced``, or ``died``.

        Asks the kernel whether the writer's lock is held; a child that a writer forked holds it
        as well.
        """
        cdef uint64_t state
        if self.ring.base == NULL:
            return "closed"
        locked = broadcast_file.is_locked(self.descriptor)
        state = load_acquire(self.ring.state)
        if state == RING_STATE_OPEN and not locked:
            return "died"
        return RING_STATE.name_of(state)

    def is_current(self) -> bool:
        """Whether the path still names this ring; False where it was removed or replaced."""
        return self.descriptor >= 0 and broadcast_file.is_still_at(self.descriptor, self.path)

    def mode(self) -> dict[str, object]:
        """What the ring truly is: path, slots, sizes in bytes, how much lies in huge pages."""
        if self.ring.base == NULL:
            return {"path": self.path, "slots": 0, "slot_bytes": self.slot_bytes, "bytes": 0,
                    "huge_page_bytes": 0}
        return {"path": self.path, "slots": self.ring.mask + 1, "slot_bytes": self.slot_bytes,
                "bytes": self.ring.size_bytes, "huge_page_bytes": huge_page_bytes(&self.ring)}

    def close(self) -> None:
        """Unmap the memory; once."""
        if self.ring.base == NULL:
            return
        munmap(self.ring.base, self.ring.size_bytes)
        self.ring.base = NULL
        os.close(self.descriptor)
        self.descriptor = -1

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
