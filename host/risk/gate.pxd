# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The risk gate: between execution and order management, the only way to an order on the wire."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.interfaces cimport OrderEntry, OrderPath, Recorder
from host.model cimport OrderRequest, PassedOrder, Top, Trace
from host.risk.exposure cimport Exposures, OpenOrder
from nic.offload.ids cimport GATE_VENUES, LIMIT_COUNT, RISK_COUNT
from host.risk.recent cimport RecentOrders
from host.risk.seal cimport Seal, SealChecker

cdef struct LimitSet:              # one whole set; indices are LIMIT_* of nic/offload/ids.pxd
    int64_t values[LIMIT_COUNT]

cdef struct Change:                # what a request adds to the worst case, if it passes
    int64_t leaves                 # shares the order would leave open
    int64_t notional               # their price times shares
    int64_t shares_added           # to the shares reserved on its side
    int64_t notional_added
    bint is_smaller                # a replace that is in no way more than the order it replaces


@cython.final
cdef class RiskGate(OrderEntry):
    cdef const Top *tops
    cdef uint32_t symbol_count     # of the tops; at most exposures.symbol_capacity
    cdef Trace *trace              # STAGE_RISK is stamped when not NULL
    cdef OrderPath path            # the order management; None: the gate numbers by itself
    cdef Recorder recorder         # refusals are recorded when not None
    cdef readonly Exposures exposures
    cdef readonly int last_reason
    cdef int path_reason           # why the path took nothing; it may set this
    cdef RecentOrders recent
    cdef Seal seal
    cdef Top *own_tops
    cdef LimitSet gate_limits      # the default set
    cdef LimitSet *limit_sets      # one per symbol
    cdef uint8_t *symbol_killed
    cdef uint8_t *strategy_killed
    cdef uint8_t session_up[GATE_VENUES]
    cdef bint killed
    cdef bint stale
    cdef bint limits_were_set
    cdef bint rate_closed
    cdef uint64_t rate_interval_ns
    cdef uint64_t rate_tolerance_ns
    cdef uint64_t rate_next_ns     # when the bucket will be full again
    cdef uint64_t pass_number      # of the latest pass
    cdef uint32_t next_number      # without a path
    cdef uint64_t counts[RISK_COUNT]
    cdef readonly uint64_t limits_sequence_number
    cdef object default_limits
    cdef dict symbol_limits
    cdef object armed

    cdef void prefetch(self, uint32_t symbol_index) noexcept nogil
    cdef void set_stale(self, bint is_stale) noexcept nogil
    cdef void set_session(self, uint16_t venue, bint is_up) noexcept nogil
    cdef void bind_tops(self, const Top *tops, uint32_t symbol_count) noexcept
    cdef uint32_t number(self, const PassedOrder *passed) noexcept nogil
    cdef int check(self, OrderRequest *request, uint64_t t_ns) noexcept nogil
    cdef int check_sendable(self, const OrderRequest *request,
                            const OpenOrder *order) noexcept nogil
    cdef void measure(self, const OrderRequest *request, const OpenOrder *order,
                      Change *change) noexcept nogil
    cdef int check_state(self, uint32_t symbol_index) noexcept nogil
    cdef int check_collars(self, const OrderRequest *request, const LimitSet *limits,
                           uint64_t t_ns) noexcept nogil
    cdef int check_exposure(self, const OrderRequest *request, const LimitSet *limits,
                            const Change *change) noexcept nogil
    cdef bint reduces(self, const OrderRequest *request, const Change *change) noexcept nogil
    cdef bint crosses_own(self, const OrderRequest *request) noexcept nogil
    cdef bint has_token(self, uint64_t t_ns) noexcept nogil
    cdef void take_token(self, uint64_t t_ns) noexcept nogil
    cdef void record(self, const OrderRequest *request, int reason, uint64_t t_ns) noexcept nogil
