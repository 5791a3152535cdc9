# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A byte stream in memory: two ends, each with the bytes that wait for the other.

For sessions inside one process (simulation, replay): as deterministic as the calls. Segmentation
and a small send window can be set, because a stream owes nobody that packets arrive whole.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove
from nic.stream cimport STREAM_CLOSED, STREAM_CONNECTING, STREAM_WOULD_BLOCK


cdef class MemoryStream(Stream):
    """One end; :meth:`pair` makes both. ``capacity_bytes`` may wait to be received at each end.

    Closing one end lets the other receive what was sent before; then it is closed too.
    """

    def __init__(self, capacity_bytes: int = 1 << 20) -> None:
        if not 0 < capacity_bytes < 1 << 31:
            raise ValueError("capacity_bytes must be 1 to 2**31 - 1")
        if self.waiting != NULL:
            raise RuntimeError("a stream is made once")
        self.waiting = <uint8_t *> malloc(capacity_bytes)
        if self.waiting == NULL:
            raise MemoryError(f"no memory for a stream of {capacity_bytes} bytes")
        self.capacity_bytes = capacity_bytes
        self.segment_bytes = 0xFFFFFFFF
        self.window_bytes = 0xFFFFFFFF
        self.current_state = STREAM_CLOSED

    def __dealloc__(self):
        free(self.waiting)

    @staticmethod
    def pair(capacity_bytes: int = 1 << 20, *,
             connecting: bool = False) -> tuple[MemoryStream, MemoryStream]:
        """Two connected ends; with ``connecting`` they are open after :meth:`open` of either."""
        cdef MemoryStream first = MemoryStream(capacity_bytes)
        cdef MemoryStream second = MemoryStream(capacity_bytes)
        first.peer = second
        second.peer = first
        first.current_state = second.current_state = STREAM_CONNECTING if connecting else 0
        return first, second

    def open(self) -> None:
        """Finish the connecting of both ends."""
        if self.current_state == STREAM_CONNECTING:
            self.current_state = 0
            self.peer.current_state = 0

    def close(self) -> None:
        """Close this end; harmless when it is closed."""
        self.current_state = STREAM_CLOSED

    cdef int state(self) noexcept nogil:
        """0 when open, STREAM_CONNECTING or STREAM_CLOSED."""
        return self.current_state

    cdef int send(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """How many of the bytes were taken, or a STREAM_* number."""
        cdef uint32_t taken
        if self.current_state < 0:
            return self.current_state
        if self.peer.current_state == STREAM_CLOSED:
            return STREAM_CLOSED
        taken = self.peer.put(data, min(length, self.window_bytes))
        return <int> taken if taken > 0 else STREAM_WOULD_BLOCK

    cdef uint32_t put(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """Take bytes from the other end, as far as there is room."""
        if self.end + length > self.capacity_bytes and self.begin > 0:
            memmove(self.waiting, self.waiting + self.begin, self.end - self.begin)
            self.end -= self.begin
            self.begin = 0
        length = min(length, self.capacity_bytes - self.end)
        memcpy(self.waiting + self.end, data, length)
        self.end += length
        return length

    cdef int receive(self, uint8_t *data, uint32_t capacity) noexcept nogil:
        """How many bytes were written to ``data``, or a STREAM_* number."""
        cdef uint32_t size = min(min(capacity, self.end - self.begin), self.segment_bytes)
        if self.current_state < 0:
            return self.current_state
        if size == 0:
            return STREAM_CLOSED if self.peer.current_state == STREAM_CLOSED else STREAM_WOULD_BLOCK
        memcpy(data, self.waiting + self.begin, size)
        self.begin += size
        if self.begin == self.end:
            self.begin = 0
            self.end = 0
        return <int> size

    def waiting_bytes(self) -> int:
        """Bytes that can be received here."""
        return self.end - self.begin
