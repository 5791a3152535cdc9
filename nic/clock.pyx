# cython: language_level=3, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The time stamp counter (TSC), and nanoseconds made from it.

The rate is measured against ``CLOCK_MONOTONIC_RAW``, which the kernel derives from the same
counter where the TSC is its clock source; the longer the process lives, the better the rate of a
new clock. The epoch is ``CLOCK_REALTIME`` at the moment the clock was made: steps and slews of the
system clock after that do not move it, so that it never runs backwards.
"""

cimport cython
from libc.stdint cimport int64_t, uint64_t
from posix.time cimport CLOCK_REALTIME, clock_gettime, nanosleep, timespec

cdef extern from "time.h":
    int CLOCK_MONOTONIC_RAW

cdef extern from "cpuid.h":
    int __get_cpuid(unsigned int leaf, unsigned int *eax, unsigned int *ebx, unsigned int *ecx,
                    unsigned int *edx) nogil

cdef extern from *:
    """
    #include <stdint.h>
    #define TW_CLOCK_SHIFT 48
    static inline uint64_t tw_scale(int64_t ticks, uint64_t multiplier)
    { return (uint64_t)(int64_t)(((__int128)ticks * multiplier) >> TW_CLOCK_SHIFT); }
    static inline uint64_t tw_multiplier(uint64_t ns, uint64_t ticks)
    { return (uint64_t)((((unsigned __int128)ns << TW_CLOCK_SHIFT) + ticks / 2) / ticks); }
    """
    uint64_t tw_scale(int64_t ticks, uint64_t multiplier) noexcept nogil
    uint64_t tw_multiplier(uint64_t ns, uint64_t ticks) noexcept nogil

cdef enum:
    READINGS = 32                     # of which the narrowest counts
    SHORTEST_BASELINE_NS = 50000000   # error of a reading is some 20 ns: under 1 ppm

cdef struct Reading:
    uint64_t tsc
    uint64_t ns


cdef Reading read_both(int clock_id) noexcept nogil:
    """The TSC and a system clock at one moment: the narrowest of several tries."""
    cdef Reading best
    cdef uint64_t before, after, narrowest = <uint64_t> -1
    cdef timespec t
    cdef int _i
    best.tsc = best.ns = 0
    for _i in range(READINGS):
        before = rdtsc()
        clock_gettime(clock_id, &t)
        after = rdtsc()
        if after - before < narrowest:
            narrowest = after - before
            best.tsc = before + narrowest // 2
            best.ns = <uint64_t> t.tv_sec * 1000000000 + <uint64_t> t.tv_nsec
    return best


cdef Reading anchor = read_both(CLOCK_MONOTONIC_RAW)


cdef uint64_t measured_multiplier() noexcept nogil:
    """Nanoseconds a tick since the module was loaded; waits where that is too short ago."""
    cdef Reading now = read_both(CLOCK_MONOTONIC_RAW)
    cdef timespec pause
    while now.ns - anchor.ns < SHORTEST_BASELINE_NS:
        pause.tv_sec = 0
        pause.tv_nsec = <long> (SHORTEST_BASELINE_NS - (now.ns - anchor.ns))
        nanosleep(&pause, NULL)
        now = read_both(CLOCK_MONOTONIC_RAW)
    return tw_multiplier(now.ns - anchor.ns, now.tsc - anchor.tsc)


@cython.final
cdef class Clock:
    """Nanoseconds since the Unix epoch from the TSC; monotonic, no system call.

    Making one takes up to 50 ms in the first moments of the process, microseconds later on.
    """

    def __cinit__(self):
        """Measure the rate and set the epoch."""
        cdef Reading base
        with nogil:
            self.multiplier = measured_multiplier()
            base = read_both(CLOCK_REALTIME)
        self.base_tsc = base.tsc
        self.base_ns = base.ns
        self.ns_per_tick = self.multiplier / 2.0 ** 48

    cpdef uint64_t now_ns(self) noexcept nogil:
        """Nanoseconds since the epoch, now."""
        return self.base_ns + tw_scale(<int64_t> (rdtsc() - self.base_tsc), self.multiplier)

    cpdef uint64_t to_ns(self, uint64_t tsc) noexcept nogil:
        """Nanoseconds since the epoch of a stamp, taken before or after the clock was made."""
        return self.base_ns + tw_scale(<int64_t> (tsc - self.base_tsc), self.multiplier)

    def drift_ns(self):
        """How far this clock is ahead of ``CLOCK_REALTIME``, nanoseconds."""
        cdef Reading real = read_both(CLOCK_REALTIME)
        return <int64_t> (self.to_ns(real.tsc) - real.ns)


def rdtsc_py():
    """The time stamp counter."""
    return rdtsc()


def tsc_is_invariant():
    """Whether the TSC runs at one rate in every power state (CPUID leaf 8000_0007h, EDX bit 8)."""
    cdef unsigned int a = 0, b = 0, c = 0, d = 0
    return bool(__get_cpuid(0x80000007, &a, &b, &c, &d) and d >> 8 & 1)
