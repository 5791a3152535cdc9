# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""An order line over RDMA: the rings beside a feed as ends of ``slot_ring``.

The connection belongs to the feed's publisher or reader, who closes it; the line only uses its
rings, and can end while the feed goes on.
"""

from libc.stdint cimport uint8_t, uint32_t
from host.ipc.slot_ring cimport SLOT_LOST, SLOT_NONE, SLOT_TAKEN
from nic.verbs.ring cimport RING_OVERRUN


cdef class RdmaSender(SlotSender):
    """The writing end of a ring that one reader has for itself."""

    def __init__(self, RingSender ring not None):
        self.ring = ring
        self.slot_bytes = ring.store.slot_bytes

    cdef uint32_t room(self) noexcept nogil:
        cdef uint32_t slots = self.ring.store.slots
        self.misled = self.ring.misled
        if self.misled or not self.ring.has_room():
            return 0
        return <uint32_t> (self.ring.credited() + slots - self.ring.store.published)

    cdef bint put(self, const uint8_t *slot) noexcept nogil:
        if self.ring.misled or not self.ring.has_room() or not self.ring.store.put(slot):
            self.misled = self.ring.misled
            return False
        self.sent = self.ring.store.published
        self.ring.pump()
        self.misled = self.ring.misled
        return True


cdef class RdmaReceiver(SlotReceiver):
    """The reading end."""

    def __init__(self, RingReceiver ring not None):
        self.ring = ring
        self.slot_bytes = ring.slot_bytes

    cdef int take(self, uint8_t *out) noexcept nogil:
        cdef int count = self.ring.take(out, 1)
        if count == 0 and self.ring.is_begun and self.taken == 0:
            # the sender may have begun with this very look
            count = self.ring.take(out, 1)
        if count == RING_OVERRUN:
            return SLOT_LOST
        if count <= 0:
            return SLOT_NONE
        self.taken += 1
        return SLOT_TAKEN


class RdmaLine:
    """One order line; ``sends`` and ``receives`` name the connection's rings of this side."""

    is_local = False

    def __init__(self, connection, sends, receives):
        self.connection = connection
        self.sender = RdmaSender(connection.senders[sends])
        self.receiver = RdmaReceiver(connection.receivers[receives])
        self.peer = connection.peer

    def failure(self):
        """Why the line is at its end, empty while it is not; system calls."""
        return self.connection.failure()

    def close(self):
        """The connection is somebody else's: nothing to do."""


class DeskWatcher:
    """Takes a publisher's consumers that want to send orders to an order desk."""

    def __init__(self, desk):
        self.desk = desk
        self.lines = {}

    def joined(self, connection):
        """A consumer came; one without the rings only follows."""
        if "requests" in connection.receivers and "reports" in connection.senders:
            line = RdmaLine(connection, "reports", "requests")
            if self.desk.joined(line):
                self.lines[id(connection)] = line

    def parted(self, connection, reason):
        """A consumer is gone; its memory goes behind this."""
        line = self.lines.pop(id(connection), None)
        if line is not None:
            self.desk.parted(line, reason)
