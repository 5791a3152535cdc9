# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The risk gate: between execution and order management, the only way to an order on the wire."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.interfaces cimport OrderEntry, OrderPath, Recorder
from host.model cimport OrderRequest, PassedOrder, Top, Trace
from host.risk.card_watch cimport CardWatch
from host.risk.checks cimport Change, Totals
from host.risk.exposure cimport Exposures, OpenOrder
from host.risk.limit_rows cimport LimitRows, SymbolLimits
from host.risk.offload cimport CardVerdict, GateOffload
from host.risk.recent cimport RecentOrders
from host.risk.seal cimport Seal, SealChecker
from host.risk.switches cimport Switches
from nic.offload.ids cimport GATE_VENUES, RISK_COUNT


@cython.final
cdef class RiskGate(OrderEntry):
    cdef const Top *tops
    cdef uint32_t symbol_count     # of the tops; at most exposures.symbol_capacity
    cdef Trace *trace              # STAGE_RISK is stamped when not NULL
    cdef OrderPath path            # the order management; None: the gate numbers by itself
    cdef Recorder recorder         # refusals are recorded when not None
    cdef readonly GateOffload offload   # a card's gate, asked first; None: this one decides alone
    cdef readonly CardWatch watch  # of the offload; None without one
    cdef uint32_t given_number     # of the card, for the order on its way to the path; else 0
    cdef readonly Exposures exposures
    cdef readonly int last_reason
    cdef int path_reason           # why the path took nothing; it may set this
    cdef LimitRows limit_rows
    cdef Switches switches
    cdef RecentOrders recent
    cdef Seal seal
    cdef Top *own_tops
    cdef uint8_t session_up[GATE_VENUES]
    cdef uint64_t session_rate_next_ns[GATE_VENUES]    # when its token bucket will be full
    cdef bint stale
    cdef const uint8_t *market_phase   # MARKET_PHASE_*
    cdef uint8_t own_phase
    cdef Totals totals
    cdef uint64_t pass_number      # of the latest pass
    cdef uint32_t next_number      # without a path
    cdef uint64_t counts[RISK_COUNT]

    cdef uint32_t submit_alone(self, const OrderRequest *request, uint64_t t_ns) noexcept nogil
    cdef uint32_t send(self, const OrderRequest *request, PassedOrder *passed,
                       const Change *change, uint64_t t_ns) noexcept nogil
    cdef uint32_t submit_to_card(self, const OrderRequest *request, uint64_t t_ns) noexcept nogil
    cdef void fail_card(self, int failure, uint32_t user_ref_num, uint64_t t_ns) noexcept nogil
    cdef void prefetch(self, uint32_t symbol_index) noexcept nogil
    cdef void set_stale(self, bint is_stale) noexcept nogil
    cdef void set_session(self, uint16_t venue, bint is_up) noexcept nogil
    cdef void on_timer(self, uint64_t t_ns) noexcept nogil
    cdef void on_heartbeat(self, uint64_t t_ns) noexcept nogil
    cdef void bind_tops(self, const Top *tops, uint32_t symbol_count,
                        const uint8_t *market_phase) noexcept
    cdef void mark(self, uint32_t symbol_index) noexcept nogil
    cdef uint32_t number(self, const PassedOrder *passed) noexcept nogil
    cdef OpenOrder *resolve(self, OrderRequest *request) noexcept nogil
    cdef int check(self, const OrderRequest *request, const OpenOrder *order, Change *change,
                   uint64_t t_ns) noexcept nogil
    cdef int check_always(self, const OrderRequest *request,
                          const OpenOrder *order) noexcept nogil
    cdef int check_flow(self, const OrderRequest *request, const SymbolLimits *limits,
                        bint crosses, uint64_t t_ns) noexcept nogil
    cdef uint32_t pass_on(self, PassedOrder *passed, const Change *change,
                          uint64_t t_ns) noexcept nogil
    cdef void record(self, const OrderRequest *request, int reason, uint64_t t_ns) noexcept nogil
