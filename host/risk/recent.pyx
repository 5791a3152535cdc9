# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The orders that passed lately, to tell a duplicate.

A table of sets of a few ways. The set of an order comes from an exclusive-or fold of its key, so
that gateware finds it in one cycle. A new key takes the way whose order passed longest ago, the
lowest of equals.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from host.model cimport SIDE_BUY
from nic.offload.ids cimport GATE_DUPLICATE_SET_BITS, GATE_DUPLICATE_WAYS

cdef enum:
    SETS = 1 << GATE_DUPLICATE_SET_BITS


cdef inline uint64_t terms_of(const OrderRequest *request) noexcept nogil:
    return (<uint64_t> request.price | <uint64_t> request.quantity << 31
            | <uint64_t> (request.side != SIDE_BUY) << 51)


cdef inline uint64_t origin_of(const OrderRequest *request) noexcept nogil:
    return <uint64_t> request.symbol_index | <uint64_t> request.strategy_id << 32


cdef inline uint32_t set_of(uint64_t terms, uint64_t origin) noexcept nogil:
    cdef uint64_t fold = terms ^ origin << 13 ^ origin >> 27
    fold ^= fold >> 32
    fold ^= fold >> 2 * GATE_DUPLICATE_SET_BITS
    fold ^= fold >> GATE_DUPLICATE_SET_BITS
    return fold & (SETS - 1)


cdef class RecentOrders:
    """A fixed table of what passed, and when."""

    def __cinit__(self):
        self.entries = <RecentOrder *> calloc(
            SETS * GATE_DUPLICATE_WAYS, sizeof(RecentOrder))
        if self.entries == NULL:
            raise MemoryError("risk: no memory for the recent orders")
        self.place = self.entries

    def __dealloc__(self):
        free(self.entries)

    cdef bint holds(self, const OrderRequest *request, uint64_t t_ns,
                    uint64_t window_ns) noexcept nogil:
        """Whether the same order passed less than ``window_ns`` before ``t_ns``, or after it."""
        cdef uint64_t terms = terms_of(request)
        cdef uint64_t origin = origin_of(request)
        cdef RecentOrder *entry = &self.entries[set_of(terms, origin) * GATE_DUPLICATE_WAYS]
        cdef int way
        if window_ns == 0:
            return False
        for way in range(GATE_DUPLICATE_WAYS):
            if entry[way].terms == terms and entry[way].origin == origin:
                return t_ns < entry[way].passed_ns + window_ns
        return False

    cdef void remember(self, const OrderRequest *request, uint64_t t_ns) noexcept nogil:
        """The order passed."""
        cdef uint64_t terms = terms_of(request)
        cdef uint64_t origin = origin_of(request)
        cdef RecentOrder *entry = &self.entries[set_of(terms, origin) * GATE_DUPLICATE_WAYS]
        cdef RecentOrder *chosen = entry
        cdef int way
        for way in range(GATE_DUPLICATE_WAYS):
            if entry[way].terms == terms and entry[way].origin == origin:
                chosen = &entry[way]
                break
            if entry[way].passed_ns < chosen.passed_ns:
                chosen = &entry[way]
        self.evicted = chosen[0]
        self.place = chosen
        chosen.terms = terms
        chosen.origin = origin
        chosen.passed_ns = t_ns

    cdef void forget_latest(self) noexcept nogil:
        """Undo the latest :meth:`remember`: the order was not sent after all."""
        self.place[0] = self.evicted
