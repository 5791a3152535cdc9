# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The structs that pass from stage to stage, and nothing else.

Prices are integers with four implied decimals, quantities are shares, times are nanoseconds.
Letters such as side and time in force are the bytes that OUCH 5.0 uses.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    SIDE_BUY = 66        # b"B"
    SIDE_SELL = 83       # b"S", what is owned
    SIDE_SELL_SHORT = 84           # b"T"
    SIDE_SELL_SHORT_EXEMPT = 69    # b"E", of Regulation SHO's price test
    TIME_IN_FORCE_DAY = 48   # b"0"
    TIME_IN_FORCE_IOC = 51   # b"3"

cdef enum:               # state of a symbol's book
    BOOK_CLEAN = 0
    BOOK_GAPPED = 1
    BOOK_REBUILDING = 2

cdef enum:               # what a message changed; bits
    CHANGED_BBO = 1
    CHANGED_TRADE = 2
    CHANGED_STATE = 4
    CHANGED_DEPTH = 8

cdef enum:               # stages of the way, indices of Trace.stamps
    STAGE_RECEIVED = 0   # t0: the burst was taken from the port
    STAGE_DECODED = 1    # t1: message in order, decoded
    STAGE_BOOK = 2       # t2: book updated
    STAGE_INTENT = 3     # t3: strategy and execution decided
    STAGE_RISK = 4       # t4: risk verdict known
    STAGE_SENT = 5       # t5: order handed to the port
    STAGES = 6

cdef enum:
    TRACE_NO_PACKET = 0xFFFF   # Trace.line of what a timer, a command or the exchange caused

# Travels from the packet to the order; one per engine, every stage stamps its own moment in it.
cdef struct Trace:
    uint64_t sequence_number   # of the message on the feed
    uint16_t line              # 0 A, 1 B, 2 re-request, or TRACE_NO_PACKET
    uint16_t message_index     # in its packet
    uint64_t stamps[6]         # time stamp counter per stage; written, never read, by the core

cdef struct Top:         # what the house knows of a symbol without asking its book
    uint64_t symbol            # eight bytes as on the wire
    int64_t bid_price          # 0 for an empty side
    int64_t bid_shares
    int64_t ask_price
    int64_t ask_shares
    int64_t last_price         # 0 before the first trade
    int64_t last_shares
    uint64_t timestamp         # of the last message, exchange time, ns
    uint64_t updated_ns        # of the last message, the engine's time; set by the engine
    int64_t band_lower_price   # price bands from outside of the feed; 0 for none known
    int64_t band_upper_price
    uint32_t round_lot_size
    uint8_t trading_state      # letter of the venue, T trading; 0 unknown (counts as halted)
    uint8_t operational_halt   # 1 while halted operationally
    uint8_t book_state         # BOOK_CLEAN ...
    uint8_t short_sale_state   # letter of the venue, 0 unrestricted; 0 unknown

cdef enum:               # how execution works an intent
    ALGORITHM_DIRECT = 0   # one order, at once
    ALGORITHM_TWAP = 1     # equal slices over a time

cdef struct Intent:            # from a strategy to execution
    uint8_t action             # ACTION_NEW ...
    uint8_t side
    uint8_t time_in_force
    uint8_t post_only
    uint8_t algorithm          # ALGORITHM_*
    uint16_t strategy_id
    uint32_t symbol_index
    uint32_t quantity          # as in OrderRequest
    uint32_t handle            # order to replace or cancel: what buy() or sell() returned
    uint32_t slices            # of a sliced intent
    uint64_t duration_ns       # of a sliced intent, first slice to last
    int64_t price

cdef struct OrderRequest:      # from execution to the gate
    uint8_t action             # ACTION_NEW ...
    uint8_t side               # SIDE_*
    uint8_t time_in_force
    uint8_t post_only          # 0 or 1
    uint16_t strategy_id
    uint16_t venue             # index of the order-entry session
    uint32_t symbol_index      # index into the tops
    uint32_t quantity          # shares; of a replace the chain's total; of a cancel 0 for all
    uint32_t user_ref_num      # the order to replace or cancel; 0 for a new one
    uint32_t parent            # sliced order it belongs to; 0 for none
    int64_t price

cdef enum:
    ACTION_NEW = 0
    ACTION_REPLACE = 1
    ACTION_CANCEL = 2

cdef struct PassedOrder:       # only the gate makes one; see host/risk/gate.pyx
    OrderRequest request
    uint64_t pass_number       # counts from 1, without holes
    uint64_t seal              # made by the gate over all of the above; the encoder checks it

cdef enum:                     # kinds of Report, what the exchange said
    REPORT_ACCEPTED = 1
    REPORT_REPLACED = 2
    REPORT_CANCELED = 3
    REPORT_EXECUTED = 4
    REPORT_REJECTED = 5
    REPORT_BROKEN = 6
    REPORT_CANCEL_PENDING = 7
    REPORT_CANCEL_REJECT = 8
    REPORT_RESTATED = 9
    REPORT_MODIFIED = 10
    REPORT_PRIORITY = 11
    REPORT_OTHER = 12          # system event, mass cancel response, account query response ...

cdef struct Report:            # from the gateway to the OMS: one outbound OUCH message, decoded
    uint8_t kind
    uint8_t order_state        # b"L" live, b"D" dead; 0 where the message has none
    uint8_t side
    uint8_t liquidity_flag
    uint16_t reason            # cancel reason letter or reject reason number
    uint16_t venue
    uint32_t user_ref_num
    uint32_t original_user_ref_num
    uint32_t quantity          # accepted/replaced: outstanding; canceled/executed: incremental
    int64_t price
    uint64_t order_reference_number
    uint64_t match_number
    uint64_t timestamp         # exchange time, ns since midnight
    uint64_t sequence_number   # of the session's sequenced packet

cdef struct OrderEvent:        # from the OMS to the strategy
    uint8_t kind               # REPORT_ACCEPTED ... or 0: refused by our own gate
    uint8_t state              # ORDER_* of host/oms/ids.pxd after the event
    uint8_t side
    uint8_t reserved
    uint16_t reason
    uint16_t strategy_id
    uint32_t user_ref_num
    uint32_t symbol_index
    uint32_t quantity          # of this event
    uint32_t leaves_quantity   # open after it
    int64_t price              # of this event
    int64_t position           # of the symbol after it
