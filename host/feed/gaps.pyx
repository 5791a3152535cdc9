# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Which messages are missing, since when, and what came of it."""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memmove, memset
from host.feed.enumerations import GAP_CLOSED, LINE
from host.feed.ids cimport (
    FEED_GAP_TABLE_FULL, FEED_GAPS, FEED_GAPS_LATE, FEED_GAPS_NEVER, FEED_GAPS_OTHER_LINE,
    FEED_GAPS_RE_REQUEST, GAP_CLOSED_LATE, GAP_CLOSED_NEVER, GAP_CLOSED_OTHER_LINE,
    GAP_CLOSED_RE_REQUEST, LINE_COUNT, LINE_RE_REQUEST)


cdef class GapTable:
    """Up to ``capacity`` open gaps, and the last ``history`` closed ones.

    ``counters`` (the feed handler's array) is set by the owner.
    """

    def __cinit__(self, uint32_t capacity, uint32_t history):
        if capacity == 0 or history == 0:
            raise ValueError("a gap table holds at least one gap")
        self.capacity = capacity
        self.history_capacity = history
        self.gaps = <Gap *> calloc(capacity, sizeof(Gap))
        self.history = <ClosedGap *> calloc(history, sizeof(ClosedGap))
        if self.gaps == NULL or self.history == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.gaps)
        free(self.history)

    cdef void open(self, uint64_t first, uint64_t end, int line, uint64_t t_ns) noexcept nogil:
        """Messages first to end - 1, above all known ones, are missing."""
        cdef Gap *gap
        if self.count and (self.gaps[self.count - 1].end == first or self.count == self.capacity):
            gap = &self.gaps[self.count - 1]
            if gap.end != first:
                # asks again for messages that wait already; they will be duplicates
                self.counters[FEED_GAP_TABLE_FULL] += 1
            gap.end = end
            gap.opened_end = end
            return
        gap = &self.gaps[self.count]
        self.count += 1
        memset(gap, 0, sizeof(Gap))
        gap.first = gap.opened_first = first
        gap.end = gap.opened_end = end
        gap.opened_ns = gap.progress_ns = t_ns
        gap.line = line
        self.counters[FEED_GAPS] += 1

    cdef void fill(self, uint64_t first, uint64_t end, int line, uint64_t t_ns) noexcept nogil:
        """Messages first to end - 1 came on this line; what was missing of them no longer is."""
        cdef uint32_t i = 0
        cdef uint64_t low, high
        cdef Gap *gap
        while i < self.count:
            gap = &self.gaps[i]
            if gap.first >= end:
                return
            if gap.end <= first:
                i += 1
                continue
            low = first if first > gap.first else gap.first
            high = end if end < gap.end else gap.end
            gap.filled[line] += high - low
            gap.progress_ns = t_ns
            if line == LINE_RE_REQUEST:
                gap.answered = True
            if low == gap.first and high == gap.end:
                if line == LINE_RE_REQUEST:
                    self._close(i, GAP_CLOSED_RE_REQUEST, t_ns)
                elif line == gap.line:
                    self._close(i, GAP_CLOSED_LATE, t_ns)
                else:
                    self._close(i, GAP_CLOSED_OTHER_LINE, t_ns)
                continue
            if low == gap.first:
                gap.first = high
            elif high == gap.end:
                gap.end = low
            elif self._make_room(i):
                self.gaps[i + 1].first = self.gaps[i + 1].opened_first = high
                memset(self.gaps[i + 1].filled, 0, sizeof(gap.filled))
                if self.gaps[i + 1].requested_end <= high:
                    self.gaps[i + 1].requested_end = 0
                gap.end = gap.opened_end = low
                self.counters[FEED_GAPS] += 1
                i += 1
            i += 1

    cdef bint _make_room(self, uint32_t index) noexcept nogil:
        """Double a gap; False (and it stays as it is, asked for whole) when there is no room."""
        if self.count == self.capacity:
            self.counters[FEED_GAP_TABLE_FULL] += 1
            return False
        memmove(&self.gaps[index + 1], &self.gaps[index], (self.count - index) * sizeof(Gap))
        self.count += 1
        return True

    cdef void give_up(self, uint64_t end, uint64_t t_ns) noexcept nogil:
        """No message below ``end`` is waited for any longer."""
        while self.count and self.gaps[0].first < end:
            if self.gaps[0].end > end:
                self.gaps[0].first = end
                return
            self._close(0, GAP_CLOSED_NEVER, t_ns)

    cdef void _close(self, uint32_t index, int how, uint64_t t_ns) noexcept nogil:
        cdef ClosedGap *place = &self.history[self.closed % self.history_capacity]
        place.gap = self.gaps[index]
        place.closed_ns = t_ns
        place.how = how
        self.closed += 1
        if how == GAP_CLOSED_OTHER_LINE:
            self.counters[FEED_GAPS_OTHER_LINE] += 1
        elif how == GAP_CLOSED_RE_REQUEST:
            self.counters[FEED_GAPS_RE_REQUEST] += 1
        elif how == GAP_CLOSED_LATE:
            self.counters[FEED_GAPS_LATE] += 1
        else:
            self.counters[FEED_GAPS_NEVER] += 1
        self.count -= 1
        memmove(&self.gaps[index], &self.gaps[index + 1], (self.count - index) * sizeof(Gap))
        if index == 0 and self.count and place.gap.filled[LINE_RE_REQUEST]:
            # The server answers, and may have had no time for this one before: it counts from now.
            self.gaps[0].progress_ns = t_ns
            self.gaps[0].attempts = 0

    def report(self):
        """Open gaps and the last closed ones, oldest first, as a list of dicts.

        Each has ``first`` and ``last`` (sequence numbers as it opened), ``line`` that revealed it,
        ``opened_ns``, ``closed_ns`` and ``how`` (both None while it is open), ``filled`` (messages
        by the line that brought them).
        """
        cdef uint64_t number
        cdef uint64_t oldest = 0
        cdef uint32_t i
        report = []
        if self.closed > self.history_capacity:
            oldest = self.closed - self.history_capacity
        for number in range(oldest, self.closed):
            i = number % self.history_capacity
            report.append(gap_dict(&self.history[i].gap, self.history[i].closed_ns,
                                   GAP_CLOSED.name_of(self.history[i].how)))
        for i in range(self.count):
            report.append(gap_dict(&self.gaps[i], None, None))
        return report


cdef dict gap_dict(const Gap *gap, closed_ns, how):
    return {
        "first": gap.opened_first,
        "last": gap.opened_end - 1,
        "line": LINE.name_of(gap.line),
        "opened_ns": gap.opened_ns,
        "closed_ns": closed_ns,
        "how": how,
        "filled": {LINE.names[i]: gap.filled[i] for i in range(LINE_COUNT)},
    }
