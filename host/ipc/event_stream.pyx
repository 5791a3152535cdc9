# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The two ends of a stream of events, whatever carries it: shared memory, or another host's.

Events have one size, a multiple of 64 bytes whose last eight hold the event's number; numbers count
from 1 without holes. A publisher never waits for its readers. A reader either gets an event whole,
or is told exactly how many it lost.
"""

from libc.stdlib cimport free, malloc

READ_LIMIT = 4096
"""Events that one call of :meth:`EventReader.read` gives at the most."""


cdef class EventPublisher:
    """The writing end; what carries the events overrides every method."""

    cdef bint publish(self, const uint8_t *event) noexcept nogil:
        """Publish ``slot_bytes`` bytes, whose last eight are replaced by the event's number.

        False when nothing more can be published: the publisher is closed, the connection gone.
        """
        return False

    cdef void flush(self) noexcept nogil:
        """A burst is over: what was only queued leaves now."""

    cdef void heartbeat(self, uint64_t t_ns) noexcept nogil:
        """Say that the publisher lives, and do what it does from time to time."""

    def publish_event(self, bytes event not None) -> bool:
        """Publish one event from Python: ``slot_bytes`` bytes, or eight fewer."""
        cdef bytes whole = event
        if len(event) == self.slot_bytes - 8:
            whole = event + bytes(8)
        if len(whole) != self.slot_bytes:
            raise ValueError(f"an event has {self.slot_bytes} bytes, not {len(event)}")
        return self.publish(<const uint8_t *> <const char *> whole)

    def beat(self, uint64_t t_ns) -> None:
        """:meth:`heartbeat`, from Python."""
        self.heartbeat(t_ns)

    def close(self) -> None:
        """Tell the readers that nothing more will come; once."""


cdef class EventReader:
    """The reading end; what carries the events overrides the ``cdef`` methods and ``state``.

    ``next_sequence`` is the number of the event that comes next; ``taken`` and ``lost`` count
    events, ``overruns`` the times that some were lost.
    """

    cdef int take(self, uint8_t *out, uint32_t maximum) noexcept nogil:
        """Copy up to ``maximum`` events to ``out``, one behind the other; how many, or TAKE_*.

        0 when there is nothing new. What comes behind a loss is given by the next call.
        """
        return TAKE_ENDED

    cdef uint64_t heard_ns(self) noexcept nogil:
        """The publisher's time when it last said that it lives; 0 before the first time."""
        return 0

    cdef void skip_to(self, uint64_t sequence_number) noexcept nogil:
        """Count what lies before an event as lost, and go on there."""
        self.last_lost = sequence_number - self.next_sequence
        self.lost += self.last_lost
        self.overruns += 1
        self.next_sequence = sequence_number

    def read(self, uint32_t maximum=1) -> tuple[int, list[bytes]]:
        """Events that were lost, then up to ``maximum`` events behind them, oldest first.

        Raises ``EOFError`` when everything was taken and nothing more will come.
        """
        cdef uint32_t room = min(maximum, <uint32_t> READ_LIMIT)
        cdef uint32_t size = self.slot_bytes
        cdef uint64_t before = self.lost
        cdef int count, i
        cdef uint8_t *out = <uint8_t *> malloc(<size_t> size * max(room, 1))
        if out == NULL:
            raise MemoryError
        try:
            count = self.take(out, room)
            if count == TAKE_OVERRUN:
                count = self.take(out, room)
            if count == TAKE_ENDED and self.lost == before:
                raise EOFError("the publisher ended and everything was taken")
            return self.lost - before, [
                (<const char *> out)[i * size:(i + 1) * size] for i in range(max(count, 0))]
        finally:
            free(out)

    def heard(self) -> int:
        """:meth:`heard_ns`, from Python."""
        return self.heard_ns()

    def state(self) -> str:
        """How the publisher stands, by the names of ``RING_STATE``; may make system calls."""
        return "closed"

    def close(self) -> None:
        """Let go of what the reader holds; it takes nothing more. Once."""
