# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Writers of the ITCH 5.0 messages that an exchange sends."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from sim.exchange.publisher cimport Publisher

cdef class FeedWriter:
    cdef Publisher publisher
    cdef uint64_t *symbols     # by stock locate: eight bytes as on the wire
    cdef uint32_t locates      # size of the array: highest locate plus one

    cdef void system_event(self, uint8_t event_code, uint64_t t_ns) noexcept nogil
    cdef void stock_directory(self, uint16_t locate, uint8_t authenticity,
                              uint64_t t_ns) noexcept nogil
    cdef void trading_action(self, uint16_t locate, uint8_t trading_state, uint32_t reason,
                             uint64_t t_ns) noexcept nogil
    cdef void operational_halt(self, uint16_t locate, uint8_t action, uint64_t t_ns) noexcept nogil
    cdef void add_order(self, uint16_t locate, uint64_t reference, uint8_t side, uint32_t shares,
                        int64_t price, uint32_t mpid, uint64_t t_ns) noexcept nogil
    cdef void order_executed(self, uint16_t locate, uint64_t reference, uint32_t shares,
                             uint64_t match_number, uint64_t t_ns) noexcept nogil
    cdef void order_cancel(self, uint16_t locate, uint64_t reference, uint32_t shares,
                           uint64_t t_ns) noexcept nogil
    cdef void order_delete(self, uint16_t locate, uint64_t reference,
                           uint64_t t_ns) noexcept nogil
    cdef void order_replace(self, uint16_t locate, uint64_t original, uint64_t reference,
                            uint32_t shares, int64_t price, uint64_t t_ns) noexcept nogil
    cdef void trade(self, uint16_t locate, uint32_t shares, int64_t price, uint64_t match_number,
                    uint64_t t_ns) noexcept nogil
    cdef void broken_trade(self, uint16_t locate, uint64_t match_number,
                           uint64_t t_ns) noexcept nogil
