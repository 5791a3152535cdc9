# SPDX-License-Identifier: Apache-2.0
"""IEX DEEP 1.0: price-level market data, carried by IEX-TP.

Source: IEX DEEP specification 1.08 (2021-10-19), chapter "Message Formats"; field by field the same
in 1.06 (2018-02-27). Everything is little-endian; prices are signed with four implied decimals;
timestamps count nanoseconds since the Unix epoch. There is no numeric instrument id: state is keyed
by the eight symbol bytes. IEX may append fields to a message without notice, so a message longer
than its table is valid and its extra bytes are ignored.
"""

from nic.wire.table import (
    LengthRule,
    Message,
    Protocol,
    signed,
    signed_price,
    text,
    unsigned,
)

MESSAGE_TYPE = text("message_type", 1, "type code")
TIMESTAMP = signed("timestamp", 8, "ns since Unix epoch UTC, set by the trading system", unit="ns")
SYMBOL = text(
    "symbol",
    8,
    "security, 8 ASCII bytes, left-justified, space padded (Nasdaq Integrated symbology)",
)
SALE_CONDITION_FLAGS = unsigned(
    "sale_condition_flags",
    1,
    "0x80 intermarket sweep, 0x40 extended hours, 0x20 odd lot, 0x10 trade-through exempt, "
    "0x08 single-price cross; bits 2-0 unused",
)

EVENT_PROCESSING_COMPLETE = 0x01
"""Event flag of a price level update: the book is no longer in transition."""

