# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A second gate that is asked before the host's own: what it must answer and be told.

With one, the host's gate decides once more about every request, at the time that the verdict took
for now, and holds reason, order number and number of passes against it. Whatever changes one gate
changes the other, in the same order. A difference, or no answer, puts it out of the path for good:
the host's gate kills everything and only lets cancels through.
"""

from host.risk.enumerations import CARD_FAILURE, GATE_OFFLOAD
from host.risk.ids cimport CARD_FAILURE_NONE, CARD_FAILURE_NO_ANSWER, GATE_OFFLOAD_FAILURES


cdef class GateOffload:
    """A gate beside the host's; this one does not answer."""

    cdef bint decide(self, const OrderRequest *request, const Top *top, uint8_t phase,
                     uint64_t t_ns, CardVerdict *verdict) noexcept nogil:
        self.fail(CARD_FAILURE_NO_ANSWER)
        return False

    cdef void command(self, int number, uint64_t first, uint64_t second, uint64_t third,
                      uint64_t fourth, uint64_t fifth) noexcept nogil:
        pass

    cdef void heartbeat(self, uint64_t t_ns) noexcept nogil:
        pass

    cdef void fail(self, int failure) noexcept nogil:
        if self.failure == CARD_FAILURE_NONE:
            self.failure = failure
            self.counts[GATE_OFFLOAD_FAILURES] += 1

    cdef void count(self, int counter) noexcept nogil:
        self.counts[counter] += 1

    def set_limits(self, symbol_index, limits, uint64_t sequence_number):
        """Put a whole set of limits in force, as the host's gate did."""

    @property
    def has_failed(self):
        """Whether it is out of the path."""
        return self.failure != CARD_FAILURE_NONE

    @property
    def failure_name(self):
        """Why it is out of the path: a name of ``CARD_FAILURE``."""
        return CARD_FAILURE.name_of(self.failure)

    def counters(self):
        """Everything counted (:data:`~host.risk.enumerations.GATE_OFFLOAD`)."""
        return GATE_OFFLOAD.as_dict(self.counts)
