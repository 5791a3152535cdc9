# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A line of the host that goes through the card."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from nic.frame cimport UdpDatagram, UdpPath
from nic.port cimport Packet, Port
from sim.offload.feed_audit cimport FeedAudit

cdef enum:
    INNER_BURST = 64
    MOST_RUNS = 1 << 10            # more than a frame has messages


cdef class GatewarePort(Port):
    cdef readonly Port inner
    cdef FeedAudit audit
    cdef int line                          # 0 A, 1 B, -1 as a frame's destination says
    cdef bint hands_whole                  # frames are handed on, with the card's messages in them
    cdef Packet waiting[INNER_BURST]
    cdef int waiting_count, waiting_at
    cdef UdpPath path                      # headers of frames that are made of datagrams
    cdef uint8_t *frame                    # such a frame
    cdef uint8_t *out                      # what is handed on
    cdef uint32_t out_length
    cdef const uint8_t *came               # the frame at work
    cdef UdpDatagram datagram              # in it
    cdef uint32_t runs[MOST_RUNS]          # where the datagrams in ``out`` end
    cdef uint32_t run_count, run_at        # of them; the next to hand on
    cdef bint has_other                    # the frame, or its datagram, is to be handed on

    cdef bint next_frame(self) noexcept nogil
    cdef int line_of(self, const uint8_t *frame, uint32_t length) noexcept nogil
    cdef void fill(self, Packet *packet, const uint8_t *data, uint32_t length) noexcept nogil
    cdef uint32_t put_run(self, uint32_t event) noexcept nogil
