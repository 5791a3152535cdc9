# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# SPDX-License-Identifier: Apache-2.0
"""The one interface of every byte stream (order entry)."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

from nic.port import PortError

STATE_NAMES = {
    0: "open",
    STREAM_CLOSED: "closed",
    STREAM_CONNECTING: "connecting",
}
"""Text for what :meth:`Stream.state` says."""


cdef class Stream:
    """Base of the byte streams: an ordered, reliable stream of bytes each way, never blocking."""

    cdef int send(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """How many of the bytes were taken (it may be fewer than given), or a STREAM_* number."""
        return STREAM_CLOSED

    cdef int receive(self, uint8_t *data, uint32_t capacity) noexcept nogil:
        """How many bytes were written to ``data``, at least one, or a STREAM_* number."""
        return STREAM_CLOSED

    cdef int state(self) noexcept nogil:
        """0 when open, STREAM_CONNECTING or STREAM_CLOSED."""
        return STREAM_CLOSED

    def status(self):
        """``open``, ``connecting`` or ``closed``."""
        return STATE_NAMES[self.state()]

    def write(self, const uint8_t[::1] data not None):
        """How many bytes were taken; 0 while there is no room or no connection yet.

        Raises :class:`~nic.port.PortError` once the stream is closed.
        """
        if data.shape[0] == 0:
            return 0
        cdef int taken = self.send(&data[0], <uint32_t> data.shape[0])
        if taken == STREAM_CLOSED:
            raise PortError("the stream is closed")
        return max(taken, 0)

    def read(self, int capacity=65536):
        """Bytes that came, ``None`` while there are none, ``b""`` once the stream is closed."""
        if capacity <= 0:
            raise ValueError("capacity must be positive")
        cdef bytes data = PyBytes_FromStringAndSize(NULL, capacity)
        cdef int got = self.receive(<uint8_t *> PyBytes_AS_STRING(data), <uint32_t> capacity)
        if got == STREAM_CLOSED:
            return b""
        return data[:got] if got > 0 else None

    def close(self):
        """Close the stream; harmless when it is closed."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
