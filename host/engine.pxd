# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The deterministic core: packets, bytes, time and commands in; orders out."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from host.book.book cimport Book
from host.execution.execution cimport Execution
from host.feed.handler cimport FeedHandler
from host.ids cimport ENGINE_COUNT
from host.interfaces cimport MessageSink, OrderEventSink
from host.model cimport OrderEvent, Trace
from host.oms.oms cimport OrderManager
from host.risk.gate cimport RiskGate
from host.strategy.strategy cimport FastStrategy
from nic.ids cimport FRAME_COUNT

cdef enum:
    LINES = 3                 # A, B and the answers of the re-request server
    ANY_LINE = -1             # the destination of a frame tells its line

cdef struct LineAddress:
    uint32_t group            # destination address, host byte order
    uint16_t port
    bint is_set

cdef class BookObserver:
    cdef void on_bbo(self, Book book, uint32_t symbol_index) noexcept nogil
    cdef void on_change(self, Book book, uint32_t symbol_index, uint32_t changes,
                        uint64_t t_ns) noexcept nogil
    cdef void on_reset(self, Book book, uint64_t t_ns) noexcept nogil

cdef class FeedTap:
    cdef void on_message(self, Book book, const uint8_t *message, uint32_t changes,
                         uint64_t sequence_number, uint64_t t_ns, uint64_t tsc) noexcept nogil
    cdef void on_packet_end(self) noexcept nogil
    cdef void on_lost(self, Book book, uint64_t first, uint64_t last,
                      uint64_t t_ns) noexcept nogil
    cdef void on_restart(self, Book book, int reason, uint64_t t_ns) noexcept nogil
    cdef void on_stale(self, bint is_stale, uint64_t t_ns) noexcept nogil
    cdef void on_end_of_session(self, uint64_t t_ns) noexcept nogil
    cdef void on_timer(self, Book book, uint64_t t_ns) noexcept nogil

cdef class EventRouter(OrderEventSink):
    cdef Engine engine

cdef class Engine(MessageSink):
    cdef Trace trace
    cdef uint64_t t_ns                     # of the input at work
    cdef readonly Book book
    cdef readonly FeedHandler feed
    cdef readonly Execution execution
    cdef readonly RiskGate gate
    cdef readonly OrderManager oms
    cdef readonly EventRouter events
    cdef FastStrategy first                # chain of strategies, None without any
    cdef BookObserver observer             # of replays and recordings, None live
    cdef FeedTap tap                       # publishes the feed, None without followers
    cdef uint64_t packet_tsc               # when the packet at work was taken, 0 for none
    cdef bint is_measured                  # whether stages are stamped
    cdef LineAddress lines[LINES]
    cdef uint64_t counts[ENGINE_COUNT]
    cdef uint64_t frame_results[FRAME_COUNT]
    cdef uint64_t types[256]               # messages delivered, by type code

    cdef void on_frame(self, int line, const uint8_t *frame, uint32_t length, uint64_t tsc,
                       uint64_t t_ns) noexcept nogil
    cdef int line_of(self, int line, uint32_t group, uint16_t port) noexcept nogil
    cdef void on_datagram(self, int line, const uint8_t *payload, uint32_t length, uint64_t tsc,
                          uint64_t t_ns) noexcept nogil
    cdef void message_at(self, const uint8_t *message, uint32_t length, uint64_t sequence_number,
                         uint64_t t_ns) noexcept nogil
    cdef void on_timer(self, uint64_t t_ns) noexcept nogil
    cdef void on_own_order(self, const OrderEvent *event, uint64_t t_ns) noexcept nogil
    cdef void begin_reports(self, uint64_t t_ns) noexcept nogil
