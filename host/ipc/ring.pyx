# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Single-producer single-consumer ring of records over shared memory.

One thread or process pushes, one other pops; neither waits for the other and nothing is ever
overwritten: a full ring refuses and counts. Records lie whole and contiguous, their heads on
multiples of eight bytes; one that would cross the end is put at the beginning, behind a wrap mark.
What was pushed stays readable after the producer died, because the tail moves last. Layout:
``host/ipc/layout.py``.
"""

import os

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from posix.mman cimport (MAP_ANONYMOUS, MAP_FAILED, MAP_POPULATE, MAP_SHARED, PROT_READ,
                         PROT_WRITE, mmap, munmap)

from host.ipc.atomic cimport load_acquire, store_release
from host.ipc.crc32c cimport crc32c_extend
from host.ipc.ring_codec cimport (
    RING_CONTROL_FULL_OFFSET, RING_CONTROL_HEAD_OFFSET, RING_CONTROL_LENGTH,
    RING_CONTROL_SEQUENCE_OFFSET, RING_CONTROL_TAIL_OFFSET, RING_CONTROL_TOO_LONG_OFFSET,
    RING_RECORD_CRC32C_OFFSET, RING_RECORD_LENGTH, RING_WRAP, RingRecord, ring_control_capacity,
    ring_control_put_capacity, ring_control_put_data_offset,
    ring_control_put_magic, ring_record_crc32c, ring_record_encode,
    ring_record_kind, ring_record_length, ring_record_put_crc32c, ring_record_put_length,
    ring_record_sequence, ring_record_t_ns)
from nic.wire.byteorder cimport load_le64

from host.ipc.layout import MAGIC

cdef enum:
    PAGE_BYTES = 4096


cdef class Ring:
    """A ring in anonymous memory, or in a new file at ``path`` (usually below ``/dev/shm``).

    ``capacity_bytes`` is rounded up to a power of two, at least a page. A record's body may take
    up to half of it. Raises ``FileExistsError`` where there is a file at ``path``, ``OSError``
    where the file system has no room (the memory is claimed now, so that a write can't fail
    later).
    """

    def __init__(self, capacity_bytes: int, path: str | os.PathLike | None = None) -> None:
        cdef uint64_t capacity = PAGE_BYTES
        if not 0 < capacity_bytes <= 1 << 40:
            raise ValueError(f"a ring of {capacity_bytes} bytes can't be made")
        while capacity < <uint64_t> capacity_bytes:
            capacity <<= 1
        if path is None:
            self._map(-1, capacity)
        else:
            self.path = os.fspath(path)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, PAGE_BYTES + capacity)
                self._map(descriptor, capacity)
            except BaseException:
                os.unlink(self.path)
                raise
            finally:
                os.close(descriptor)
        ring_control_put_capacity(self.base, capacity)
        ring_control_put_data_offset(self.base, PAGE_BYTES)
        ring_control_put_magic(self.base, load_le64(<const uint8_t *> <const char *> MAGIC))

    def __dealloc__(self):
        if self.base != NULL:
            munmap(self.base, self.mapped_bytes)

    @classmethod
    def attach(cls, path: str | os.PathLike) -> Ring:
        """The ring another process made at ``path``; raises ``ValueError`` where it is none."""
        cdef Ring ring = cls.__new__(cls)
        cdef uint64_t capacity
        descriptor = os.open(path, os.O_RDWR)
        try:
            head = os.pread(descriptor, RING_CONTROL_LENGTH, 0)
            if len(head) < RING_CONTROL_LENGTH or not head.startswith(MAGIC):
                raise ValueError(f"{path} is no ring")
            capacity = ring_control_capacity(<const uint8_t *> <const char *> head)
            size = os.fstat(descriptor).st_size
            if capacity < PAGE_BYTES or capacity & (capacity - 1) or size < PAGE_BYTES + capacity:
                raise ValueError(f"{path} is a damaged ring: {size} bytes, capacity {capacity}")
            ring.path = os.fspath(path)
            ring._map(descriptor, capacity)
        finally:
            os.close(descriptor)
        return ring

    cdef int _map(self, int descriptor, uint64_t capacity) except -1:
        """Map control page and data; the words of a new mapping are zero."""
        cdef int flags = MAP_SHARED | MAP_POPULATE | (MAP_ANONYMOUS if descriptor < 0 else 0)
        cdef void *base = mmap(NULL, PAGE_BYTES + capacity, PROT_READ | PROT_WRITE, flags,
                               descriptor, 0)
        if base == MAP_FAILED:
            raise MemoryError(f"no memory for a ring of {capacity} bytes")
        self.base = <uint8_t *> base
        self.data = self.base + PAGE_BYTES
        self.mapped_bytes = PAGE_BYTES + capacity
        self.capacity_bytes = capacity
        self.maximum_bytes = <uint32_t> min(capacity // 2 - RING_RECORD_LENGTH, <uint64_t> 1 << 31)
        self.tail = <uint64_t *> (self.base + RING_CONTROL_TAIL_OFFSET)
        self.head = <uint64_t *> (self.base + RING_CONTROL_HEAD_OFFSET)
        self.last_sequence = <uint64_t *> (self.base + RING_CONTROL_SEQUENCE_OFFSET)
        self.full = <uint64_t *> (self.base + RING_CONTROL_FULL_OFFSET)
        self.too_long = <uint64_t *> (self.base + RING_CONTROL_TOO_LONG_OFFSET)
        self.head_seen = load_acquire(self.head)
        self.tail_seen = self.head_seen
        return 0

    cdef bint push(self, uint16_t kind, uint64_t t_ns, const void *data,
                   uint32_t length) noexcept nogil:
        """Append a record; False, and counted, when there is no room or it can never fit."""
        cdef uint64_t tail, offset, contiguous, need, total
        cdef uint8_t *p
        cdef RingRecord record
        cdef uint32_t crc
        if self.base == NULL:
            return False
        if length > self.maximum_bytes:
            self.too_long[0] += 1
            return False
        need = record_bytes(length)
        tail = self.tail[0]
        offset = tail & (self.capacity_bytes - 1)
        contiguous = self.capacity_bytes - offset
        total = need if need <= contiguous else contiguous + need
        if tail + total - self.head_seen > self.capacity_bytes:
            self.head_seen = load_acquire(self.head)
            if tail + total - self.head_seen > self.capacity_bytes:
                self.full[0] += 1
                return False
        p = self.data + offset
        if need > contiguous:
            ring_record_put_length(p, RING_WRAP)
            p = self.data
        record.length = length
        record.kind = kind
        record.flags = 0
        record.t_ns = t_ns
        record.sequence = self.last_sequence[0] + 1
        record.reserved = 0
        record.crc32c = 0
        ring_record_encode(&record, p)
        if length > 0:
            memcpy(p + RING_RECORD_LENGTH, data, length)
        memset(p + RING_RECORD_LENGTH + length, 0, need - RING_RECORD_LENGTH - length)
        crc = crc32c_extend(0, p, RING_RECORD_CRC32C_OFFSET)
        crc = crc32c_extend(crc, p + RING_RECORD_LENGTH, length)
        ring_record_put_crc32c(p, crc)
        self.last_sequence[0] = record.sequence
        store_release(self.tail, tail + total)
        return True

    cdef bint has_room(self, uint64_t length) noexcept nogil:
        """Producer: whether records that take ``length`` bytes with their heads fit now.

        Counted twice, because a record that does not fit before the end leaves that room empty.
        """
        if self.base == NULL:
            return False
        if self.tail[0] + 2 * length - self.head_seen > self.capacity_bytes:
            self.head_seen = load_acquire(self.head)
        return self.tail[0] + 2 * length - self.head_seen <= self.capacity_bytes

    cdef const uint8_t *front(self) noexcept nogil:
        """Consumer: the head of the oldest record, valid until :meth:`pop`; NULL when empty."""
        cdef uint64_t head, offset
        cdef const uint8_t *p
        if self.base == NULL:
            return NULL
        head = self.head[0]
        if head == self.tail_seen:
            self.tail_seen = load_acquire(self.tail)
            if head == self.tail_seen:
                return NULL
        offset = head & (self.capacity_bytes - 1)
        p = self.data + offset
        if ring_record_length(p) == RING_WRAP:
            store_release(self.head, head + self.capacity_bytes - offset)
            p = self.data
        return p

    cdef void pop(self) noexcept nogil:
        """Consumer: give back the record that :meth:`front` returned."""
        cdef uint64_t head = self.head[0]
        cdef const uint8_t *p = self.data + (head & (self.capacity_bytes - 1))
        store_release(self.head, head + record_bytes(ring_record_length(p)))

    cdef uint64_t readable(self, const uint8_t **begin) noexcept nogil:
        """Consumer: size of the whole records that lie in one piece at ``begin``, 0 when empty."""
        cdef const uint8_t *first = self.front()
        cdef uint64_t size = 0, left
        if first == NULL:
            return 0
        begin[0] = first
        left = self.tail_seen - self.head[0]
        while size < left:
            if ring_record_length(first + size) == RING_WRAP:
                break
            size += record_bytes(ring_record_length(first + size))
            if first + size == self.data + self.capacity_bytes:
                break
        return size

    cdef void consume(self, uint64_t length) noexcept nogil:
        """Consumer: give back ``length`` bytes of what :meth:`readable` returned."""
        store_release(self.head, self.head[0] + length)

    def append(self, uint16_t kind, uint64_t t_ns, data: bytes) -> bool:
        """Push a record from Python; False when there is no room."""
        return self.push(kind, t_ns, <const char *> data, <uint32_t> len(data))

    def take(self) -> tuple[int, int, int, bytes] | None:
        """Pop the oldest record: ``(kind, t_ns, sequence, body)``; ``None`` when empty.

        Raises ``ValueError`` where its CRC does not fit.
        """
        cdef const uint8_t *p = self.front()
        cdef uint32_t length, crc
        if p == NULL:
            return None
        length = ring_record_length(p)
        if record_bytes(length) > <uint64_t> (self.data + self.capacity_bytes - p):
            raise ValueError(f"a record of {length} bytes reaches over the end of the ring")
        body = (<const char *> p)[RING_RECORD_LENGTH:RING_RECORD_LENGTH + length]
        crc = crc32c_extend(0, p, RING_RECORD_CRC32C_OFFSET)
        crc = crc32c_extend(crc, p + RING_RECORD_LENGTH, length)
        found = ring_record_crc32c(p)
        record = ring_record_kind(p), ring_record_t_ns(p), ring_record_sequence(p), body
        self.pop()
        if found != crc:
            raise ValueError(f"record {record[2]} is damaged: crc {crc:#x}, should be {found:#x}")
        return record

    def used_bytes(self) -> int:
        """Bytes written and not yet consumed."""
        return 0 if self.base == NULL else load_acquire(self.tail) - load_acquire(self.head)

    def counters(self) -> dict[str, int]:
        """Records pushed, and refused for want of room (``full``) or for size (``too_long``)."""
        if self.base == NULL:
            return {"records": 0, "full": 0, "too_long": 0}
        return {"records": self.last_sequence[0], "full": self.full[0],
                "too_long": self.too_long[0]}

    def close(self) -> None:
        """Unmap the memory; a closed ring refuses every push and is empty."""
        if self.base != NULL:
            munmap(self.base, self.mapped_bytes)
            self.base = NULL
            self.capacity_bytes = 0

    def unlink(self) -> None:
        """Remove the file, if there is one."""
        if self.path is not None and os.path.exists(self.path):
            os.unlink(self.path)


def crc32c(data: bytes, uint32_t crc=0) -> int:
    """CRC-32C of ``data``, continuing ``crc``. Source: RFC 3720, appendix B.4."""
    return crc32c_extend(crc, <const char *> data, len(data))
