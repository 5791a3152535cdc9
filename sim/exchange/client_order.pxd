# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""A live order of an order-entry session."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef struct ClientOrder:
    uint64_t key                 # session, channel and UserRefNum in one number
    uint64_t reference           # order reference number, as in the feed
    uint64_t symbol              # eight bytes as on the wire
    uint64_t expire_ns           # 0 for none
    int64_t price                # four implied decimals
    uint32_t user_ref_num
    uint32_t symbol_index        # the venue's
    uint32_t leaves              # open shares
    uint32_t executed            # shares executed in the whole chain of replaces
    uint32_t min_quantity        # of an IOC order; 0 for none
    uint32_t link                # next free record
    uint32_t firm                # four bytes as on the wire
    uint16_t session
    uint16_t group_id            # 0 for none
    uint8_t user_ref_idx         # channel; 0 for none
    uint8_t side                 # as the client said: B, S, T, E
    uint8_t book_side            # SIDE_BUY or SIDE_SELL
    uint8_t time_in_force
    uint8_t display
    uint8_t capacity
    uint8_t inter_market_sweep_eligibility
    uint8_t cross_type
    uint8_t post_only            # 0 or 1
    uint8_t live
    uint8_t cl_ord_id[14]
