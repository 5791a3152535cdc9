# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The replayed market at the other end of an order-entry session in memory."""

from libc.stdint cimport uint32_t, uint64_t
from host.book.book cimport Book
from host.capture_loop cimport Counterparty
from host.engine cimport BookObserver
from host.gateway.memory_stream cimport MemoryStream
from sim.exchange.order_entry cimport OrderDesk
from sim.exchange.replay_market cimport ReplayMarket
from sim.exchange.sequenced cimport SequencedStore

cdef class ReplayObserver(BookObserver):
    cdef ReplayMarket market
    cdef BookObserver following        # sees the same afterwards, or None

cdef class ReplayVenue(Counterparty):
    cdef readonly ReplayMarket market
    cdef readonly OrderDesk desk
    cdef readonly object exchange      # a ReplayExchange
    cdef SequencedStore store
    cdef MemoryStream stream           # the server's end, None before the first connection
    cdef uint64_t answered             # sequenced messages already given to the connection
    cdef uint64_t next_timer_ns
    cdef uint64_t last_ns              # of the latest step
    cdef uint64_t connections

    cdef void exchange_bytes(self, uint64_t t_ns) noexcept with gil
