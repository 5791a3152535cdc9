# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Writers of the OUCH 5.0 outbound messages."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from sim.exchange.client_order cimport ClientOrder
from sim.exchange.sequenced cimport SequencedBytes

cdef void report_system_event(SequencedBytes *store, uint8_t event_code,
                              uint64_t t_ns) noexcept nogil
cdef void report_accepted(SequencedBytes *store, const ClientOrder *order, uint8_t order_state,
                          const uint8_t *appendage, uint32_t appendage_length,
                          uint64_t t_ns) noexcept nogil
cdef void report_replaced(SequencedBytes *store, const ClientOrder *order, uint32_t original,
                          uint8_t order_state, uint64_t t_ns) noexcept nogil
cdef void report_canceled(SequencedBytes *store, const ClientOrder *order, uint32_t shares,
                          uint8_t reason, uint64_t t_ns) noexcept nogil
cdef void report_self_match_canceled(SequencedBytes *store, const ClientOrder *order,
                                     uint32_t shares, uint32_t prevented, int64_t price,
                                     uint8_t liquidity_flag, uint64_t t_ns) noexcept nogil
cdef void report_executed(SequencedBytes *store, const ClientOrder *order, uint32_t shares,
                          int64_t price, uint8_t liquidity_flag, uint64_t match_number,
                          uint64_t t_ns) noexcept nogil
cdef void report_broken(SequencedBytes *store, const ClientOrder *order, uint64_t match_number,
                        uint8_t reason, uint64_t t_ns) noexcept nogil
cdef void report_modified(SequencedBytes *store, const ClientOrder *order,
                          uint64_t t_ns) noexcept nogil
cdef void report_rejected(SequencedBytes *store, uint32_t user_ref_num, uint8_t user_ref_idx,
                          uint16_t reason, const uint8_t *cl_ord_id, uint64_t t_ns) noexcept nogil
cdef void report_mass_cancel(SequencedBytes *store, uint32_t user_ref_num, uint8_t user_ref_idx,
                             uint32_t firm, uint64_t symbol, uint64_t t_ns) noexcept nogil
cdef void report_order_entry(SequencedBytes *store, bint enabled, uint32_t user_ref_num,
                             uint8_t user_ref_idx, uint32_t firm, uint64_t t_ns) noexcept nogil
cdef void report_account(SequencedBytes *store, uint32_t next_user_ref_num, uint8_t user_ref_idx,
                         uint64_t t_ns) noexcept nogil
