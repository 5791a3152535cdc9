# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A second gate that is asked before the host's own: what it must answer and be told."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from host.model cimport OrderRequest, Top
from host.risk.ids cimport GATE_OFFLOAD_COUNT

cdef struct CardVerdict:
    bint passed
    int reason                     # RISK_*
    uint32_t user_ref_num          # given to it; of a cancel its order's
    uint64_t pass_number           # passes so far, this one included
    uint64_t t_ns                  # the time that every check took for now


cdef class GateOffload:
    cdef readonly int failure              # CARD_FAILURE_*; not 0: it is out of the path for good
    cdef uint64_t counts[GATE_OFFLOAD_COUNT]

    # The verdict about a request; False when none can be had (``failure`` says why). ``top`` is
    # what the host knows of the symbol's market, NULL where it does not matter.
    cdef bint decide(self, const OrderRequest *request, const Top *top, uint8_t phase,
                     uint64_t t_ns, CardVerdict *verdict) noexcept nogil
    # A command of the table COMMAND with its arguments in order; those it does not have are 0.
    cdef void command(self, int number, uint64_t first, uint64_t second, uint64_t third,
                      uint64_t fourth, uint64_t fifth) noexcept nogil
    # The control thread lives, at this time.
    cdef void heartbeat(self, uint64_t t_ns) noexcept nogil
    # It is out of step: the first reason stands.
    cdef void fail(self, int failure) noexcept nogil
    cdef void count(self, int counter) noexcept nogil

cdef inline void tell(GateOffload offload, int number, uint64_t first, uint64_t second=0,
                      uint64_t third=0, uint64_t fourth=0, uint64_t fifth=0) noexcept nogil:
    """Pass a command on where there is somebody to pass it on to."""
    if offload is not None:
        offload.command(number, first, second, third, fourth, fifth)
