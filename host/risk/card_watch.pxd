# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Holds a card's verdicts against the host's, and stops everything when they differ."""

cimport cython
from libc.stdint cimport uint32_t, uint64_t

from host.interfaces cimport Recorder
from host.journal.journal_codec cimport JournalCardDifference
from host.risk.offload cimport CardVerdict, GateOffload
from host.risk.switches cimport Switches


@cython.final
cdef class CardWatch:
    cdef readonly GateOffload offload
    cdef Switches switches
    cdef Recorder recorder
    cdef readonly bint is_out              # the card is out of step, and everything killed for that
    cdef JournalCardDifference found       # why

    # Whether the card's verdict is the host's: reason, number and passes before; else it is out.
    cdef bint agrees(self, const CardVerdict *verdict, int reason, uint32_t user_ref_num,
                     uint64_t passes) noexcept nogil
    # The card is out of step: once. ``verdict`` NULL where it is not about one.
    cdef void fail(self, int failure, const CardVerdict *verdict, int reason,
                   uint32_t user_ref_num, uint64_t passes, uint64_t t_ns) noexcept nogil
