# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Writers of the OUCH 5.0 outbound messages, straight into a session's sequenced store.

Where the appendage length is optional it is left out, as on the real wire, unless the order
belongs to a channel: then the message carries the UserRefIdx tag. ``t_ns`` is nanoseconds since
midnight.

Source: Nasdaq OUCH 5.0, revision 1.04; layouts from ``nic/wire/ouch50.py``.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from nic.wire.ouch50_codec cimport *
from sim.exchange.client_order cimport ClientOrder
from sim.exchange.ids cimport (
    CANCEL_REASON_SELF_MATCH_PREVENTION, OPTION_TAG_POST_ONLY,
    OPTION_TAG_USER_REF_IDX)
from sim.exchange.sequenced cimport SequencedBytes, sequenced_commit, sequenced_reserve

cdef enum:
    ONE_BYTE_TAG = 3   # length byte, tag, value


cdef inline uint32_t _tag_room(uint8_t user_ref_idx, uint32_t fixed,
                               uint32_t shortest) noexcept nogil:
    """Length of a message whose only tag is the channel, where there is one."""
    return fixed + ONE_BYTE_TAG if user_ref_idx else shortest


cdef inline uint8_t *_put_tag(uint8_t *at, uint8_t tag, uint8_t value) noexcept nogil:
    at[0] = ONE_BYTE_TAG - 1
    at[1] = tag
    at[2] = value
    return at + ONE_BYTE_TAG


cdef inline void _put_channel(uint8_t *message, uint32_t fixed,
                              uint8_t user_ref_idx) noexcept nogil:
    """The appendage length at the end of the fixed part, and the channel behind it."""
    store_be16(message + fixed - sizeof(uint16_t), ONE_BYTE_TAG)
    _put_tag(message + fixed, OPTION_TAG_USER_REF_IDX, user_ref_idx)


cdef void report_system_event(SequencedBytes *store, uint8_t event_code,
                              uint64_t t_ns) noexcept nogil:
    """System Event: S start of day, E end of day."""
    cdef uint8_t *m = sequenced_reserve(store, OUCH50_SYSTEM_EVENT_LENGTH)
    if m is NULL:
        return
    ouch50_system_event_put_message_type(m, OUCH50_SYSTEM_EVENT)
    ouch50_system_event_put_timestamp(m, t_ns)
    ouch50_system_event_put_event_code(m, event_code)
    sequenced_commit(store)


cdef void report_accepted(SequencedBytes *store, const ClientOrder *order, uint8_t order_state,
                          const uint8_t *appendage, uint32_t appendage_length,
                          uint64_t t_ns) noexcept nogil:
    """Order Accepted; ``appendage``: what the client gave, less what it may not carry."""
    cdef uint8_t *m = sequenced_reserve(store, OUCH50_ORDER_ACCEPTED_LENGTH + appendage_length)
    if m is NULL:
        return
    ouch50_order_accepted_put_message_type(m, OUCH50_ORDER_ACCEPTED)
    ouch50_order_accepted_put_timestamp(m, t_ns)
    ouch50_order_accepted_put_user_ref_num(m, order.user_ref_num)
    ouch50_order_accepted_put_side(m, order.side)
    ouch50_order_accepted_put_quantity(m, order.leaves)
    ouch50_order_accepted_put_symbol(m, order.symbol)
    ouch50_order_accepted_put_price(m, <uint64_t> order.price)
    ouch50_order_accepted_put_time_in_force(m, order.time_in_force)
    ouch50_order_accepted_put_display(m, order.display)
    ouch50_order_accepted_put_order_reference_number(m, order.reference)
    ouch50_order_accepted_put_capacity(m, order.capacity)
    ouch50_order_accepted_put_inter_market_sweep_eligibility(
        m, order.inter_market_sweep_eligibility)
    ouch50_order_accepted_put_cross_type(m, order.cross_type)
    ouch50_order_accepted_put_order_state(m, order_state)
    ouch50_order_accepted_put_cl_ord_id(m, order.cl_ord_id)
    ouch50_order_accepted_put_appendage_length(m, <uint16_t> appendage_length)
    memcpy(m + OUCH50_ORDER_ACCEPTED_LENGTH, appendage, appendage_length)
    sequenced_commit(store)


