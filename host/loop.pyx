# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The run-to-completion loop: ports, timers and order-entry sessions around one engine.

One thread takes a burst from a port and lets each packet go the whole way, to the order, before the
next. Between bursts it looks at the requests of strategy hosts, which lie in memory, and at most
once in ``poll_interval_ns`` it reads the sockets of order entry and re-request: that is where the
system calls are. The loop itself decides nothing.
"""

from posix.unistd cimport usleep
from nic.port cimport LAYER_FRAME

cdef enum:
    IDLE_SLEEP_US = 50


cdef class PortRequests(RequestSink):
    """Sends re-requests through a port."""

    def __cinit__(self, Port port not None):
        self.port = port

    cdef int send_request(self, const uint8_t *data, uint32_t length) noexcept nogil:
        cdef int result = self.port.transmit(data, length)
        if result == 0:
            result = self.port.flush()
        return result if result < 0 else 0


cdef class Loop:
    """Drives one engine from up to two lines, a re-request port, up to four venues and a desk.

    ``spin`` False lets the thread sleep for 50 microseconds when nothing came: right where cores
    are few. :meth:`run` returns after the time it is given, or earlier when a venue's session needs
    the driver (to connect, to close), so that signals are seen.
    """

    def __init__(self, Engine engine not None, Clock clock not None, lines, *, Port recovery=None,
                 venues=(), OrderDesk desk=None, bint spin=True,
                 uint64_t timer_interval_ns=1_000_000, uint64_t poll_interval_ns=20_000):
        if not 1 <= len(lines) <= 2:
            raise ValueError("loop: an engine has one or two lines")
        if len(venues) > 4:
            raise ValueError("loop: an engine has at most four venues")
        self.engine = engine
        self.clock = clock
        self.line_a = lines[0]
        self.line_b = lines[1] if len(lines) > 1 else None
        self.recovery = recovery
        padded = [*venues, None, None, None, None]
        self.venue_0, self.venue_1, self.venue_2, self.venue_3 = padded[:4]
        self.desk = desk
        self.spin = spin
        self.timer_interval_ns = timer_interval_ns
        self.poll_interval_ns = poll_interval_ns

    cdef int take(self, Port port, int line) noexcept nogil:
        """Take one burst from a port through the engine; the number of packets."""
        cdef int count = port.receive_burst(self.packets, BURST)
        cdef int i
        if count <= 0:
            return 0
        for i in range(count):
            if port.layer == LAYER_FRAME:
                self.engine.on_frame(line, self.packets[i].data, self.packets[i].length,
                                     self.packets[i].tsc, self.clock.to_ns(self.packets[i].tsc))
            else:
                self.engine.on_datagram(line, self.packets[i].data, self.packets[i].length,
                                        self.packets[i].tsc,
                                        self.clock.to_ns(self.packets[i].tsc))
        port.release()
        return count

    cdef void poll_venues(self, uint64_t t_ns) noexcept nogil:
        """Read what the exchanges said."""
        self.engine.begin_reports(t_ns)
        if self.venue_0 is not None:
            self.venue_0.poll(t_ns)
        if self.venue_1 is not None:
            self.venue_1.poll(t_ns)
        if self.venue_2 is not None:
            self.venue_2.poll(t_ns)
        if self.venue_3 is not None:
            self.venue_3.poll(t_ns)

    cdef bint on_timer(self, uint64_t t_ns) noexcept nogil:
        """The timers of all; whether a venue's session needs the driver."""
        cdef bint needed = False
        self.engine.on_timer(t_ns)
        if self.venue_0 is not None:
            self.venue_0.on_timer(t_ns)
            needed |= self.venue_0.needs_driver(t_ns)
        if self.venue_1 is not None:
            self.venue_1.on_timer(t_ns)
            needed |= self.venue_1.needs_driver(t_ns)
        if self.venue_2 is not None:
            self.venue_2.on_timer(t_ns)
            needed |= self.venue_2.needs_driver(t_ns)
        if self.venue_3 is not None:
            self.venue_3.on_timer(t_ns)
            needed |= self.venue_3.needs_driver(t_ns)
        return needed

    cdef void turn(self, uint64_t deadline_ns) noexcept nogil:
        """Turn until the deadline, or until a session needs the driver."""
        cdef uint64_t now
        cdef int taken
        while True:
            self.rounds += 1
            taken = self.take(self.line_a, 0)
            if self.line_b is not None:
                taken += self.take(self.line_b, 1)
            if taken:
                self.busy_rounds += 1
            # asked after the packets, which bear their own times: what follows is not before them
            now = self.clock.now_ns()
            if now >= deadline_ns:
                return
            if self.desk is not None:
                self.engine.begin_reports(now)
                self.desk.poll(now)
            if now >= self.next_poll_ns:
                if self.recovery is not None and self.take(self.recovery, 2):
                    now = self.clock.now_ns()
                self.poll_venues(now)
                self.next_poll_ns = now + self.poll_interval_ns
            if now >= self.next_timer_ns:
                self.next_timer_ns = now + self.timer_interval_ns
                if self.on_timer(now):
                    return
            if taken == 0 and not self.spin:
                usleep(IDLE_SLEEP_US)

    def run(self, uint64_t nanoseconds):
        """Run for so long at the most, without the interpreter lock."""
        cdef uint64_t deadline_ns = self.clock.now_ns() + nanoseconds
        with nogil:
            self.turn(deadline_ns)

    def report(self):
        """Turns of the loop, and those that found packets."""
        return {"rounds": self.rounds, "busy_rounds": self.busy_rounds}
