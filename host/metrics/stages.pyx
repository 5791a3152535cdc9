# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Latency of each stage, from the time stamp counters that a trace carries."""

from libc.stdint cimport uint64_t
from host.metrics.enumerations import INTERVAL, STAGE_CLOCK
from host.metrics.ids cimport (STAGE_CLOCK_BACKWARDS, STAGE_CLOCK_COUNT, STAGE_CLOCK_MISSING,
                               STAGE_CLOCK_ORDERS)
from host.model cimport (STAGE_BOOK, STAGE_DECODED, STAGE_INTENT, STAGE_RECEIVED, STAGE_RISK,
                         STAGE_SENT, STAGES, Trace)


cdef class StageClock:
    """Histograms of the intervals t0-t1, t1-t2 ... t4-t5 and t0-t5, in nanoseconds.

    The stages are those of the first order of each packet: a further one waited for the sends
    before it, and stands with its t0-t5 under ``following``.

    ``ns_per_tick`` is the length of a tick of the time stamp counter (``nic.clock.Clock``). A stamp
    that is zero was never set, for example by an order that a timer caused; its intervals are left
    out and counted.
    """

    def __init__(self, double ns_per_tick, int significant_digits=3):
        if not ns_per_tick > 0:
            raise ValueError("ns_per_tick must be more than 0")
        self.ns_per_tick = ns_per_tick
        self.decode = Histogram(significant_digits)
        self.book = Histogram(significant_digits)
        self.strategy = Histogram(significant_digits)
        self.risk = Histogram(significant_digits)
        self.send = Histogram(significant_digits)
        self.total = Histogram(significant_digits)
        self.following = Histogram(significant_digits)

    cdef void record(self, const Trace *trace) noexcept nogil:
        """Take the stamps of an order that left."""
        cdef const uint64_t *t = &trace.stamps[0]
        self.counts[STAGE_CLOCK_ORDERS] += 1
        if t[STAGE_RECEIVED] != 0 and t[STAGE_RECEIVED] == self.last_received:
            self._interval(self.following, t[STAGE_RECEIVED], t[STAGE_SENT])
            return
        self.last_received = t[STAGE_RECEIVED]
        self._interval(self.decode, t[STAGE_RECEIVED], t[STAGE_DECODED])
        self._interval(self.book, t[STAGE_DECODED], t[STAGE_BOOK])
        self._interval(self.strategy, t[STAGE_BOOK], t[STAGE_INTENT])
        self._interval(self.risk, t[STAGE_INTENT], t[STAGE_RISK])
        self._interval(self.send, t[STAGE_RISK], t[STAGE_SENT])
        self._interval(self.total, t[STAGE_RECEIVED], t[STAGE_SENT])

    cdef void _interval(self, Histogram histogram, uint64_t start, uint64_t end) noexcept nogil:
        if start == 0 or end == 0:
            self.counts[STAGE_CLOCK_MISSING] += 1
        elif end < start:
            self.counts[STAGE_CLOCK_BACKWARDS] += 1
        else:
            histogram.record(<uint64_t> (<double> (end - start) * self.ns_per_tick))

    def add(self, stamps):
        """Take the six stamps t0 to t5 in ticks; the Python entry to recording.

        Raises ``ValueError`` when there are not six.
        """
        cdef Trace trace
        cdef int stage
        if len(stamps) != STAGES:
            raise ValueError(f"a trace has {STAGES} stamps")
        for stage in range(STAGES):
            trace.stamps[stage] = stamps[stage]
        self.record(&trace)

    def histograms(self):
        """Interval name to its :class:`~host.metrics.histogram.Histogram`."""
        ordered = (self.decode, self.book, self.strategy, self.risk, self.send, self.total,
                   self.following)
        return dict(zip(INTERVAL.names, ordered, strict=True))

    def summary(self):
        """Interval name to the summary of its histogram, in ns."""
        return {name: histogram.summary() for name, histogram in self.histograms().items()}

    def counters(self):
        """Name to number of :data:`~host.metrics.enumerations.STAGE_CLOCK`."""
        return STAGE_CLOCK.as_dict(self.counts)

    def reset(self):
        """Forget everything."""
        cdef int i
        for histogram in self.histograms().values():
            histogram.reset()
        for i in range(STAGE_CLOCK_COUNT):
            self.counts[i] = 0