cdef void report_replaced(SequencedBytes *store, const ClientOrder *order, uint32_t original,
                          uint8_t order_state, uint64_t t_ns) noexcept nogil:
    """Order Replaced; quantity is the shares outstanding."""
    cdef uint32_t tags = ((ONE_BYTE_TAG if order.post_only else 0)
                          + (ONE_BYTE_TAG if order.user_ref_idx else 0))
    cdef uint8_t *m = sequenced_reserve(store, OUCH50_ORDER_REPLACED_LENGTH + tags)
    cdef uint8_t *at
    if m is NULL:
        return
    ouch50_order_replaced_put_message_type(m, OUCH50_ORDER_REPLACED)
    ouch50_order_replaced_put_timestamp(m, t_ns)
    ouch50_order_replaced_put_orig_user_ref_num(m, original)
    ouch50_order_replaced_put_user_ref_num(m, order.user_ref_num)
    ouch50_order_replaced_put_side(m, order.side)
    ouch50_order_replaced_put_quantity(m, order.leaves)
    ouch50_order_replaced_put_symbol(m, order.symbol)
    ouch50_order_replaced_put_price(m, <uint64_t> order.price)
    ouch50_order_replaced_put_time_in_force(m, order.time_in_force)
    ouch50_order_replaced_put_display(m, order.display)
    ouch50_order_replaced_put_order_reference_number(m, order.reference)
    ouch50_order_replaced_put_capacity(m, order.capacity)
    ouch50_order_replaced_put_inter_market_sweep_eligibility(
        m, order.inter_market_sweep_eligibility)
    ouch50_order_replaced_put_cross_type(m, order.cross_type)
    ouch50_order_replaced_put_order_state(m, order_state)
    ouch50_order_replaced_put_cl_ord_id(m, order.cl_ord_id)
    ouch50_order_replaced_put_appendage_length(m, <uint16_t> tags)
    at = m + OUCH50_ORDER_REPLACED_LENGTH
    if order.post_only:
        at = _put_tag(at, OPTION_TAG_POST_ONLY, b"P")
    if order.user_ref_idx:
        _put_tag(at, OPTION_TAG_USER_REF_IDX, order.user_ref_idx)
    sequenced_commit(store)


cdef void report_canceled(SequencedBytes *store, const ClientOrder *order, uint32_t shares,
                          uint8_t reason, uint64_t t_ns) noexcept nogil:
    """Order Canceled: ``shares`` are taken off the order."""
    cdef uint8_t *m = sequenced_reserve(store, _tag_room(
        order.user_ref_idx, OUCH50_ORDER_CANCELED_LENGTH, OUCH50_ORDER_CANCELED_SHORTEST_LENGTH))
    if m is NULL:
        return
    ouch50_order_canceled_put_message_type(m, OUCH50_ORDER_CANCELED)
    ouch50_order_canceled_put_timestamp(m, t_ns)
    ouch50_order_canceled_put_user_ref_num(m, order.user_ref_num)
    ouch50_order_canceled_put_quantity(m, shares)
    ouch50_order_canceled_put_reason(m, reason)
    if order.user_ref_idx:
        _put_channel(m, OUCH50_ORDER_CANCELED_LENGTH, order.user_ref_idx)
    sequenced_commit(store)


cdef void report_self_match_canceled(SequencedBytes *store, const ClientOrder *order,
                                     uint32_t shares, uint32_t prevented, int64_t price,
                                     uint8_t liquidity_flag, uint64_t t_ns) noexcept nogil:
    """AIQ Canceled: ``shares`` are taken off, ``prevented`` of them would have matched."""
    cdef uint8_t *m = sequenced_reserve(store, _tag_room(
        order.user_ref_idx, OUCH50_AIQ_CANCELED_LENGTH, OUCH50_AIQ_CANCELED_SHORTEST_LENGTH))
    if m is NULL:
        return
    ouch50_aiq_canceled_put_message_type(m, OUCH50_AIQ_CANCELED)
    ouch50_aiq_canceled_put_timestamp(m, t_ns)
    ouch50_aiq_canceled_put_user_ref_num(m, order.user_ref_num)
    ouch50_aiq_canceled_put_decrement_shares(m, shares)
    ouch50_aiq_canceled_put_reason(m, CANCEL_REASON_SELF_MATCH_PREVENTION)
    ouch50_aiq_canceled_put_quantity_prevented_from_trading(m, prevented)
    ouch50_aiq_canceled_put_execution_price(m, <uint64_t> price)
    ouch50_aiq_canceled_put_liquidity_flag(m, liquidity_flag)
    ouch50_aiq_canceled_put_aiq_strategy(m, b" ")
    if order.user_ref_idx:
        _put_channel(m, OUCH50_AIQ_CANCELED_LENGTH, order.user_ref_idx)
    sequenced_commit(store)


