# SPDX-License-Identifier: Apache-2.0
"""A broadcast ring with its writer here and its readers in processes of their own.

What :mod:`tools.bench_ring` and ``tickwire soak`` have in common.
"""

from __future__ import annotations

import ctypes
import mmap
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from host.ipc.broadcast import BroadcastReader, BroadcastWriter
from host.journal.recording import SHARED_MEMORY
from nic.clock import rdtsc_py
from tools.namespaces import PR_SET_PDEATHSIG
from tools.ring_runs import PROGRESS_WORDS, read_items, write_items

Words = NDArray[np.uint64]

NEVER = (1 << 64) - 1
"""A number that no event has, and a time that does not come."""

CORES = sorted(os.sched_getaffinity(0))
"""Where this process may run, as it was started."""

READY_SECONDS = 30
WORD_BYTES = 8


class CrewError(RuntimeError):
    """A process did not do its part; the message is one line."""


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A folder in shared memory that is gone afterwards."""
    where = SHARED_MEMORY if os.path.isdir(SHARED_MEMORY) else None
    with tempfile.TemporaryDirectory(prefix="tickwire-ring-", dir=where) as folder:
        yield Path(folder)


def pin_to(number: int) -> None:
    """Keep this process on one core: 0 is the writer's, the readers share the others."""
    place = 0 if number == 0 or len(CORES) == 1 else 1 + (number - 1) % (len(CORES) - 1)
    os.sched_setaffinity(0, {CORES[place]})


@contextmanager
def pinned() -> Iterator[None]:
    """This process on the writer's core, and where it was afterwards."""
    affinity = os.sched_getaffinity(0)
    pin_to(0)
    try:
        yield
    finally:
        os.sched_setaffinity(0, affinity)


def follow_parent() -> None:
    """A child ends with its parent, and leaves signals to the whole group to it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one reader got, once the writer had ended."""

    taken: int
    lost: int
    overruns: int
    torn: int


def _read(channel: Connection, path: Path, progress: Words, place: int, base: int) -> None:
    follow_parent()
    pin_to(place + 1)
    with BroadcastReader(path, start="oldest") as reader:
        channel.send("ready")
        torn = read_items(reader, progress, place, base, NEVER - 1, NEVER)
        channel.send(Taken(reader.taken, reader.lost, reader.overruns, torn))


class Crew:
    """One writer here, ``readers`` readers elsewhere, on a new ring in ``folder``; a context.

    ``base`` is added to an event's number for what it holds. Raises :class:`CrewError` where a
    process can't be had.
    """

    def __init__(
        self, folder: Path, *, readers: int, slots: int, slot_bytes: int, base: int = 0
    ) -> None:
        self.base = base
        self.slots = slots
        self.path = folder / "ring"
        self.writer = BroadcastWriter(self.path, slots=slots, slot_bytes=slot_bytes)
        size = max(readers, 1) * PROGRESS_WORDS
        self.progress: Words = np.frombuffer(mmap.mmap(-1, size * WORD_BYTES), dtype=np.uint64)
        self._processes: list[BaseProcess] = []
        self._channels: list[Connection] = []
        context = multiprocessing.get_context("fork")
        try:
            for place in range(readers):
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=_read, args=(theirs, self.path, self.progress, place, base), daemon=True
                )
                process.start()
                theirs.close()
                self._processes.append(process)
                self._channels.append(ours)
            for channel in self._channels:
                self._receive(channel)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _receive(channel: Connection) -> object:
        try:
            if not channel.poll(READY_SECONDS):
                raise CrewError("a reading process does not answer")
            return channel.recv()
        except (EOFError, ConnectionError):
            raise CrewError("a reading process ended early") from None

    def write(self, last: int, seconds: float, ns_per_tick: float, *, is_paced: bool) -> int:
        """Write until event ``last``, at most so long; the number of the last one.

        ``is_paced``: never further ahead of the slowest reader than seven eighths of the ring.
        """
        deadline = rdtsc_py() + int(seconds * 1e9 / ns_per_tick)
        if any(not process.is_alive() for process in self._processes):
            raise CrewError("a reading process ended early")
        return write_items(
            self.writer,
            self.progress,
            len(self._processes) if is_paced else 0,
            self.base,
            last,
            self.slots - self.slots // 8,
            deadline,
        )

    def finish(self) -> list[Taken]:
        """End the writer; what each reader got in all."""
        self.writer.close()
        found = [self._receive(channel) for channel in self._channels]
        return [taken for taken in found if isinstance(taken, Taken)]

    def close(self) -> None:
        """End the readers, whatever they do; once."""
        self.writer.close()
        for process in self._processes:
            process.kill()
            process.join()
        for channel in self._channels:
            channel.close()
        self._processes, self._channels = [], []

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
