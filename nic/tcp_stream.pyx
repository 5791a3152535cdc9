# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# SPDX-License-Identifier: Apache-2.0
"""A TCP connection as a stream: non-blocking, without Nagle's algorithm.

Sources: RFC 9293; tcp(7), socket(7) of the Linux manual.
"""

import os
import socket

from libc.errno cimport EAGAIN, EINPROGRESS, EINTR, ENOBUFS, errno
from nic.stream cimport STREAM_CLOSED, STREAM_CONNECTING, STREAM_WOULD_BLOCK

from nic.port import PortError

cdef extern from "<sys/socket.h>":
    ctypedef unsigned int socklen_t
    int MSG_DONTWAIT, MSG_NOSIGNAL, SOL_SOCKET, SO_ERROR, SO_BUSY_POLL
    ssize_t c_send "send"(int fd, const void *data, size_t length, int flags) noexcept nogil
    ssize_t c_recv "recv"(int fd, void *data, size_t length, int flags) noexcept nogil
    int getsockopt(int fd, int level, int name, void *value, socklen_t *size) noexcept nogil
    int setsockopt(int fd, int level, int name, const void *value, socklen_t size) noexcept nogil

cdef extern from "<netinet/in.h>":
    int IPPROTO_TCP

cdef extern from "<netinet/tcp.h>":
    int TCP_QUICKACK

cdef extern from "<poll.h>":
    struct pollfd:
        int fd
        short events
        short revents
    int POLLOUT
    int poll(pollfd *descriptors, unsigned long count, int timeout) noexcept nogil


cdef class TcpStream(Stream):
    """A TCP connection to ``(host, port)``, being made; :meth:`state` says when it is there.

    ``source`` is an address to connect from, ``interface`` a device to stay on. ``quick_ack`` has
    every segment acknowledged at once: the option is renewed in the first idle call after data,
    off the way of the data. ``busy_poll_us`` lets the kernel poll the device in a receive call.
    Raises :class:`~nic.port.PortError` where no attempt can be made at all.
    """

    def __cinit__(self, *args, **kwargs):
        """No connection."""
        self.handle = None
        self.descriptor = -1
        self.current = STREAM_CLOSED

    def __init__(self, str host, int port, *, source=None, str interface=None,
                 bint quick_ack=True, int busy_poll_us=0):
        handle = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if interface is not None:
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            if source is not None:
                handle.bind((source, 0))
            self._adopt(handle, quick_ack, busy_poll_us)
            error = handle.connect_ex((host, port))
        except (OSError, OverflowError) as failure:
            handle.close()
            raise PortError(f"tcp {host}:{port}: {failure}") from None
        self.current = STREAM_CONNECTING if error in (0, EINPROGRESS) else STREAM_CLOSED
        if self.current == STREAM_CLOSED:
            self.error = error

    @classmethod
    def from_descriptor(cls, int descriptor, *, bint quick_ack=True, int busy_poll_us=0):
        """A stream on a connected socket, which it owns from now on; an accepted one say."""
        cdef TcpStream stream = cls.__new__(cls)
        handle = socket.socket(fileno=descriptor)
        try:
            stream._adopt(handle, quick_ack, busy_poll_us)
        except OSError as failure:
            handle.close()
            raise PortError(f"tcp: {failure}") from None
        stream.current = 0
        return stream

    def _adopt(self, handle, bint quick_ack, int busy_poll_us):
        """Take a socket over and set its options."""
        handle.setblocking(False)
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if quick_ack:
            handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if busy_poll_us:
            handle.setsockopt(socket.SOL_SOCKET, SO_BUSY_POLL, busy_poll_us)
        self.handle = handle
        self.descriptor = handle.fileno()
        self.quick_ack = quick_ack

    cdef int fail(self, int error) noexcept nogil:
        """The connection is gone, for the reason ``error``."""
        self.current = STREAM_CLOSED
        self.error = error
        return STREAM_CLOSED

    cdef int state(self) noexcept nogil:
        """0 when open, STREAM_CONNECTING or STREAM_CLOSED; one system call while connecting."""
        cdef pollfd descriptor
        cdef int error = 0
        cdef socklen_t size = sizeof(error)
        if self.current != STREAM_CONNECTING:
            return self.current
        descriptor.fd = self.descriptor
        descriptor.events = <short> POLLOUT
        descriptor.revents = 0
        if poll(&descriptor, 1, 0) <= 0:
            return STREAM_CONNECTING
        if getsockopt(self.descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0:
            return self.fail(errno)
        if error != 0:
            return self.fail(error)
        self.current = 0
        return 0

    cdef int send(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """How many of the bytes the kernel took, or a STREAM_* number."""
        cdef ssize_t taken
        if self.current != 0 and self.state() != 0:
            return self.current
        taken = c_send(self.descriptor, data, length, MSG_DONTWAIT | MSG_NOSIGNAL)
        if taken >= 0:
            self.sent_bytes += <uint64_t> taken
            return <int> taken
        if errno == EAGAIN or errno == EINTR or errno == ENOBUFS:
            return STREAM_WOULD_BLOCK
        return self.fail(errno)

    cdef int receive(self, uint8_t *data, uint32_t capacity) noexcept nogil:
        """How many bytes came, or a STREAM_* number."""
        cdef ssize_t got
        cdef int one = 1
        if self.current != 0 and self.state() != 0:
            return self.current
        got = c_recv(self.descriptor, data, capacity, MSG_DONTWAIT)
        if got > 0:
            self.received_bytes += <uint64_t> got
            self.acknowledge = self.quick_ack
            return <int> got
        if got == 0:
            return self.fail(0) if capacity else STREAM_WOULD_BLOCK
        if errno != EAGAIN and errno != EINTR:
            return self.fail(errno)
        if self.acknowledge:
            self.acknowledge = False
            setsockopt(self.descriptor, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one))
        return STREAM_WOULD_BLOCK

    def close(self):
        """Close the connection in order; harmless when it is closed."""
        self.current = STREAM_CLOSED
        self.descriptor = -1
        if self.handle is not None:
            self.handle.close()
            self.handle = None

    def fileno(self):
        """The descriptor, -1 once closed."""
        return self.descriptor

    def reason(self):
        """Why the stream is closed, as text; empty while it is not."""
        if self.current != STREAM_CLOSED:
            return ""
        return os.strerror(self.error) if self.error else "closed"

    def mode(self):
        """What the connection truly got: addresses, options, bytes each way."""
        if self.handle is None:
            return {"kind": "tcp", "status": self.status()}
        return {
            "kind": "tcp",
            "status": self.status(),
            "driver_mode": "socket",
            "zero_copy": False,
            "local": "%s:%d" % self.handle.getsockname(),
            "no_delay": bool(self.handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)),
            "quick_ack": bool(self.quick_ack),
            "busy_poll_us": self.handle.getsockopt(socket.SOL_SOCKET, SO_BUSY_POLL),
        }

    def counters(self):
        """Bytes received and sent."""
        return {"rx_bytes": self.received_bytes, "tx_bytes": self.sent_bytes}