cdef void report_executed(SequencedBytes *store, const ClientOrder *order, uint32_t shares,
                          int64_t price, uint8_t liquidity_flag, uint64_t match_number,
                          uint64_t t_ns) noexcept nogil:
    """Order Executed; ``liquidity_flag`` A added, R removed, J added while not displayed."""
    cdef uint8_t *m = sequenced_reserve(store, _tag_room(
        order.user_ref_idx, OUCH50_ORDER_EXECUTED_LENGTH, OUCH50_ORDER_EXECUTED_LENGTH))
    if m is NULL:
        return
    ouch50_order_executed_put_message_type(m, OUCH50_ORDER_EXECUTED)
    ouch50_order_executed_put_timestamp(m, t_ns)
    ouch50_order_executed_put_user_ref_num(m, order.user_ref_num)
    ouch50_order_executed_put_quantity(m, shares)
    ouch50_order_executed_put_price(m, <uint64_t> price)
    ouch50_order_executed_put_liquidity_flag(m, liquidity_flag)
    ouch50_order_executed_put_match_number(m, match_number)
    ouch50_order_executed_put_appendage_length(m, 0)
    if order.user_ref_idx:
        _put_channel(m, OUCH50_ORDER_EXECUTED_LENGTH, order.user_ref_idx)
    sequenced_commit(store)


cdef void report_broken(SequencedBytes *store, const ClientOrder *order, uint64_t match_number,
                        uint8_t reason, uint64_t t_ns) noexcept nogil:
    """Broken Trade."""
    cdef uint8_t *m = sequenced_reserve(store, _tag_room(
        order.user_ref_idx, OUCH50_BROKEN_TRADE_LENGTH, OUCH50_BROKEN_TRADE_SHORTEST_LENGTH))
    if m is NULL:
        return
    ouch50_broken_trade_put_message_type(m, OUCH50_BROKEN_TRADE)
    ouch50_broken_trade_put_timestamp(m, t_ns)
    ouch50_broken_trade_put_user_ref_num(m, order.user_ref_num)
    ouch50_broken_trade_put_match_number(m, match_number)
    ouch50_broken_trade_put_reason(m, reason)
    ouch50_broken_trade_put_cl_ord_id(m, order.cl_ord_id)
    if order.user_ref_idx:
        _put_channel(m, OUCH50_BROKEN_TRADE_LENGTH, order.user_ref_idx)
    sequenced_commit(store)


cdef void report_modified(SequencedBytes *store, const ClientOrder *order,
                          uint64_t t_ns) noexcept nogil:
    """Order Modified; quantity is the shares outstanding."""
    cdef uint8_t *m = sequenced_reserve(store, _tag_room(
        order.user_ref_idx, OUCH50_ORDER_MODIFIED_LENGTH, OUCH50_ORDER_MODIFIED_SHORTEST_LENGTH))
    if m is NULL:
        return
    ouch50_order_modified_put_message_type(m, OUCH50_ORDER_MODIFIED)
    ouch50_order_modified_put_timestamp(m, t_ns)
    ouch50_order_modified_put_user_ref_num(m, order.user_ref_num)
    ouch50_order_modified_put_side(m, order.side)
    ouch50_order_modified_put_quantity(m, order.leaves)
    if order.user_ref_idx:
        _put_channel(m, OUCH50_ORDER_MODIFIED_LENGTH, order.user_ref_idx)
    sequenced_commit(store)


