# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""OUCH 5.0 order entry: what is checked and kept before and after a venue matches."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.book.index_map cimport IndexMap
from sim.exchange.appendage cimport Options
from sim.exchange.client_order cimport ClientOrder
from sim.exchange.ids cimport ORDER_ENTRY_COUNT
from sim.exchange.sequenced cimport SequencedBytes

cdef enum:
    MAXIMUM_SESSIONS = 64
    CHANNELS = 256
    FILLS_KEPT = 4096          # client fills that a trade can still be broken of

cdef enum:                     # whether a venue takes orders in a symbol
    VENUE_OPEN = 0
    VENUE_HALTED = 1
    VENUE_CLOSED = 2

cdef struct ClientFill:
    uint64_t match_number      # 0 for none
    ClientOrder order          # as it was

cdef class Venue:
    cdef OrderDesk desk

    cdef int64_t find_symbol(self, uint64_t symbol) noexcept nogil
    cdef int symbol_state(self, uint32_t symbol_index) noexcept nogil
    cdef uint64_t next_reference(self) noexcept nogil
    cdef void enter(self, ClientOrder *order, uint64_t t_ns) noexcept nogil
    cdef void replace(self, ClientOrder *order, const ClientOrder *previous,
                      uint64_t t_ns) noexcept nogil
    cdef void reduce(self, ClientOrder *order, uint32_t shares, uint64_t t_ns) noexcept nogil

cdef class OrderDesk:
    cdef Venue venue
    cdef ClientOrder *pool             # record 0 is none
    cdef IndexMap live                 # key to record
    cdef uint32_t capacity
    cdef uint32_t used
    cdef uint32_t free_head
    cdef readonly uint32_t live_count
    cdef readonly uint32_t session_count
    cdef SequencedBytes *stores[MAXIMUM_SESSIONS]
    cdef uint32_t firms[MAXIMUM_SESSIONS]
    cdef uint8_t disabled[MAXIMUM_SESSIONS]
    cdef uint64_t *next_numbers        # by session * CHANNELS + channel
    cdef uint64_t next_expiry_ns
    cdef int64_t tick                  # price increment at and above 1.0000
    cdef ClientFill *fills
    cdef uint64_t fill_count
    cdef uint64_t counts[ORDER_ENTRY_COUNT]
    cdef uint64_t rejects[65536]       # by reject reason
    cdef list kept

    # inbound
    cdef void on_message(self, uint32_t session, const uint8_t *m, uint32_t length,
                         uint64_t t_ns) noexcept nogil
    cdef void on_timer(self, uint64_t t_ns) noexcept nogil
    cdef void cancel_session(self, uint32_t session, uint8_t reason, uint64_t t_ns) noexcept nogil

    # from the venue
    cdef uint32_t record_of(self, const ClientOrder *order) noexcept nogil
    cdef void on_executed(self, ClientOrder *order, uint32_t shares, int64_t price,
                          uint8_t liquidity_flag, uint64_t match_number,
                          uint64_t t_ns) noexcept nogil
    cdef void on_canceled(self, ClientOrder *order, uint32_t shares, uint8_t reason,
                          uint64_t t_ns) noexcept nogil
    cdef void on_self_match(self, ClientOrder *order, uint32_t prevented,
                            uint64_t t_ns) noexcept nogil
    cdef uint32_t break_match(self, uint64_t match_number, uint8_t reason,
                              uint64_t t_ns) noexcept nogil

    cdef void _enter(self, uint32_t session, const uint8_t *m, uint32_t length,
                     uint64_t t_ns) noexcept nogil
    cdef void _replace(self, uint32_t session, const uint8_t *m, uint32_t length,
                       uint64_t t_ns) noexcept nogil
    cdef void _cancel(self, uint32_t session, const uint8_t *m, uint32_t length,
                      uint64_t t_ns) noexcept nogil
    cdef void _modify(self, uint32_t session, const uint8_t *m, uint32_t length,
                      uint64_t t_ns) noexcept nogil
    cdef void _mass_cancel(self, uint32_t session, const uint8_t *m, uint32_t length,
                           uint64_t t_ns) noexcept nogil
    cdef void _switch_order_entry(self, uint32_t session, const uint8_t *m, uint32_t length,
                                  bint enable, uint64_t t_ns) noexcept nogil
    cdef void _account_query(self, uint32_t session, const uint8_t *m, uint32_t length,
                             uint64_t t_ns) noexcept nogil
    cdef uint16_t _refusal(self, uint32_t session, const uint8_t *m, const Options *options,
                           int64_t symbol_index) noexcept nogil
    cdef bint _options(self, const uint8_t *m, uint32_t length, uint32_t fixed,
                       Options *options) noexcept nogil
    cdef bint _consume(self, uint32_t session, uint8_t channel, uint32_t number) noexcept nogil
    cdef bint _is_new(self, uint32_t session, uint8_t channel, uint32_t number) noexcept nogil
    cdef ClientOrder *_find(self, uint32_t session, uint8_t channel,
                            uint32_t number) noexcept nogil
    cdef ClientOrder *_new_record(self) noexcept nogil
    cdef void _set_expiry(self, ClientOrder *order, uint32_t seconds,
                          uint64_t t_ns) noexcept nogil
    cdef void _insert(self, ClientOrder *order) noexcept nogil
    cdef void _forget(self, const ClientOrder *order) noexcept nogil
    cdef void _release(self, ClientOrder *order) noexcept nogil
    cdef void _cancel_live(self, ClientOrder *order, uint32_t shares, uint8_t reason,
                           uint64_t t_ns) noexcept nogil
    cdef void _reject(self, uint32_t session, uint32_t user_ref_num, uint8_t channel,
                      uint16_t reason, const uint8_t *cl_ord_id, uint64_t t_ns) noexcept nogil
