# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The run-to-completion loop: ports, timers and order-entry sessions around one engine."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from host.engine cimport Engine
from host.gateway.ouch cimport OuchChannel
from host.interfaces cimport RequestSink
from host.remote.desk cimport OrderDesk
from nic.clock cimport Clock
from nic.port cimport Packet, Port

cdef enum:
    BURST = 64

cdef class PortRequests(RequestSink):
    cdef Port port

cdef class Loop:
    cdef Engine engine
    cdef readonly Clock clock
    cdef Port line_a
    cdef Port line_b
    cdef Port recovery
    cdef OuchChannel venue_0
    cdef OuchChannel venue_1
    cdef OuchChannel venue_2
    cdef OuchChannel venue_3
    cdef OrderDesk desk                   # of strategy hosts, None without any
    cdef Packet packets[BURST]
    cdef bint spin
    cdef uint64_t timer_interval_ns
    cdef uint64_t poll_interval_ns
    cdef uint64_t next_timer_ns
    cdef uint64_t next_poll_ns
    cdef readonly uint64_t rounds         # turns of the loop
    cdef readonly uint64_t busy_rounds    # turns that found packets

    cdef int take(self, Port port, int line) noexcept nogil
    cdef void poll_venues(self, uint64_t t_ns) noexcept nogil
    cdef bint on_timer(self, uint64_t t_ns) noexcept nogil
    cdef void turn(self, uint64_t deadline_ns) noexcept nogil
