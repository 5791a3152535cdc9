# SPDX-License-Identifier: Apache-2.0
"""Reads journal files, and stops cleanly where one is torn.

A journal that was closed in order ends with a ``closed`` record. After a kill the last record may
be cut; after a crash of the machine the end may be zeros. Everything up to there is read, and
:attr:`JournalReader.tear` says where and why reading ended.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass

from host.ipc.layout import RING
from host.ipc.ring import crc32c
from host.journal.enumerations import JOURNAL
from host.journal.layout import JOURNAL_LAYOUT, MAGIC, VERSION
from host.journal.record import FILE_HEADER, HEAD, Record, record_bytes

_CRC_OFFSET = RING["record"]["crc32c"].offset
_CLOSED = JOURNAL.value("closed")


class JournalError(ValueError):
    """A file that is no journal, or one of another version."""


@dataclass(frozen=True, slots=True)
class Tear:
    """Where reading ended before the end of the file, and why."""

    offset: int
    left_bytes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a journal file; ``created_ns`` counts from 1970, UTC."""

    version: int
    header_length: int
    process_id: int
    created_ns: int
    description: str
    ring_path: str


def read_header(data: bytes | mmap.mmap, name: str) -> Header:
    """The header at the start of ``data``; raises :class:`JournalError`."""
    if len(data) < FILE_HEADER.size or data[: len(MAGIC)] != MAGIC:
        raise JournalError(f"{name} is no journal")
    names = [item.name for item in JOURNAL_LAYOUT["file_header"]]
    values = dict(zip(names, FILE_HEADER.unpack_from(data), strict=True))
    if values["version"] != VERSION:
        raise JournalError(f"{name} is a journal of version {values['version']}, not {VERSION}")
    return Header(
        values["version"],
        values["header_length"],
        values["process_id"],
        values["created_ns"],
        values["description"].decode("utf-8", "replace").rstrip(),
        os.fsdecode(values["ring_path"]).rstrip(" \0"),
    )


def scan(
    data: bytes | mmap.mmap, offset: int, end: int, sequence: int | None
) -> Iterator[tuple[int, Record | str]]:
    """Records of ``data`` from ``offset`` on, each with the offset after it.

    ``sequence`` is the number the first one must have, ``None`` for any. Where the bytes are no
    record any more, the last item is that offset and a text that says why.
    """
    while offset < end:
        if end - offset < HEAD.size:
            yield offset, "the head of the last record is cut"
            return
        length, kind, _, t_ns, number, _, crc = HEAD.unpack_from(data, offset)
        size = record_bytes(length)
        if size > end - offset:
            yield offset, f"a record of {length} bytes is cut or its length is wrong"
            return
        body = data[offset + HEAD.size : offset + HEAD.size + length]
        if crc32c(body, crc32c(data[offset : offset + _CRC_OFFSET])) != crc:
            yield offset, "the checksum of a record is wrong"
            return
        if sequence is not None and number != sequence:
            yield offset, f"record {number} stands where {sequence} should be"
            return
        sequence = number + 1
        offset += size
        yield offset, Record(kind, t_ns, number, body)


class JournalReader:
    """Iterates over the records of a journal file; use as a context manager or call :meth:`close`.

    After an iteration ended, :attr:`tear` says whether bytes were left, :attr:`closed_in_order`
    whether the last record was ``closed``. Raises :class:`JournalError` where it is no journal.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.tear: Tear | None = None
        self.closed_in_order = False
        self.end_offset = 0
        self.last_sequence = 0
        with open(self.path, "rb") as file:
            self.size = os.fstat(file.fileno()).st_size
            if self.size == 0:
                raise JournalError(f"{self.path} is empty")
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self.header = read_header(self._data, self.path)
        except JournalError:
            self._data.close()
            raise

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._data.close()

    def __iter__(self) -> Iterator[Record]:
        self.tear = None
        self.closed_in_order = False
        self.end_offset = self.header.header_length
        self.last_sequence = 0
        for offset, item in scan(self._data, self.header.header_length, self.size, 1):
            if isinstance(item, str):
                self.tear = Tear(offset, self.size - offset, item)
                return
            self.end_offset = offset
            self.last_sequence = item.sequence
            self.closed_in_order = item.number == _CLOSED
            yield item
