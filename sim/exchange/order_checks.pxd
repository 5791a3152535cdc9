# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""What an OUCH 5.0 order must look like to be taken, whatever the market does."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from sim.exchange.appendage cimport Options

cdef enum:
    BLANK_FIRM = 0x20202020        # four spaces

cdef uint8_t book_side(uint8_t side) noexcept nogil
cdef bint side_may_become(uint8_t old, uint8_t new) noexcept nogil
cdef uint16_t refusal_of_enter(const uint8_t *m, const Options *options,
                               int64_t tick) noexcept nogil
cdef bint replace_is_valid(const uint8_t *m, const Options *options, uint8_t old_side,
                           int64_t tick) noexcept nogil
