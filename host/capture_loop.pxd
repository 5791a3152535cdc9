# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Drives an engine from files, in the time of the file."""

from libc.stdint cimport uint32_t, uint64_t
from host.engine cimport Engine
from host.gateway.ouch cimport OuchChannel
from nic.port cimport Packet, Port

cdef enum:
    CAPTURE_BURST = 64

cdef class Counterparty:
    cdef void work(self, uint64_t t_ns) noexcept nogil

cdef class CaptureLoop:
    cdef Engine engine
    cdef Counterparty counterparty
    cdef OuchChannel channel
    cdef uint64_t timer_interval_ns
    cdef uint64_t next_timer_ns
    cdef readonly uint64_t last_ns          # time of the newest input
    cdef readonly uint64_t packets
    cdef uint64_t sequence_number           # of the newest message of a BinaryFILE
    cdef Packet burst[CAPTURE_BURST]
    cdef bint settle_by_burst               # the counterparty answers bursts, not packets
    cdef bint stamps                        # whether the time of each packet's turn is stamped

    cdef void advance(self, uint64_t t_ns) noexcept nogil
    cdef void tick(self, uint64_t t_ns) noexcept nogil
    cdef void settle(self, uint64_t t_ns) noexcept nogil
    cdef void drive(self, uint64_t t_ns) noexcept with gil
    cdef uint64_t take(self, Port port, uint64_t limit) noexcept nogil
