# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The gate on a card, as the second gate of the host's."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from host.model cimport OrderRequest, Top
from host.risk.offload cimport CardVerdict, GateOffload
from nic.offload.device cimport LONGEST_COMMAND_BYTES, OffloadDevice
from nic.offload.record_stream cimport RecordStream


cdef class CardGate(GateOffload):
    cdef readonly object card              # nic.offload.card.Card
    cdef readonly RecordStream stream
    cdef OffloadDevice device
    cdef uint64_t polls                    # how often a verdict or room is asked for
    cdef uint32_t tag                      # of the latest request
    cdef object planted                    # name of a limit that the card gets otherwise, or None
    cdef readonly uint64_t busy_ticks      # of the time stamp counter, spent on verdicts

    cdef bint give(self, const uint8_t *command, uint32_t length) noexcept nogil
    cdef void set_top(self, uint32_t symbol_index, const Top *top) noexcept nogil
    cdef bint ask(self, const OrderRequest *request) noexcept nogil
    cdef bint is_ours(self, const OrderRequest *request) noexcept nogil
