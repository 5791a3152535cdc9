# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The order desk: takes the requests of strategy hosts to the feed host's own risk gate."""

from cpython.ref cimport PyObject
from libc.stdint cimport uint32_t, uint64_t
from host.oms.oms cimport OrderManager
from host.remote.seat cimport Seat
from host.risk.gate cimport RiskGate
from host.strategy.strategy cimport FastStrategy

cdef enum:
    LARGEST_SEATS = 64

cdef class OrderDesk(FastStrategy):
    cdef readonly list seats
    cdef readonly list servers             # of lines that arrive by themselves
    cdef PyObject *seat_table[LARGEST_SEATS]
    cdef uint32_t seat_count
    cdef uint32_t first_served             # seat that is asked first in the next turn
    cdef readonly uint64_t silence_ns
    cdef readonly bint cancels_on_disconnect
    cdef readonly uint64_t turned_away     # lines that found no seat

    cdef void poll(self, uint64_t t_ns) noexcept nogil
