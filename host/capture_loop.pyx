# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Drives an engine from files: captures and BinaryFILE streams, in the time of the file.

The times are those of the capture (or of the messages), so two runs are the same to the byte. The
engine's timer is called whenever that time has passed the next tick.
"""

from host.engine cimport ANY_LINE
from nic.binary_file cimport BinaryFile, FileMessage
from nic.clock cimport rdtsc
from nic.port cimport LAYER_FRAME
from nic.wire.itch50_codec cimport ITCH50_SYSTEM_EVENT_LENGTH, itch50_system_event_timestamp

cdef enum:
    SILENCE_STEP_NS = 500_000_000

cdef uint64_t LONGEST_SILENCE_NS = 86_400_000_000_000  # a day; more is a jump, not a silence


cdef class Counterparty:
    """What answers the orders of a replay; the plain class never does."""

    cdef void work(self, uint64_t t_ns) noexcept nogil:
        """Take what the client sent, and answer."""


cdef class CaptureLoop:
    """Feeds an engine from a capture's port or from a BinaryFILE.

    ``counterparty`` answers what leaves on ``channel``; both are None without orders. With
    ``stamps`` each packet's turn is stamped, for benchmarks; it changes no decision.
    """

    def __init__(self, Engine engine not None, *, Counterparty counterparty=None,
                 OuchChannel channel=None, uint64_t timer_interval_ns=1_000_000,
                 bint stamps=False, bint settle_by_burst=False):
        if (counterparty is None) != (channel is None):
            raise ValueError("capture loop: a counterparty and a channel belong together")
        self.engine = engine
        self.counterparty = counterparty
        self.channel = channel
        self.timer_interval_ns = timer_interval_ns
        self.stamps = stamps
        self.settle_by_burst = settle_by_burst

    cdef void advance(self, uint64_t t_ns) noexcept nogil:
        """Let time go on: through a silence in steps short enough for every timer."""
        if self.last_ns == 0 or t_ns - self.last_ns > LONGEST_SILENCE_NS:
            self.last_ns = max(t_ns, self.last_ns)
        while self.last_ns + SILENCE_STEP_NS < t_ns:
            self.tick(self.last_ns + SILENCE_STEP_NS)
            self.settle(self.last_ns)
        if t_ns > self.last_ns and t_ns >= self.next_timer_ns:
            self.tick(t_ns)
        self.last_ns = max(t_ns, self.last_ns)

    cdef void tick(self, uint64_t t_ns) noexcept nogil:
        """Every timer, at ``t_ns``."""
        self.last_ns = t_ns
        self.next_timer_ns = t_ns + self.timer_interval_ns
        self.engine.on_timer(t_ns)
        if self.channel is not None:
            self.channel.on_timer(t_ns)

    cdef void settle(self, uint64_t t_ns) noexcept nogil:
        """Let the counterparty answer, and take its answers."""
        if self.channel is not None:
            self.counterparty.work(t_ns)
            self.engine.begin_reports(t_ns)
            self.channel.poll(t_ns)
            if self.channel.needs_driver(t_ns):
                self.drive(t_ns)

    cdef void drive(self, uint64_t t_ns) noexcept with gil:
        """The session was lost (a jump in time does that): connect again."""
        self.channel.drive(t_ns)

    cdef uint64_t take(self, Port port, uint64_t limit) noexcept nogil:
        """Up to ``limit`` packets of the port; fewer at its end."""
        cdef uint64_t taken = 0
        cdef int count, i
        while taken < limit:
            count = port.receive_burst(self.burst, <int> min(limit - taken, CAPTURE_BURST))
            if count <= 0:
                break
            for i in range(count):
                self.advance(self.burst[i].kernel_ns)
                # The file's times may step back; the engine's time never does.
                self.engine.on_frame(ANY_LINE, self.burst[i].data, self.burst[i].length,
                                     rdtsc() if self.stamps else 0, self.last_ns)
                if not self.settle_by_burst:
                    self.settle(self.last_ns)
            if self.settle_by_burst:
                self.settle(self.last_ns)
            port.release()
            taken += count
        self.packets += taken
        return taken

    def run_port(self, Port port not None, uint64_t limit):
        """Take up to ``limit`` packets of a port; how many there were, fewer at its end."""
        cdef uint64_t taken
        if port.layer != LAYER_FRAME:
            raise ValueError(f"{port.name}: a capture has whole frames")
        with nogil:
            taken = self.take(port, limit)
        return taken

    def run_messages(self, BinaryFile file not None, uint64_t limit):
        """Take up to ``limit`` ITCH messages of a BinaryFILE, timed by their own time stamps."""
        cdef FileMessage messages[CAPTURE_BURST]
        cdef uint64_t taken = 0
        cdef int count, i
        with nogil:
            while taken < limit:
                count = file.read_burst(messages, <int> min(limit - taken, CAPTURE_BURST))
                if count <= 0:
                    break
                for i in range(count):
                    self.engine.prefetch(messages[i].data, messages[i].length)
                for i in range(count):
                    if messages[i].length >= ITCH50_SYSTEM_EVENT_LENGTH:
                        self.advance(itch50_system_event_timestamp(messages[i].data))
                    self.sequence_number += 1
                    self.engine.message_at(messages[i].data, messages[i].length,
                                           self.sequence_number, self.last_ns)
                    self.settle(self.last_ns)
                taken += count
        return taken
