# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Option tags at the end of OUCH 5.0 inbound messages."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:                     # results of options_parse
    OPTIONS_OK = 0
    OPTIONS_CUT = 1            # a tag ends after the appendage, or has length 0
    OPTIONS_WRONG_SIZE = 2     # a known tag with another size than the table's
    OPTIONS_NOT_ALLOWED = 3    # a known tag that this message may not carry

cdef struct Options:
    uint64_t given             # bit n: tag n is there
    uint64_t discretion_price
    uint32_t firm
    uint32_t min_quantity
    uint32_t max_floor
    uint32_t expire_time_seconds
    uint32_t unknown           # tags skipped
    uint16_t group_id
    uint8_t customer_type
    uint8_t price_type
    uint8_t post_only
    uint8_t side
    uint8_t user_ref_idx

cdef int options_parse(const uint8_t *appendage, uint32_t length, uint8_t message_type,
                       Options *options) noexcept nogil
cdef uint32_t options_accepted(const uint8_t *appendage, uint32_t length, uint8_t *out,
                               uint32_t capacity) noexcept nogil
