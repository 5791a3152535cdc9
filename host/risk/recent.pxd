# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The orders that passed lately, to tell a duplicate."""

cimport cython
from libc.stdint cimport uint32_t, uint64_t
from host.model cimport OrderRequest

cdef struct RecentOrder:
    uint64_t terms      # price 31 bits, quantity 20 << 31, sell 1 << 51; never 0
    uint64_t origin     # symbol index 32 bits, strategy 16 << 32
    uint64_t passed_ns


@cython.final
cdef class RecentOrders:
    cdef RecentOrder *entries
    cdef RecentOrder *place        # where the latest remember() wrote
    cdef RecentOrder evicted       # what stood there

    cdef bint holds(self, const OrderRequest *request, uint64_t t_ns,
                    uint64_t window_ns) noexcept nogil
    cdef void remember(self, const OrderRequest *request, uint64_t t_ns) noexcept nogil
    cdef void forget_latest(self) noexcept nogil
