# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""A stream of events written into other hosts' memory by RDMA."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from host.ipc.event_stream cimport EventPublisher, EventReader
from nic.verbs.device cimport VerbsDevice
from nic.verbs.ring cimport RingReceiver, RingSender, SlotStore

cdef class RdmaPublisher(EventPublisher):
    cdef readonly uint64_t instance
    cdef readonly uint64_t joined          # consumers that ever were
    cdef readonly uint64_t parted          # of these, gone
    cdef readonly object server
    cdef readonly list consumers           # connections, in the order they came
    cdef readonly list departures          # why the last ones went: (name, reason)
    cdef public object watcher             # told of who joined and parted, or None
    cdef VerbsDevice device
    cdef bint owns_device
    cdef bint is_open
    cdef SlotStore store
    cdef RingSender first                  # the consumers' senders, linked
    cdef uint32_t batch                    # at most so many events wait for the burst's end
    cdef uint32_t waiting
    cdef uint64_t looked_ns
    cdef dict past                         # counters of those that have gone

    cdef void look(self) noexcept
    cdef void relink(self)

cdef class RdmaReader(EventReader):
    cdef readonly object connection
    cdef readonly uint64_t instance
    cdef readonly uint64_t connections     # that were made: 1, and one per reconnection
    cdef VerbsDevice device
    cdef bint owns_device
    cdef object how                        # address, secret, content, name
    cdef RingReceiver ring
    cdef uint64_t base_taken               # of the connections before
    cdef uint64_t base_lost
    cdef uint64_t base_overruns

    cdef void copy_counters(self) noexcept nogil
