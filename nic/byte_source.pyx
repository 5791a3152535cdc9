# cython: language_level=3, boundscheck=False, wraparound=False
# SPDX-License-Identifier: Apache-2.0
"""A file read in pieces, plain or gzipped, as a window of bytes that moves forward.

A day of market data is many gigabytes: never is more than a piece of it in memory. Whether a file
is gzipped is told by its first bytes, never by its name. Source: RFC 1952.
"""

import zlib

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

cdef enum:
    PIECE_BYTES = 1048576
    WINDOW_BYTES = 2097152     # the longest record there can be, and a piece behind it
    HEADROOM_BYTES = 32        # room in front of the window: readers put headers before a packet

GZIP_MAGIC = b"\x1f\x8b"
GZIP_WINDOW = 31
"""``wbits`` that has zlib take a gzip header and check its trailer."""


cdef class ByteSource:
    """The bytes of ``path``, decompressed; raises ``OSError`` where it can't be opened."""

    def __cinit__(self, *args, **kwargs):
        """An empty window."""
        self.capacity = WINDOW_BYTES
        self.memory = <uint8_t *> malloc(HEADROOM_BYTES + WINDOW_BYTES)
        if self.memory == NULL:
            raise MemoryError("byte source")
        self.at = self.end = self.memory + HEADROOM_BYTES

    def __init__(self, path):
        self.path = str(path)
        self.file = open(path, "rb")
        self.compressed = self.file.read(PIECE_BYTES)
        self.is_gzip = self.compressed.startswith(GZIP_MAGIC)
        if self.is_gzip:
            self.inflater = zlib.decompressobj(GZIP_WINDOW)
        self.refill()

    cdef bint refill(self) noexcept nogil:
        """Move what is left to the front and read on; whether bytes were added.

        The window lies elsewhere afterwards: nothing may point into it.
        """
        cdef size_t rest = <size_t> (self.end - self.at)
        cdef uint8_t *front = self.memory + HEADROOM_BYTES
        if self.ended or rest + PIECE_BYTES > self.capacity:
            return False
        memmove(front, self.at, rest)
        self.at = front
        self.end = front + rest
        with gil:
            try:
                piece = self.more()
            except OSError:
                self.read_failed = True
                piece = b""
            if not piece:
                self.ended = True
                return False
            memcpy(self.end, PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece))
            self.end += PyBytes_GET_SIZE(piece)
        return True

    cdef bytes more(self):
        """The next piece, empty at the end."""
        if self.is_gzip:
            return self.inflate()
        piece = self.compressed or self.file.read(PIECE_BYTES)
        self.compressed = b""
        return piece

    cdef bytes inflate(self):
        """The next decompressed piece, empty at the end; notes how the compressed data end."""
        while True:
            if self.inflater.eof:
                # Members may follow each other (RFC 1952 section 2.2); other bytes are padding.
                self.compressed = self.inflater.unused_data or self.file.read(PIECE_BYTES)
                if not self.compressed.startswith(GZIP_MAGIC):
                    return b""
                self.inflater = zlib.decompressobj(GZIP_WINDOW)
            if not self.compressed:
                self.compressed = self.file.read(PIECE_BYTES)
            at_end = not self.compressed
            try:
                piece = self.inflater.decompress(self.compressed, PIECE_BYTES)
            except zlib.error:
                self.gzip_damaged = True
                return b""
            self.compressed = self.inflater.unconsumed_tail
            if piece:
                return piece
            if at_end and not self.inflater.eof:
                self.gzip_truncated = True
                return b""

    def head(self, int count):
        """The first ``count`` bytes of the window, fewer where there are not so many."""
        return self.at[:min(<size_t> count, <size_t> (self.end - self.at))]

    def close(self):
        """Close the file; the window stays."""
        self.ended = True
        if self.file is not None:
            self.file.close()
            self.file = None

    def __dealloc__(self):
        """Free the window."""
        free(self.memory)
