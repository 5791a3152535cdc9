# cython: language_level=3, boundscheck=False, wraparound=False
# SPDX-License-Identifier: Apache-2.0
"""Two publishers of the same events, such as shared memory here and RDMA to other hosts."""

from libc.stdint cimport uint8_t, uint64_t
from host.ipc.event_stream cimport EventPublisher


cdef class EventTee(EventPublisher):
    """Publishes on ``left``, then on ``right``; raises ``ValueError`` where their sizes differ.

    An event counts as published when ``left`` took it. Both have to be new: they number alike.
    """

    cdef readonly EventPublisher left
    cdef readonly EventPublisher right

    def __init__(self, EventPublisher left not None, EventPublisher right not None):
        if left.slot_bytes != right.slot_bytes or left.published != right.published:
            raise ValueError("two publishers of different events")
        self.left = left
        self.right = right
        self.slot_bytes = left.slot_bytes
        self.published = left.published

    cdef bint publish(self, const uint8_t *event) noexcept nogil:
        """Publish on both; what ``left`` says."""
        cdef bint taken = self.left.publish(event)
        self.right.publish(event)
        self.published = self.left.published
        return taken

    cdef void flush(self) noexcept nogil:
        """A burst is over, for both."""
        self.left.flush()
        self.right.flush()

    cdef void heartbeat(self, uint64_t t_ns) noexcept nogil:
        """Both live."""
        self.left.heartbeat(t_ns)
        self.right.heartbeat(t_ns)

    def close(self):
        """Close both."""
        self.right.close()
        self.left.close()
