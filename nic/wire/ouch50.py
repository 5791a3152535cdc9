# SPDX-License-Identifier: Apache-2.0
"""Nasdaq OUCH 5.0: order entry, all inbound and outbound messages and their option tags.

Source: Nasdaq OUCH 5.0 specification, revision 1.04 (2024-05-01), PDF of 2025-07-25. Inbound
messages travel in SoupBinTCP unsequenced packets, outbound ones in sequenced packets. Integers are
big-endian; prices are eight bytes with four implied decimals. After the fixed part comes the
appendage: as many bytes of option tags as the appendage length says, each one a length byte (which
does not count itself), a tag number and a value. Where the appendage length is optional, a message
may end before it. Reasons stand in :mod:`nic.wire.ouch50_reasons`.
"""

from nic.wire.ouch50_reasons import CANCEL_REASONS, REJECT_REASONS
from nic.wire.table import (
    LengthRule,
    Message,
    Protocol,
    Tag,
    price,
    signed_price,
    text,
    unsigned,
)

__all__ = ["CANCEL_REASONS", "OUCH50", "REJECT_REASONS", "TAGS"]

MESSAGE_TYPE = text("message_type", 1, "type code")
USER_REF_NUM = unsigned("user_ref_num", 4, "order / transaction id of the port")
SIDE = text("side", 1, "'B' buy, 'S' sell, 'T' sell short, 'E' sell short exempt")
QUANTITY = unsigned("quantity", 4, "1..999,999 shares")
SYMBOL = text("symbol", 8, "space padded")
PRICE = price("price", 8, "8-byte unsigned, 4 implied decimals")
TIME_IN_FORCE = text(
    "time_in_force", 1, "'0' day, '3' IOC, '5' GTX, '6' GTT (needs ExpireTime), 'E' after hours"
)
DISPLAY = text(
    "display", 1, "'Y' visible, 'N' hidden, 'A' attributable (outbound also 'Z' conformant)"
)
CAPACITY = text("capacity", 1, "'A' agency, 'P' principal, 'R' riskless, 'O' other")
INTER_MARKET_SWEEP_ELIGIBILITY = text("inter_market_sweep_eligibility", 1, "'Y'/'N'")
CROSS_TYPE = text(
    "cross_type",
    1,
    "'N' continuous, 'O' opening, 'C' closing, 'H' halt/IPO, 'S' supplemental, 'R' "
    "retail (BX), 'E' extended life, 'A' after-hours close",
)
CL_ORD_ID = text("cl_ord_id", 14, "customer order id, not checked for uniqueness")
APPENDAGE_LENGTH = unsigned(
    "appendage_length",
    2,
    "bytes of TagValues that follow; mandatory, 0 if none",
    counts="after_message",
)
OPTIONAL_APPENDAGE_LENGTH = unsigned(
    "appendage_length",
    2,
    "OPTIONAL on this message: may be absent altogether",
    counts="after_message",
)
FIRM = text("firm", 4, "upper-case firm id")
TIMESTAMP = unsigned("timestamp", 8, "ns since midnight", unit="ns")
ORDER_REFERENCE_NUMBER = unsigned("order_reference_number", 8, "exchange order id")
ORDER_STATE = text("order_state", 1, "'L' live, 'D' dead (accepted and auto-cancelled)")
QUANTITY_OUTSTANDING = unsigned("quantity", 4, "shares outstanding")
LIQUIDITY_FLAG = text("liquidity_flag", 1, "see liquidity flags")
MATCH_NUMBER = unsigned("match_number", 8, "shared by both sides of the trade")

TAGS = (
    Tag(1, unsigned("secondary_ord_ref_num", 8, "outbound Restated")),
    Tag(2, text("firm", 4, "spaces = port default")),
    Tag(3, unsigned("min_qty", 4, "round lot; 0")),
    Tag(4, text("customer_type", 1, "'R', 'N', space")),
    Tag(5, unsigned("max_floor", 4, "0")),
    Tag(
        6,
        text(
            "price_type",
            1,
            "'L' limit (default), 'P' market peg, 'M' midpoint peg, 'R' primary peg, "
            "'Q' market maker peg, 'm' midpoint",
        ),
    ),
    Tag(7, signed_price("peg_offset", 4, "0")),
    Tag(9, price("discretion_price", 8, "0")),
    Tag(10, text("discretion_price_type", 1, "'L','P','M','R'")),
    Tag(11, signed_price("discretion_peg_offset", 4, "0")),
    Tag(12, text("post_only", 1, "'P', 'N'")),
    Tag(13, unsigned("random_reserves", 4, "0")),
    Tag(14, text("route", 4)),
    Tag(15, unsigned("expire_time", 4, "seconds to live, < 86400")),
    Tag(16, text("trade_now", 1, "'Y','N', space")),
    Tag(17, text("handle_inst", 1, "'I','O','T','Q','B','D', space")),
    Tag(18, text("bbo_weight_indicator", 1, "'0'..'3', 'S', 'N', space (outbound)")),
    Tag(22, unsigned("display_quantity", 4, "Restated only")),
    Tag(23, price("display_price", 8, "Restated only")),
    Tag(24, unsigned("group_id", 2, "0 = none")),
    Tag(25, text("shares_located", 1, "'Y','N'")),
    Tag(26, text("locate_broker", 4)),
    Tag(27, text("side", 1, "'B','S','T','E'")),
    Tag(28, unsigned("user_ref_idx", 1, "channel")),
)

