# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The engine of a strategy host: events of a followed feed in, order requests out."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from host.execution.execution cimport Execution
from host.interfaces cimport OrderEventSink
from host.ipc.feed_codec cimport FeedEvent
from host.model cimport OrderEvent
from host.publish.follower cimport FeedFollower
from host.remote.remote_gate cimport RemoteGate
from host.strategy.strategy cimport FastStrategy
from nic.clock cimport Clock

cdef class EventsToOwner(OrderEventSink):
    cdef FastStrategy first

cdef class StrategyEngine(FeedFollower):
    cdef readonly Clock clock
    cdef readonly RemoteGate gate
    cdef readonly Execution execution
    cdef readonly bint is_exhausted        # the publisher ended and everything was taken
    cdef readonly uint64_t rounds          # turns of the loop
    cdef readonly uint64_t busy_rounds     # turns that found events or reports
    cdef FastStrategy first                # chain of strategies, None without any
    cdef EventsToOwner owner
    cdef bint spin
    cdef bint moved                        # the event at work changed its symbol's top
    cdef bint is_trading                   # told to the strategies: they have started
    cdef uint64_t t_ns
    cdef uint64_t timer_interval_ns
    cdef uint64_t next_timer_ns
    cdef uint64_t naming                   # times that symbols changed their indices
    cdef uint64_t named                    # of these, known to `indices`
    cdef dict indices                      # symbol to index, as far as it was asked for

    cdef void tell_all(self) noexcept nogil
    cdef void turn(self, uint64_t deadline_ns) noexcept nogil