cdef void report_rejected(SequencedBytes *store, uint32_t user_ref_num, uint8_t user_ref_idx,
                          uint16_t reason, const uint8_t *cl_ord_id,
                          uint64_t t_ns) noexcept nogil:
    """Rejected."""
    cdef uint8_t *m = sequenced_reserve(store, _tag_room(
        user_ref_idx, OUCH50_REJECTED_LENGTH, OUCH50_REJECTED_SHORTEST_LENGTH))
    if m is NULL:
        return
    ouch50_rejected_put_message_type(m, OUCH50_REJECTED)
    ouch50_rejected_put_timestamp(m, t_ns)
    ouch50_rejected_put_user_ref_num(m, user_ref_num)
    ouch50_rejected_put_reason(m, reason)
    ouch50_rejected_put_cl_ord_id(m, cl_ord_id)
    if user_ref_idx:
        _put_channel(m, OUCH50_REJECTED_LENGTH, user_ref_idx)
    sequenced_commit(store)


cdef void report_mass_cancel(SequencedBytes *store, uint32_t user_ref_num, uint8_t user_ref_idx,
                             uint32_t firm, uint64_t symbol, uint64_t t_ns) noexcept nogil:
    """Mass Cancel Response."""
    cdef uint8_t *m = sequenced_reserve(store, _tag_room(
        user_ref_idx, OUCH50_MASS_CANCEL_RESPONSE_LENGTH, OUCH50_MASS_CANCEL_RESPONSE_LENGTH))
    if m is NULL:
        return
    ouch50_mass_cancel_response_put_message_type(m, OUCH50_MASS_CANCEL_RESPONSE)
    ouch50_mass_cancel_response_put_timestamp(m, t_ns)
    ouch50_mass_cancel_response_put_user_ref_num(m, user_ref_num)
    ouch50_mass_cancel_response_put_firm(m, firm)
    ouch50_mass_cancel_response_put_symbol(m, symbol)
    ouch50_mass_cancel_response_put_appendage_length(m, 0)
    if user_ref_idx:
        _put_channel(m, OUCH50_MASS_CANCEL_RESPONSE_LENGTH, user_ref_idx)
    sequenced_commit(store)


cdef void report_order_entry(SequencedBytes *store, bint enabled, uint32_t user_ref_num,
                             uint8_t user_ref_idx, uint32_t firm, uint64_t t_ns) noexcept nogil:
    """Enable or Disable Order Entry Response: two messages of one shape."""
    cdef uint8_t *m = sequenced_reserve(store, _tag_room(
        user_ref_idx, OUCH50_ENABLE_ORDER_ENTRY_RESPONSE_LENGTH,
        OUCH50_ENABLE_ORDER_ENTRY_RESPONSE_LENGTH))
    if m is NULL:
        return
    if enabled:
        ouch50_enable_order_entry_response_put_message_type(m, OUCH50_ENABLE_ORDER_ENTRY_RESPONSE)
    else:
        ouch50_enable_order_entry_response_put_message_type(m, OUCH50_DISABLE_ORDER_ENTRY_RESPONSE)
    ouch50_enable_order_entry_response_put_timestamp(m, t_ns)
    ouch50_enable_order_entry_response_put_user_ref_num(m, user_ref_num)
    ouch50_enable_order_entry_response_put_firm(m, firm)
    ouch50_enable_order_entry_response_put_appendage_length(m, 0)
    if user_ref_idx:
        _put_channel(m, OUCH50_ENABLE_ORDER_ENTRY_RESPONSE_LENGTH, user_ref_idx)
    sequenced_commit(store)


cdef void report_account(SequencedBytes *store, uint32_t next_user_ref_num, uint8_t user_ref_idx,
                         uint64_t t_ns) noexcept nogil:
    """Account Query Response."""
    cdef uint8_t *m = sequenced_reserve(store, _tag_room(
        user_ref_idx, OUCH50_ACCOUNT_QUERY_RESPONSE_LENGTH,
        OUCH50_ACCOUNT_QUERY_RESPONSE_SHORTEST_LENGTH))
    if m is NULL:
        return
    ouch50_account_query_response_put_message_type(m, OUCH50_ACCOUNT_QUERY_RESPONSE)
    ouch50_account_query_response_put_timestamp(m, t_ns)
    ouch50_account_query_response_put_next_user_ref_num(m, next_user_ref_num)
    if user_ref_idx:
        _put_channel(m, OUCH50_ACCOUNT_QUERY_RESPONSE_LENGTH, user_ref_idx)
    sequenced_commit(store)