OUCH50 = Protocol(
    name="ouch50",
    title="Nasdaq OUCH 5.0",
    byte_order="big",
    source="Nasdaq OUCH 5.0, revision 1.04",
    messages=(
        Message(
            "enter_order",
            ord("O"),
            "Enter Order",
            (
                MESSAGE_TYPE,
                USER_REF_NUM,
                SIDE,
                QUANTITY,
                SYMBOL,
                PRICE,
                TIME_IN_FORCE,
                DISPLAY,
                CAPACITY,
                INTER_MARKET_SWEEP_ELIGIBILITY,
                CROSS_TYPE,
                CL_ORD_ID,
                APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.APPENDAGE,
            (2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 15, 16, 17, 24, 25, 26, 28),
        ),
        Message(
            "replace_order_request",
            ord("U"),
            "Replace Order Request",
            (
                MESSAGE_TYPE,
                unsigned("orig_user_ref_num", 4, "order being replaced (last in chain)"),
                unsigned("user_ref_num", 4, "new, strictly increasing"),
                unsigned("quantity", 4, "total liable for the whole chain incl. already executed"),
                PRICE,
                TIME_IN_FORCE,
                DISPLAY,
                INTER_MARKET_SWEEP_ELIGIBILITY,
                CL_ORD_ID,
                APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.APPENDAGE,
            (3, 5, 6, 7, 9, 10, 11, 12, 13, 15, 16, 17, 25, 26, 27, 28),
        ),
        Message(
            "cancel_order_request",
            ord("X"),
            "Cancel Order Request",
            (
                MESSAGE_TYPE,
                USER_REF_NUM,
                unsigned("quantity", 4, "new intended order size; 0 = cancel all open shares"),
                OPTIONAL_APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.OPTIONAL_APPENDAGE,
            (28,),
        ),
        Message(
            "modify_order_request",
            ord("M"),
            "Modify Order Request",
            (
                MESSAGE_TYPE,
                USER_REF_NUM,
                text("side", 1, "only S to E, S to T, E to T are allowed"),
                unsigned("quantity", 4, "new intended order size"),
                OPTIONAL_APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.OPTIONAL_APPENDAGE,
            (25, 26, 28),
        ),
        Message(
            "mass_cancel_request",
            ord("C"),
            "Mass Cancel Request",
            (
                MESSAGE_TYPE,
                USER_REF_NUM,
                FIRM,
                text("symbol", 8, "spaces = all symbols"),
                APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.APPENDAGE,
            (24, 27, 28),
        ),
        Message(
            "disable_order_entry_request",
            ord("D"),
            "Disable Order Entry Request",
            (
                MESSAGE_TYPE,
                USER_REF_NUM,
                FIRM,
                APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.APPENDAGE,
            (28,),
        ),
        Message(
            "enable_order_entry_request",
            ord("E"),
            "Enable Order Entry Request",
            (
                MESSAGE_TYPE,
                USER_REF_NUM,
                FIRM,
                APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.APPENDAGE,
            (28,),
        ),
        Message(
            "account_query_request",
            ord("Q"),
            "Account Query Request",
            (
                MESSAGE_TYPE,
                OPTIONAL_APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.OPTIONAL_APPENDAGE,
            (28,),
        ),
        Message(
            "system_event",
            ord("S"),
            "System Event",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                text("event_code", 1, "'S' start of day, 'E' end of day"),
            ),
            "",
        ),
        Message(
            "order_accepted",
            ord("A"),
            "Order Accepted",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                USER_REF_NUM,
                SIDE,
                QUANTITY,
                SYMBOL,
                PRICE,
                TIME_IN_FORCE,
                DISPLAY,
                ORDER_REFERENCE_NUMBER,
                CAPACITY,
                INTER_MARKET_SWEEP_ELIGIBILITY,
                CROSS_TYPE,
                ORDER_STATE,
                CL_ORD_ID,
                APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.APPENDAGE,
            (2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 24, 25, 28),
        ),
        Message(
            "order_replaced",
            ord("U"),
            "Order Replaced",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                unsigned("orig_user_ref_num", 4),
                USER_REF_NUM,
                SIDE,
                QUANTITY_OUTSTANDING,
                SYMBOL,
                PRICE,
                TIME_IN_FORCE,
                DISPLAY,
                ORDER_REFERENCE_NUMBER,
                CAPACITY,
                INTER_MARKET_SWEEP_ELIGIBILITY,
                CROSS_TYPE,
                ORDER_STATE,
                CL_ORD_ID,
                APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.APPENDAGE,
            (2, 3, 5, 6, 12, 15, 16, 17, 18, 28),
        ),
        Message(
            "order_canceled",
            ord("C"),
            "Order Canceled",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                USER_REF_NUM,
                unsigned("quantity", 4, "shares removed by this message (incremental)"),
                text("reason", 1, "see cancel reasons"),
                OPTIONAL_APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.OPTIONAL_APPENDAGE,
            (28,),
        ),
        Message(
            "aiq_canceled",
            ord("D"),
            "AIQ Canceled",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                USER_REF_NUM,
                unsigned("decrement_shares", 4, "incremental"),
                text("reason", 1, "always 'Q'"),
                unsigned("quantity_prevented_from_trading", 4),
                price("execution_price", 8),
                LIQUIDITY_FLAG,
                text(
                    "aiq_strategy", 1, "strategy used (current spec only; older dissectors lack it)"
                ),
                OPTIONAL_APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.OPTIONAL_APPENDAGE,
            (28,),
        ),
        Message(
            "order_executed",
            ord("E"),
            "Order Executed",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                USER_REF_NUM,
                unsigned("quantity", 4, "incremental"),
                PRICE,
                LIQUIDITY_FLAG,
                MATCH_NUMBER,
                APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.APPENDAGE,
            (28,),
        ),
        Message(
            "broken_trade",
            ord("B"),
            "Broken Trade",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                USER_REF_NUM,
                MATCH_NUMBER,
                text("reason", 1, "'E' erroneous, 'C' consent, 'S' supervisory, 'X' external"),
                CL_ORD_ID,
                OPTIONAL_APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.OPTIONAL_APPENDAGE,
            (28,),
        ),
        Message(
            "rejected",
            ord("J"),
            "Rejected",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                USER_REF_NUM,
                unsigned("reason", 2, "see reject reasons"),
                CL_ORD_ID,
                OPTIONAL_APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.OPTIONAL_APPENDAGE,
            (28,),
        ),
        Message(
            "cancel_pending",
            ord("P"),
            "Cancel Pending",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                USER_REF_NUM,
                OPTIONAL_APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.OPTIONAL_APPENDAGE,
            (28,),
        ),
        Message(
            "cancel_reject",
            ord("I"),
            "Cancel Reject",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                USER_REF_NUM,
                OPTIONAL_APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.OPTIONAL_APPENDAGE,
            (28,),
        ),
        Message(
            "order_priority_update",
            ord("T"),
            "Order Priority Update",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                USER_REF_NUM,
                PRICE,
                DISPLAY,
                ORDER_REFERENCE_NUMBER,
                OPTIONAL_APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.OPTIONAL_APPENDAGE,
            (28,),
        ),
        Message(
            "order_modified",
            ord("M"),
            "Order Modified",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                USER_REF_NUM,
                SIDE,
                QUANTITY_OUTSTANDING,
                OPTIONAL_APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.OPTIONAL_APPENDAGE,
            (28,),
        ),
        Message(
            "order_restated",
            ord("R"),
            "Order Restated",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                USER_REF_NUM,
                text(
                    "reason", 1, "'R' refresh of display (reserve), 'P' update of displayed price"
                ),
                APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.APPENDAGE,
            (22, 23, 1, 28),
        ),
        Message(
            "mass_cancel_response",
            ord("X"),
            "Mass Cancel Response",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                USER_REF_NUM,
                FIRM,
                SYMBOL,
                APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.APPENDAGE,
            (24, 27, 28),
        ),
        Message(
            "disable_order_entry_response",
            ord("G"),
            "Disable Order Entry Response",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                USER_REF_NUM,
                FIRM,
                APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.APPENDAGE,
            (28,),
        ),
        Message(
            "enable_order_entry_response",
            ord("K"),
            "Enable Order Entry Response",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                USER_REF_NUM,
                FIRM,
                APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.APPENDAGE,
            (28,),
        ),
        Message(
            "account_query_response",
            ord("Q"),
            "Account Query Response",
            (
                MESSAGE_TYPE,
                TIMESTAMP,
                unsigned("next_user_ref_num", 4, "next available"),
                OPTIONAL_APPENDAGE_LENGTH,
            ),
            "",
            LengthRule.OPTIONAL_APPENDAGE,
            (28,),
        ),
    ),
    directions={
        "inbound": (
            "enter_order",
            "replace_order_request",
            "cancel_order_request",
            "modify_order_request",
            "mass_cancel_request",
            "disable_order_entry_request",
            "enable_order_entry_request",
            "account_query_request",
        ),
        "outbound": (
            "system_event",
            "order_accepted",
            "order_replaced",
            "order_canceled",
            "aiq_canceled",
            "order_executed",
            "broken_trade",
            "rejected",
            "cancel_pending",
            "cancel_reject",
            "order_priority_update",
            "order_modified",
            "order_restated",
            "mass_cancel_response",
            "disable_order_entry_response",
            "enable_order_entry_response",
            "account_query_response",
        ),
    },
    tags=TAGS,
)