DEEP10 = Protocol(
    name="deep10",
    title="IEX DEEP 1.0",
    byte_order="little",
    source="IEX DEEP 1.08, 2021-10-19",
    messages=(
        Message(
            "system_event",
            ord("S"),
            "System Event",
            (
                MESSAGE_TYPE,
                text(
                    "system_event",
                    1,
                    "'O' start of messages (first message of the session), 'S' start of system "
                    "hours, 'R' start of regular market hours, 'M' end of regular market hours, "
                    "'E' end of system hours, 'C' end of messages (last message of the session)",
                ),
                TIMESTAMP,
            ),
            "Message Formats",
            LengthRule.AT_LEAST,
        ),
        Message(
            "security_directory",
            ord("D"),
            "Security Directory",
            (
                MESSAGE_TYPE,
                unsigned(
                    "flags", 1, "0x80 test security, 0x40 when issued, 0x20 ETP; bits 4-0 unused"
                ),
                TIMESTAMP,
                SYMBOL,
                unsigned("round_lot_size", 4, "shares"),
                signed_price(
                    "adjusted_poc_price",
                    8,
                    "previous official close adjusted for corporate actions; issue price for a "
                    "new issue",
                ),
                unsigned(
                    "luld_tier", 1, "0 not applicable, 1 tier 1, 2 tier 2 (binary, not ASCII)"
                ),
            ),
            "Message Formats",
            LengthRule.AT_LEAST,
        ),
        Message(
            "trading_status",
            ord("H"),
            "Trading Status",
            (
                MESSAGE_TYPE,
                text(
                    "trading_status",
                    1,
                    "'H' halted, 'O' released into an order acceptance period, 'P' paused with "
                    "order acceptance period, 'T' trading",
                ),
                TIMESTAMP,
                SYMBOL,
                text(
                    "reason",
                    4,
                    "halt: 'T1' 'IPO1' 'IPOD' 'MCB3' 'NA'; order acceptance: 'T2' 'IPO2' 'IPO3' "
                    "'MCB1' 'MCB2'; blank for 'P' and 'T'; 'NA' for non-IEX-listed halts",
                ),
            ),
            "Message Formats",
            LengthRule.AT_LEAST,
        ),
        Message(
            "retail_liquidity_indicator",
            ord("I"),
            "Retail Liquidity Indicator",
            (
                MESSAGE_TYPE,
                text("indicator", 1, "space none, 'A' buy interest, 'B' sell interest, 'C' both"),
                TIMESTAMP,
                SYMBOL,
            ),
            "Message Formats",
            LengthRule.AT_LEAST,
        ),
        Message(
            "operational_halt_status",
            ord("O"),
            "Operational Halt Status",
            (
                MESSAGE_TYPE,
                text("operational_halt_status", 1, "'O' halted on IEX only, 'N' not halted"),
                TIMESTAMP,
                SYMBOL,
            ),
            "Message Formats",
            LengthRule.AT_LEAST,
        ),
        Message(
            "short_sale_price_test_status",
            ord("P"),
            "Short Sale Price Test Status",
            (
                MESSAGE_TYPE,
                unsigned("status", 1, "0 not in effect, 1 in effect (binary, not ASCII)"),
                TIMESTAMP,
                SYMBOL,
                text(
                    "detail",
                    1,
                    "space no test, 'A' activated intraday, 'C' continued from the prior day, 'D'"
                    " deactivated, 'N' not available (non-IEX-listed)",
                ),
            ),
            "Message Formats",
            LengthRule.AT_LEAST,
        ),
        Message(
            "security_event",
            ord("E"),
            "Security Event",
            (
                MESSAGE_TYPE,
                text(
                    "security_event",
                    1,
                    "'O' opening process complete, 'C' closing process complete",
                ),
                TIMESTAMP,
                SYMBOL,
            ),
            "Message Formats",
            LengthRule.AT_LEAST,
        ),
        Message(
            "price_level_update_buy",
            ord("8"),
            "Price Level Update, buy side",
            (
                MESSAGE_TYPE,
                unsigned(
                    "event_flags",
                    1,
                    "bit 0 (0x01): 0 order book in transition, 1 event processing complete; bits "
                    "7-1 unassigned",
                ),
                TIMESTAMP,
                SYMBOL,
                unsigned(
                    "size", 4, "new aggregate displayed shares at this price; 0 = level removed"
                ),
                signed_price("price", 8, "the level"),
            ),
            "Message Formats",
            LengthRule.AT_LEAST,
        ),
        Message(
            "price_level_update_sell",
            ord("5"),
            "Price Level Update, sell side",
            (
                MESSAGE_TYPE,
                unsigned(
                    "event_flags",
                    1,
                    "bit 0 (0x01): 0 order book in transition, 1 event processing complete; bits "
                    "7-1 unassigned",
                ),
                TIMESTAMP,
                SYMBOL,
                unsigned(
                    "size", 4, "new aggregate displayed shares at this price; 0 = level removed"
                ),
                signed_price("price", 8, "the level"),
            ),
            "Message Formats",
            LengthRule.AT_LEAST,
        ),
        Message(
            "trade_report",
            ord("T"),
            "Trade Report",
            (
                MESSAGE_TYPE,
                SALE_CONDITION_FLAGS,
                TIMESTAMP,
                SYMBOL,
                unsigned("size", 4, "shares of this fill"),
                signed_price("price", 8, "execution price"),
                signed("trade_id", 8, "unique within the day; Trade Break refers to it"),
            ),
            "Message Formats",
            LengthRule.AT_LEAST,
        ),
        Message(
            "trade_break",
            ord("B"),
            "Trade Break",
            (
                MESSAGE_TYPE,
                SALE_CONDITION_FLAGS,
                signed("timestamp", 8, "time of the break", unit="ns"),
                SYMBOL,
                unsigned("size", 4, "shares broken"),
                signed_price("price", 8, "price of the broken trade"),
                signed("trade_id", 8, "that of the earlier trade"),
            ),
            "Message Formats",
            LengthRule.AT_LEAST,
        ),
        Message(
            "official_price",
            ord("X"),
            "Official Price",
            (
                MESSAGE_TYPE,
                text("price_type", 1, "'Q' official opening price, 'M' official closing price"),
                TIMESTAMP,
                SYMBOL,
                signed_price(
                    "official_price", 8, "IEX-listed only; the newest overrides earlier ones"
                ),
            ),
            "Message Formats",
            LengthRule.AT_LEAST,
        ),
        Message(
            "auction_information",
            ord("A"),
            "Auction Information",
            (
                MESSAGE_TYPE,
                text(
                    "auction_type", 1, "'O' opening, 'C' closing, 'I' IPO, 'H' halt, 'V' volatility"
                ),
                TIMESTAMP,
                SYMBOL,
                unsigned("paired_shares", 4, "paired at the reference price"),
                signed_price(
                    "reference_price",
                    8,
                    "clearing price inside the reference price range, auction book orders",
                ),
                signed_price("indicative_clearing_price", 8, "using all eligible auction orders"),
                unsigned("imbalance_shares", 4, "unpaired at the reference price"),
                text("imbalance_side", 1, "'B' buy, 'S' sell, 'N' none"),
                unsigned("extension_number", 1, "automatic extensions so far"),
                unsigned(
                    "scheduled_auction_time",
                    4,
                    "SECONDS since Unix epoch UTC (Event Time type)",
                    unit="s",
                ),
                signed_price("auction_book_clearing_price", 8, "auction book orders only"),
                signed_price("collar_reference_price", 8, "0 when unused"),
                signed_price("lower_auction_collar", 8, "0 when unused"),
                signed_price("upper_auction_collar", 8, "0 when unused"),
            ),
            "Message Formats",
            LengthRule.AT_LEAST,
        ),
    ),
)
