# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""When each line and the feed were last heard, and whether that is too long ago."""

from libc.stdint cimport uint64_t
from host.feed.ids cimport LINE_B

cdef enum:
    MULTICAST_LINES = LINE_B + 1    # answers to re-requests say nothing of the feed

cdef struct Liveness:
    uint64_t stale_ns
    uint64_t heard_ns          # on any line; before the first datagram, when watching began
    uint64_t line_heard_ns[MULTICAST_LINES]
    bint watching
    bint stale
    bint line_heard[MULTICAST_LINES]
    bint line_stale[MULTICAST_LINES]

cdef inline bint liveness_heard(Liveness *live, int line, uint64_t t_ns) noexcept nogil:
    """A valid datagram came; True when the feed is back after it was stale."""
    cdef bint back = live.stale
    live.watching = True
    live.stale = False
    live.heard_ns = t_ns
    live.line_heard[line] = True
    live.line_stale[line] = False
    live.line_heard_ns[line] = t_ns
    return back

cdef inline bint liveness_overdue(const Liveness *live, uint64_t heard_ns,
                                  uint64_t t_ns) noexcept nogil:
    """Whether the time since then reaches the limit."""
    return t_ns >= heard_ns and t_ns - heard_ns >= live.stale_ns

cdef inline bint liveness_line_went_stale(Liveness *live, int line, uint64_t t_ns) noexcept nogil:
    """True once when a line that was heard before falls silent."""
    if (not live.line_heard[line] or live.line_stale[line]
            or not liveness_overdue(live, live.line_heard_ns[line], t_ns)):
        return False
    live.line_stale[line] = True
    return True

cdef inline bint liveness_went_stale(Liveness *live, uint64_t t_ns) noexcept nogil:
    """True once when nothing was heard for too long; the first call starts the watch."""
    if not live.watching:
        live.watching = True
        live.heard_ns = t_ns
    if live.stale or not liveness_overdue(live, live.heard_ns, t_ns):
        return False
    live.stale = True
    return True
