# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The thread that brings the ring to the file: append, force to the disk, never in the hot path.

The loop runs without the GIL. Whole records go to ``write(2)`` straight from the ring's memory
and are given back to the producer only when the kernel has them, so that after a kill every
record is in the file or still in the ring. A disk that fails or is full stops the draining; the
ring fills, the journal refuses, and no order leaves any more.
"""

import os
import threading
import time

from libc.errno cimport EINTR, errno
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, nanosleep, timespec
from posix.unistd cimport fdatasync, fsync, write

from host.ipc.atomic cimport load_acquire, store_release
from host.ipc.ring cimport Ring, record_bytes
from host.ipc.ring_codec cimport RING_RECORD_LENGTH, ring_record_length
from host.journal.ids cimport (
    JOURNAL_WRITER_BATCHES, JOURNAL_WRITER_COUNT, JOURNAL_WRITER_FILE_BYTES,
    JOURNAL_WRITER_RECORDS, JOURNAL_WRITER_SYNC_ERRORS, JOURNAL_WRITER_SYNCS,
    JOURNAL_WRITER_WRITE_ERRORS)

from host.journal.enumerations import JOURNAL_WRITER
from host.journal.layout import JOURNAL_LAYOUT, MAGIC, VERSION
from nic.wire.reference import encode

cdef enum:
    LAST_TRIES = 100   # failed writes that stop() lets the thread repeat


cdef inline uint64_t monotonic_ns() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <uint64_t> now.tv_sec * 1000000000 + <uint64_t> now.tv_nsec


cdef class JournalWriter:
    """Drains ``ring`` to a new file at ``path``.

    ``description`` (40 bytes) and ``created_ns`` (since 1970; now when left out) go into the
    header, with the path of the ring for :func:`host.journal.salvage.salvage`. The file is forced
    to the disk every ``sync_interval_ns``; the thread sleeps ``idle_ns`` when the ring is empty.
    Raises ``FileExistsError``: a journal is never overwritten.
    """

    def __init__(self, ring: Ring, path: str | os.PathLike, *, description: str = "",
                 created_ns: int | None = None, sync_interval_ns: int = 100_000_000,
                 idle_ns: int = 1_000_000) -> None:
        if ring is None:
            raise TypeError("a journal writer needs a ring")
        if not 0 < idle_ns < 1_000_000_000:
            raise ValueError(f"idle_ns is {idle_ns}, must be less than a second and more than 0")
        header = encode(JOURNAL_LAYOUT, "file_header", {
            "magic": MAGIC,
            "version": VERSION,
            "header_length": JOURNAL_LAYOUT["file_header"].length,
            "process_id": os.getpid(),
            "created_ns": time.time_ns() if created_ns is None else created_ns,
            "description": description.encode(),
            "ring_path": os.fsencode(os.path.abspath(ring.path)) if ring.path else b"",
        })
        self.ring = ring
        self.path = os.fspath(path)
        self.sync_interval_ns = sync_interval_ns
        self.idle_ns = idle_ns
        memset(self.counts, 0, sizeof(self.counts))
        self.descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND,
                                  0o644)
        os.write(self.descriptor, header)
        self.counts[JOURNAL_WRITER_FILE_BYTES] = len(header)

    def start(self) -> None:
        """Start the thread; raises ``RuntimeError`` when it was started before."""
        if self.thread is not None or self.descriptor < 0:
            raise RuntimeError("a journal writer is started once")
        self.thread = threading.Thread(target=self._main, name="journal-writer", daemon=True)
        self.thread.start()

    def _main(self) -> None:
        with nogil:
            self.run()

    def stop(self) -> None:
        """Write what is left, force it to the disk, end the thread and close the file.

        The producer must have stopped. Raises ``OSError`` when the disk did not take everything;
        what is missing is then still in the ring.
        """
        if self.descriptor < 0:
            return
        store_release(&self.stopping, 1)
        if self.thread is not None:
            self.thread.join()
        else:
            with nogil:
                self.run()
        os.close(self.descriptor)
        self.descriptor = -1
        if self.error_number:
            raise OSError(self.error_number, os.strerror(self.error_number), self.path)

    def counters(self) -> dict[str, int]:
        """What was written, by the names of ``JOURNAL_WRITER``."""
        return JOURNAL_WRITER.as_dict([self.counts[i] for i in range(JOURNAL_WRITER_COUNT)])

    @property
    def last_error(self) -> str:
        """Why the last call failed; empty when it succeeded."""
        return os.strerror(self.error_number) if self.error_number else ""

    cdef uint64_t drain(self) noexcept nogil:
        """Write the records that lie in one piece; bytes taken, 0 when empty or refused."""
        cdef const uint8_t *begin = NULL
        cdef uint64_t size, at, record
        cdef Py_ssize_t written
        size = self.ring.readable(&begin)
        if size == 0:
            return 0
        self.counts[JOURNAL_WRITER_BATCHES] += 1
        written = write(self.descriptor, begin + self.partial_bytes, size - self.partial_bytes)
        if written < 0:
            if errno != EINTR:
                self.counts[JOURNAL_WRITER_WRITE_ERRORS] += 1
                self.error_number = errno
            return 0
        self.error_number = 0
        self.counts[JOURNAL_WRITER_FILE_BYTES] += <uint64_t> written
        at = 0
        size = self.partial_bytes + <uint64_t> written
        while at < size:
            if size - at < RING_RECORD_LENGTH:
                break
            record = record_bytes(ring_record_length(begin + at))
            if record > size - at:
                break
            at += record
            self.counts[JOURNAL_WRITER_RECORDS] += 1
        self.partial_bytes = size - at
        self.ring.consume(at)
        return size

    cdef void sync(self) noexcept nogil:
        """Force the data to the disk."""
        self.counts[JOURNAL_WRITER_SYNCS] += 1
        if fdatasync(self.descriptor) != 0:
            self.counts[JOURNAL_WRITER_SYNC_ERRORS] += 1
            self.error_number = errno

    cdef void run(self) noexcept nogil:
        """Drain until told to stop and nothing is left."""
        cdef timespec pause
        cdef uint64_t synced_ns = monotonic_ns(), unsynced = 0, taken, now_ns
        cdef int tries = 0
        cdef bint last
        pause.tv_sec = 0
        pause.tv_nsec = <long> self.idle_ns
        while True:
            # read before draining: what was pushed before the stop is then seen by the drain
            last = load_acquire(&self.stopping) != 0
            taken = self.drain()
            unsynced += taken
            now_ns = monotonic_ns()
            if unsynced > 0 and now_ns - synced_ns >= self.sync_interval_ns:
                self.sync()
                synced_ns = now_ns
                unsynced = 0
            if taken > 0:
                continue
            if last:
                tries += 1
                if self.error_number == 0 or tries >= LAST_TRIES:
                    break
            nanosleep(&pause, NULL)
        if fsync(self.descriptor) != 0:
            self.counts[JOURNAL_WRITER_SYNC_ERRORS] += 1
            self.error_number = errno
        else:
            self.counts[JOURNAL_WRITER_SYNCS] += 1
