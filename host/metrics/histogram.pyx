# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A histogram of 64-bit values with constant relative error, in the layout of HdrHistogram.

Layout (Gil Tene, HdrHistogram, unit magnitude 0): with ``d`` significant digits the sub-buckets are
the power of two ``S`` at or above ``2 * 10**d``. The first bucket holds the values 0 to ``S - 1``
one by one; each further bucket doubles the range and has ``S / 2`` sub-buckets, each twice as wide
as in the bucket before. A value is therefore known to one part in ``S / 2``, that is to ``d``
digits. Every 64-bit value has its place, so nothing can fall outside. Recording is a shift, an
addition and no allocation.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset


cdef class Histogram:
    """Counts of unsigned 64-bit values, for example nanoseconds.

    ``significant_digits`` (1 to 4) sets the precision; 3 takes 440 KiB of address space, of which
    only the pages that values fall into are ever touched.
    """

    def __cinit__(self, int significant_digits=3):
        if not 1 <= significant_digits <= 4:
            raise ValueError("significant_digits must be 1 to 4")
        cdef uint64_t sub_buckets = 1
        cdef uint32_t magnitude = 0
        while sub_buckets < 2 * 10 ** significant_digits:
            sub_buckets <<= 1
            magnitude += 1
        self.significant_digits = significant_digits
        self.half_magnitude = magnitude - 1
        self.sub_bucket_mask = sub_buckets - 1
        self.buckets = (64 - magnitude + 2) << self.half_magnitude
        self.counts = <uint64_t *> calloc(self.buckets, sizeof(uint64_t))
        if self.counts == NULL:
            raise MemoryError()
        self.lowest = <uint64_t> -1

    def __dealloc__(self):
        free(self.counts)

    cdef uint32_t index_of(self, uint64_t value) noexcept nogil:
        """Index of the value's sub-bucket in ``counts``."""
        cdef uint32_t shift = (64 - tickwire_leading_zeros(value | self.sub_bucket_mask)
                               - (self.half_magnitude + 1))
        return (shift << self.half_magnitude) + <uint32_t> (value >> shift)

    cdef uint64_t highest_equivalent(self, uint32_t index) noexcept nogil:
        """The largest value that shares a sub-bucket."""
        cdef uint32_t half = <uint32_t> 1 << self.half_magnitude
        cdef uint32_t shift
        if index < 2 * half:
            return index
        shift = (index >> self.half_magnitude) - 1
        return ((<uint64_t> (index - (shift << self.half_magnitude)) << shift)
                + ((<uint64_t> 1 << shift) - 1))

    cdef void record(self, uint64_t value) noexcept nogil:
        """Count one value."""
        self.record_many(value, 1)

    cdef void record_many(self, uint64_t value, uint64_t count) noexcept nogil:
        """Count ``count`` equal values."""
        if count == 0:
            return
        self.counts[self.index_of(value)] += count
        self.count += count
        self.sum += <double> value * <double> count
        if value < self.lowest:
            self.lowest = value
        if value > self.highest:
            self.highest = value

    def add(self, value, count=1):
        """Count ``count`` values ``value``; the Python entry to recording."""
        self.record_many(value, count)

    def percentile(self, double percent):
        """The value that ``percent`` (0 to 100) of the recorded values do not exceed.

        It is the largest value of the sub-bucket reached, but never above the recorded maximum;
        0 when nothing was recorded. Raises ``ValueError`` for a percentage out of range.
        """
        if not 0 <= percent <= 100:
            raise ValueError("a percentage is 0 to 100")
        cdef uint64_t wanted = <uint64_t> (percent / 100 * self.count + 0.5)
        cdef uint64_t seen = 0
        cdef uint32_t index
        if wanted == 0:
            wanted = 1
        if self.count == 0:
            return 0
        for index in range(self.index_of(self.lowest), self.buckets):
            seen += self.counts[index]
            if seen >= wanted:
                return min(self.highest_equivalent(index), self.highest)
        return self.highest

    @property
    def minimum(self):
        """The smallest value recorded, exactly; 0 when nothing was."""
        return self.lowest if self.count else 0

    @property
    def maximum(self):
        """The largest value recorded, exactly; 0 when nothing was."""
        return self.highest

    @property
    def mean(self):
        """The mean of the exact values; 0.0 when nothing was recorded."""
        return self.sum / self.count if self.count else 0.0

    def summary(self):
        """``min``, ``p50``, ``p99``, ``p99_9``, ``max``, ``count``, ``mean`` of the values."""
        return {
            "min": self.minimum,
            "p50": self.percentile(50),
            "p99": self.percentile(99),
            "p99_9": self.percentile(99.9),
            "max": self.maximum,
            "count": self.count,
            "mean": self.mean,
        }

    def merge(self, Histogram other not None):
        """Add all that ``other`` holds; raises ``ValueError`` when its precision differs."""
        cdef uint32_t index
        if other.significant_digits != self.significant_digits:
            raise ValueError("histograms of different precision can't be merged")
        for index in range(self.buckets):
            self.counts[index] += other.counts[index]
        self.count += other.count
        self.sum += other.sum
        self.lowest = min(self.lowest, other.lowest)
        self.highest = max(self.highest, other.highest)

    def reset(self):
        """Forget everything."""
        memset(self.counts, 0, self.buckets * sizeof(uint64_t))
        self.count = 0
        self.sum = 0
        self.highest = 0
        self.lowest = <uint64_t> -1
