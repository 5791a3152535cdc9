# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A stream of events written into other hosts' memory by RDMA: the ends of ``event_stream``.

What can happen to a reader, and what it sees. It is slow: its events wait, as long as they are in
the publisher's store. It is slower than the store: it is sent on to the middle, and told exactly
how many events it lost. The connection breaks, or it reconnects: it goes on where it was, within
the store; else it is told its loss. Another publisher took over: the stream begins anew, with that
one's numbers. The publisher closes: everything that was sent is taken, then the stream ends. The
publisher dies: everything that arrived is taken, and ``state()`` says ``died``.
A dead reader costs the publisher nothing but its queue, until it is looked at and taken out.
"""

import secrets
import time

from host.ipc.event_stream cimport TAKE_ENDED, TAKE_OVERRUN
from nic.verbs.device cimport VerbsDevice
from nic.verbs.ring cimport RING_ENDED, RING_OVERRUN, RingSender, SlotStore

from nic.verbs.connection import Offer, Server, Shape, connect

cdef enum:
    LOOK_NS = 50_000_000           # how often dead consumers are looked for
    DEPARTURES = 32                # that are kept in mind

CLOSE_SECONDS = 1.0
"""How long closing waits for consumers to take what they were sent."""


cdef class RdmaPublisher(EventPublisher):
    """Publishes events of ``slot_bytes`` bytes to the consumers that connect to ``address``.

    ``device``: name of an RDMA device, or an open one; ``address``: an IPv4 address and a port to
    listen on; ``secret``: what a consumer has to know; ``slots``: a power of two; ``content``: the
    number of the table that the events follow. Up to ``batch`` events wait for :meth:`flush`.
    ``requests`` and ``reports``: shapes of rings from and to each consumer alone, ``beside`` the
    number of their table. ``watcher``: its ``joined`` is called with the connection of who came,
    its ``parted`` with that of who goes and why, while its memory is still there.
    Raises :class:`~nic.port.PortError` in one line.
    """

    def __init__(self, device not None, address, bytes secret not None, *, uint32_t slots=65_536,
                 uint32_t slot_bytes=64, uint64_t content=0, uint32_t batch=16, int maximum=16,
                 requests=None, reports=None, uint64_t beside=0, uint32_t depth=256,
                 uint32_t signal_every=32):
        self.owns_device = isinstance(device, str)
        self.device = VerbsDevice(device) if self.owns_device else device
        self.slot_bytes = slot_bytes
        self.batch = batch
        self.consumers = []
        self.departures = []
        self.past = {"overruns": 0, "skipped": 0, "writes": 0}
        self.instance = secrets.randbits(63) + 1
        self.store = SlotStore(self.device, slots, slot_bytes)
        self.is_open = True
        try:
            self.server = Server(
                self.device, address, secret, self.store,
                Offer(Shape(slots, slot_bytes), content, self.instance, requests, reports,
                      beside),
                maximum=maximum, depth=depth, signal_every=signal_every)
        except BaseException:
            self.close()
            raise

    cdef bint publish(self, const uint8_t *event) noexcept nogil:
        """Keep one event for every consumer; a full batch leaves at once."""
        if not self.is_open or not self.store.put(event):
            return False
        self.published = self.store.published
        self.waiting += 1
        if self.waiting >= self.batch:
            self.flush()
        return True

    cdef void flush(self) noexcept nogil:
        """One doorbell per consumer for everything that waits."""
        self.waiting = 0
        if self.first is not None:
            self.first.pump_all()

    cdef void heartbeat(self, uint64_t t_ns) noexcept nogil:
        """Tell the consumers the time, take in those that came and let go of those that went."""
        if not self.is_open:
            return
        if self.first is not None:
            self.first.beat_all(t_ns)
        if t_ns - self.looked_ns >= LOOK_NS or t_ns < self.looked_ns:
            self.looked_ns = t_ns
            with gil:
                self.look()

    cdef void look(self) noexcept:
        """:meth:`service`, where nobody can be told of a failure."""
        try:
            self.service()
        except Exception as error:
            self.departures.append(("", f"{type(error).__name__}: {error}"))

    def service(self):
        """Take in the consumers that have connected; close those that have gone."""
        changed = False
        for connection in list(self.consumers):
            reason = connection.failure()
            if reason:
                self._part(connection, reason)
                changed = True
        while self.server is not None and self.server.arrived:
            connection = self.server.arrived.popleft()
            for sender in connection.senders.values():
                sender.begin(connection.wanted if sender is connection.senders["feed"] else 0)
            self.consumers.append(connection)
            self.joined += 1
            changed = True
            if self.watcher is not None:
                self.watcher.joined(connection)
        if changed:
            self.server.connected = len(self.consumers)
            self.relink()

    def _part(self, connection, str reason not None):
        """A consumer has gone."""
        if self.watcher is not None:
            self.watcher.parted(connection, reason)
        sender = connection.senders["feed"]
        for name in self.past:
            self.past[name] += getattr(sender, name)
        self.consumers.remove(connection)
        self.departures = [*self.departures[1 - DEPARTURES:], (connection.peer, reason)]
        self.parted += 1
        self.relink()
        connection.close()

    cdef void relink(self):
        """Link the senders of the consumers anew."""
        cdef RingSender sender
        self.first = None
        for connection in reversed(self.consumers):
            sender = connection.senders["feed"]
            sender.following = self.first
            self.first = sender

    def publish_events(self, const uint8_t[::1] events not None):
        """Publish whole events that lie one behind the other; how many were taken."""
        cdef Py_ssize_t at = 0
        cdef int count = 0
        if events.shape[0] % self.slot_bytes:
            raise ValueError(f"events have {self.slot_bytes} bytes each, not {events.shape[0]}")
        while at < events.shape[0] and self.publish(&events[at]):
            at += self.slot_bytes
            count += 1
        return count

    def push(self):
        """:meth:`flush`, from Python."""
        self.flush()

    def counters(self):
        """Consumers now, ever and gone, refused ones; events published; overruns, skipped."""
        found = {"published": self.published, "consumers": len(self.consumers),
                 "joined": self.joined, "parted": self.parted,
                 "refused": self.server.refused if self.server is not None else 0}
        for name, count in self.past.items():
            found[name] = count + sum(getattr(c.senders["feed"], name) for c in self.consumers)
        return found

    def mode(self):
        """What the stream truly is: device, address, slots, sizes in bytes, inline, huge pages."""
        return {"kind": "rdma", "device": self.device.name,
                "address": "%s:%d" % self.server.address if self.server is not None else "",
                "slots": self.store.slots, "slot_bytes": self.slot_bytes,
                "huge_pages": bool(self.store.memory.on_huge_pages)}

    def close(self):
        """Let the consumers have what they can take in a second, tell them, give back; once."""
        if not self.is_open:
            return
        self.is_open = False
        if self.server is not None:
            self.service()
            self.server.close()
        self.first = None
        end = time.monotonic() + CLOSE_SECONDS
        waiting = [c.senders["feed"] for c in self.consumers]
        while waiting and time.monotonic() < end:
            waiting = [s for s in waiting if not s.is_delivered() and not s.failure()]
            time.sleep(0.001)
        for connection in self.consumers:
            for sender in connection.senders.values():
                sender.finish()
        # The last words are on their way; a queue pair that is gone answers nobody.
        waiting = [c.senders["feed"] for c in self.consumers]
        while waiting and time.monotonic() < end + CLOSE_SECONDS:
            waiting = [s for s in waiting if not s.is_flushed() and not s.failure()]
            time.sleep(0.001)
        for connection in list(self.consumers):
            self._part(connection, "the publisher closed")
        self.store.close()
        if self.owns_device:
            self.device.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


cdef class RdmaReader(EventReader):
    """A consumer of the publisher at ``address``; it begins with the next event published.

    ``device``: name of an RDMA device, or an open one; ``content``: refuse a publisher of anything
    else; ``name``: what the publisher calls this consumer; ``beside``: content of the rings beside
    the feed, ``None`` to follow only. Raises :class:`~nic.port.PortError`.
    """

    def __init__(self, device not None, address, bytes secret not None, *, uint64_t content=0,
                 str name="", double timeout_s=5.0, beside=0):
        self.owns_device = isinstance(device, str)
        self.device = VerbsDevice(device) if self.owns_device else device
        self.how = {"address": tuple(address), "secret": secret, "content": content, "name": name,
                    "timeout_s": timeout_s, "beside": beside}
        try:
            self._connect(0, 0)
        except BaseException:
            self.close()
            raise

    def _connect(self, uint64_t instance, uint64_t wanted):
        """Connect; what was counted before stays counted."""
        connection = connect(self.device, instance=instance, wanted=wanted, **self.how)
        self.connection = connection
        self.ring = connection.receivers["feed"]
        self.instance = connection.instance
        self.slot_bytes = self.ring.slot_bytes
        self.connections += 1

    def reconnect(self):
        """Connect anew, after :meth:`state` said that the publisher is gone.

        True where it is the same publisher: nothing is lost, or the loss is told. False where it is
        another one: the stream begins anew. Raises :class:`~nic.port.PortError` where there is none
        now; what was already taken stays counted, and it can be tried again.
        """
        before = self.instance
        self._release()
        self._connect(before, self.next_sequence)
        return self.instance == before

    def _release(self):
        """Let go of the connection."""
        if self.connection is not None:
            self.base_taken, self.base_lost = self.taken, self.lost
            self.base_overruns = self.overruns
            self.connection.close()
            self.connection = None

    cdef int take(self, uint8_t *out, uint32_t maximum) noexcept nogil:
        """Copy what is there; see :class:`EventReader`."""
        cdef int count
        if self.ring is None:
            return TAKE_ENDED
        count = self.ring.take(out, maximum)
        self.copy_counters()
        if count == RING_OVERRUN:
            return TAKE_OVERRUN
        return TAKE_ENDED if count == RING_ENDED else count

    cdef void copy_counters(self) noexcept nogil:
        """Those of the ring, on top of the connections' before."""
        self.taken = self.base_taken + self.ring.taken
        self.lost = self.base_lost + self.ring.lost
        self.overruns = self.base_overruns + self.ring.overruns
        self.last_lost = self.ring.last_lost
        if self.ring.is_begun:
            self.next_sequence = self.ring.next_number

    cdef uint64_t heard_ns(self) noexcept nogil:
        """The publisher's last heartbeat."""
        return 0 if self.ring is None else self.ring.heard_ns()

    def newest(self):
        """Number of the newest event that the publisher told of."""
        return 0 if self.ring is None else max(self.ring.newest(), self.next_sequence - 1)

    def is_begun(self):
        """Whether the publisher has said with which event this reader begins."""
        return self.ring is not None and self.ring.is_begun

    def state(self):
        """``open``, ``closed`` in order, or ``died``: the connection is gone."""
        if self.connection is None or self.ring.is_closed():
            return "closed"
        return "died" if self.connection.failure() else "open"

    def failure(self):
        """Why the connection is gone, empty while it is not."""
        return "" if self.connection is None else self.connection.failure()

    def mode(self):
        """What the stream truly is: device, publisher, slots, sizes in bytes."""
        return {"kind": "rdma", "device": self.device.name,
                "address": "%s:%d" % self.how["address"],
                "slots": 0 if self.ring is None else self.ring.slots,
                "slot_bytes": self.slot_bytes,
                "inline_bytes": 0 if self.connection is None else self.connection.pair.inline_bytes}

    def close(self):
        """Let go of the connection; nothing more is taken. Once."""
        self._release()
        self.ring = None
        if self.owns_device and self.device is not None:
            self.device.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
