# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The kernel's side of a connection whose segments others send."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef class KernelSide:
    cdef int descriptor
    cdef bint is_repairing         # in repair mode
    cdef bint is_armed             # and with the send queue selected
    cdef bint is_calibrated        # sequence_number and first_acknowledged are true
    cdef bint is_known             # the state below was read at least once
    cdef bint is_supported         # no ECN, time stamps in milliseconds or none
    cdef bint is_connected         # established, or half closed by the peer
    cdef bint is_settled           # nothing was in flight, nothing unsent
    cdef bint has_timestamps
    cdef uint32_t sequence_number  # of the next byte to be sent
    cdef uint32_t first_acknowledged   # what was acknowledged when the kernel's count was 0
    cdef uint32_t window_end       # sequence number of the first byte behind the peer's window
    cdef uint32_t room_segments    # that the congestion window had room for at the last refresh
    cdef uint32_t sent_segments    # accounted since then
    cdef uint32_t mss_bytes
    cdef uint32_t unsent_bytes
    cdef uint32_t acknowledged     # what the kernel acknowledged last
    cdef uint16_t window           # that it advertised with it, scaled
    cdef uint32_t window_bytes
    cdef uint32_t retransmitted_segments
    cdef uint64_t refreshed_ns
    cdef uint32_t stamp_offset      # of the time stamps from the monotonic clock's milliseconds
    cdef int stamp_parities        # bit 0: seen in an even millisecond, bit 1: in an odd one
    cdef uint64_t refreshes

    cdef void attach(self, int descriptor) noexcept nogil
    cdef int enter(self) noexcept nogil
    cdef int arm(self) noexcept nogil
    cdef int disarm(self) noexcept nogil
    cdef int set_option(self, int name, int value) noexcept nogil
    cdef int refresh(self, bint stay_armed) noexcept nogil
    cdef int account(self, const uint8_t *data, uint32_t length) noexcept nogil
    cdef uint32_t timestamp(self, uint64_t now_ns) noexcept nogil
    cdef int calibrate(self, void *information) noexcept nogil
    cdef void sample_clock(self) noexcept nogil

cdef uint64_t monotonic_ns() noexcept nogil
