# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Lead times of the lines, message by message."""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from host.feed.ids cimport LINE_A, LINE_RE_REQUEST


cdef class ArrivalRing:
    """The last ``messages`` first arrivals by sequence number, and the lead times made of them.

    ``messages`` is rounded up to a power of two; 16 bytes each, taken at construction.
    """

    def __cinit__(self, uint64_t messages):
        cdef uint64_t size = 1
        while size < messages:
            size <<= 1
        self.mask = size - 1
        self.ring = <Arrival *> calloc(size, sizeof(Arrival))
        if self.ring == NULL:
            raise MemoryError()
        self.lead_a = Histogram()
        self.lead_b = Histogram()

    def __dealloc__(self):
        free(self.ring)

    cdef void remember(self, uint64_t first, uint64_t end, int line, uint64_t t_ns) noexcept nogil:
        """Messages first to end - 1 came first on this line."""
        cdef uint64_t sequence_number
        cdef Arrival *place
        for sequence_number in range(first, end):
            place = &self.ring[sequence_number & self.mask]
            place.t_ns = t_ns
            place.sequence_low = <uint32_t> sequence_number
            place.line = line

    cdef void copies(self, uint64_t first, uint64_t end, int line, uint64_t t_ns) noexcept nogil:
        """Messages first to end - 1 came again; those of one earlier datagram are taken at once."""
        cdef uint64_t at = first, run
        cdef const Arrival *place
        cdef const Arrival *following
        while at < end:
            place = &self.ring[at & self.mask]
            if place.sequence_low != <uint32_t> at:
                self.unknown += 1
                at += 1
                continue
            run = at + 1
            while run < end:
                following = &self.ring[run & self.mask]
                if (following.sequence_low != <uint32_t> run or following.t_ns != place.t_ns
                        or following.line != place.line):
                    break
                run += 1
            self.lead(place.line, place.t_ns, line, t_ns, run - at)
            at = run

    cdef void lead(self, int first_line, uint64_t first_ns, int line, uint64_t t_ns,
                   uint64_t count) noexcept nogil:
        """Record what ``count`` messages say that came on one line, then on another."""
        if first_line == line:
            self.same_line += count
        elif first_line == LINE_RE_REQUEST or line == LINE_RE_REQUEST:
            return
        # a datagram that waited for earlier messages may have come before what was delivered
        elif (first_line == LINE_A) == (t_ns >= first_ns):
            self.lead_a.record_many(t_ns - first_ns if t_ns >= first_ns else first_ns - t_ns, count)
        else:
            self.lead_b.record_many(t_ns - first_ns if t_ns >= first_ns else first_ns - t_ns, count)

    cdef void clear(self) noexcept nogil:
        """Forget the arrivals: the sequence numbers begin anew. The lead times stay."""
        memset(self.ring, 0, (self.mask + 1) * sizeof(Arrival))
