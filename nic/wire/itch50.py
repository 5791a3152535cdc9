# SPDX-License-Identifier: Apache-2.0
"""Nasdaq TotalView-ITCH 5.0: all 23 messages of the order-by-order market data feed.

Source: Nasdaq TotalView-ITCH 5.0 specification (2023-04-28 and 2024-02-28, which agree on every
field), sections as given beside each message. Integers are big-endian, prices have four implied
decimals (eight for the market-wide circuit breaker levels), timestamps count nanoseconds since
midnight US Eastern. The transport gives each message's length; it must equal the table's.
"""

from nic.wire.table import Message, Protocol, price, text, unsigned

HEADER = (
    text("message_type", 1, "type code"),
    unsigned("stock_locate", 2, "instrument index, unique for the day; 0 where none is meant"),
    unsigned("tracking_number", 2, "tracking number internal to the exchange"),
    unsigned("timestamp", 6, "nanoseconds since midnight US Eastern", unit="ns"),
)
STOCK = text("stock", 8, "symbol, left-justified, space padded")
ORDER_REFERENCE_NUMBER = unsigned("order_reference_number", 8, "day-unique order id")
BUY_SELL_INDICATOR = text("buy_sell_indicator", 1, "'B' buy, 'S' sell")
SHARES = unsigned("shares", 4, "displayed quantity")
PRICE = price("price", 4, "display price")
MATCH_NUMBER = unsigned("match_number", 8)

ITCH50 = Protocol(
    name="itch50",
    title="Nasdaq TotalView-ITCH 5.0",
    byte_order="big",
    source="Nasdaq TotalView-ITCH 5.0, 2023-04-28",
    messages=(
        Message(
            "system_event",
            ord("S"),
            "System Event",
            (
                *HEADER,
                text(
                    "event_code",
                    1,
                    "'O' start of messages, 'S' start of system hours, 'Q' start of market hours,"
                    " 'M' end of market hours, 'E' end of system hours, 'C' end of messages",
                ),
            ),
            "1.1",
        ),
        Message(
            "stock_directory",
            ord("R"),
            "Stock Directory",
            (
                *HEADER,
                STOCK,
                text(
                    "market_category",
                    1,
                    "'Q' Nasdaq GS, 'G' Nasdaq GM, 'S' Nasdaq CM, 'N' NYSE, 'A' NYSE American, "
                    "'P' NYSE Arca, 'Z' BATS Z, 'V' IEX, space n/a",
                ),
                text(
                    "financial_status_indicator",
                    1,
                    "'D' deficient, 'E' delinquent, 'Q' bankrupt, 'S' suspended, 'G' "
                    "deficient+bankrupt, 'H' deficient+delinquent, 'J' delinquent+bankrupt, 'K' "
                    "all three, 'C' ETP creations/redemptions suspended, 'N' normal, space n/a "
                    "(non-Nasdaq listed)",
                ),
                unsigned("round_lot_size", 4, "shares in a round lot"),
                text("round_lots_only", 1, "'Y'/'N'"),
                text("issue_classification", 1, "see issue classifications"),
                text("issue_sub_type", 2, "opaque; 'Z' not applicable"),
                text("authenticity", 1, "'P' live, 'T' test"),
                text("short_sale_threshold_indicator", 1, "'Y'/'N'/space"),
                text("ipo_flag", 1, "'Y'/'N'/space"),
                text("luld_reference_price_tier", 1, "'1', '2', space"),
                text("etp_flag", 1, "'Y'/'N'/space"),
                unsigned("etp_leverage_factor", 4, "leverage rounded down to integer"),
                text("inverse_indicator", 1, "'Y'/'N'"),
            ),
            "1.2.1",
        ),
        Message(
            "stock_trading_action",
            ord("H"),
            "Stock Trading Action",
            (
                *HEADER,
                STOCK,
                text(
                    "trading_state",
                    1,
                    "'H' halted, 'P' paused (Nasdaq-listed only), 'Q' quotation only, 'T' trading",
                ),
                text("reserved", 1, "ignore"),
                text("reason", 4, "see trading action reasons"),
            ),
            "1.2.2",
        ),
        Message(
            "reg_sho_restriction",
            ord("Y"),
            "Reg SHO Short Sale Price Test Restricted Indicator",
            (
                *HEADER,
                STOCK,
                text(
                    "reg_sho_action",
                    1,
                    "'0' none, '1' in effect (intraday drop), '2' remains in effect",
                ),
            ),
            "1.2.3",
        ),
        Message(
            "market_participant_position",
            ord("L"),
            "Market Participant Position",
            (
                *HEADER,
                text("mpid", 4, "participant id"),
                STOCK,
                text("primary_market_maker", 1, "'Y'/'N'"),
                text(
                    "market_maker_mode",
                    1,
                    "'N' normal, 'P' passive, 'S' syndicate, 'R' pre-syndicate, 'L' penalty",
                ),
                text(
                    "market_participant_state",
                    1,
                    "'A' active, 'E' excused, 'W' withdrawn, 'S' suspended, 'D' deleted",
                ),
            ),
            "1.2.4",
        ),
        Message(
            "mwcb_decline_level",
            ord("V"),
            "MWCB Decline Level",
            (
                *HEADER,
                price("level_1", 8, "8 implied decimals", decimals=8),
                price("level_2", 8, "8 implied decimals", decimals=8),
                price("level_3", 8, "8 implied decimals", decimals=8),
            ),
            "1.2.5.1",
        ),
        Message(
            "mwcb_status",
            ord("W"),
            "MWCB Status",
            (
                *HEADER,
                text("breached_level", 1, "'1', '2', '3'"),
            ),
            "1.2.5.2",
        ),
        Message(
            "ipo_quoting_period_update",
            ord("K"),
            "IPO Quoting Period Update",
            (
                *HEADER,
                STOCK,
                unsigned(
                    "ipo_quotation_release_time",
                    4,
                    "SECONDS since midnight (not ns); 0 when cancelled",
                ),
                text(
                    "ipo_quotation_release_qualifier", 1, "'A' anticipated, 'C' cancelled/postponed"
                ),
                price("ipo_price", 4, "0 when cancelled"),
            ),
            "1.2.6",
        ),
        Message(
            "luld_auction_collar",
            ord("J"),
            "LULD Auction Collar",
            (
                *HEADER,
                STOCK,
                price("auction_collar_reference_price", 4),
                price("upper_auction_collar_price", 4),
                price("lower_auction_collar_price", 4),
                unsigned("auction_collar_extension", 4, "number of extensions"),
            ),
            "1.2.7",
        ),
        Message(
            "operational_halt",
            ord("h"),
            "Operational Halt (lower-case h)",
            (
                *HEADER,
                STOCK,
                text("market_code", 1, "'Q' Nasdaq, 'B' BX, 'X' PSX"),
                text("operational_halt_action", 1, "'H' halted, 'T' resumed"),
            ),
            "1.2.8",
        ),
        Message(
            "add_order",
            ord("A"),
            "Add Order - no MPID attribution",
            (
                *HEADER,
                ORDER_REFERENCE_NUMBER,
                BUY_SELL_INDICATOR,
                SHARES,
                STOCK,
                PRICE,
            ),
            "1.3.1",
        ),
        Message(
            "add_order_with_mpid",
            ord("F"),
            "Add Order - MPID attribution",
            (
                *HEADER,
                ORDER_REFERENCE_NUMBER,
                BUY_SELL_INDICATOR,
                SHARES,
                STOCK,
                PRICE,
                text("attribution", 4, "MPID"),
            ),
            "1.3.2",
        ),
        Message(
            "order_executed",
            ord("E"),
            "Order Executed",
            (
                *HEADER,
                ORDER_REFERENCE_NUMBER,
                unsigned(
                    "executed_shares", 4, "deduct from open quantity; at the order's display price"
                ),
                unsigned("match_number", 8, "day-unique execution id"),
            ),
            "1.4.1",
        ),
        Message(
            "order_executed_with_price",
            ord("C"),
            "Order Executed With Price",
            (
                *HEADER,
                ORDER_REFERENCE_NUMBER,
                unsigned("executed_shares", 4, "deduct from open quantity"),
                MATCH_NUMBER,
                text("printable", 1, "'Y' counts in volume, 'N' will be in a later bulk print"),
                price("execution_price", 4, "differs from display price"),
            ),
            "1.4.2",
        ),
        Message(
            "order_cancel",
            ord("X"),
            "Order Cancel (partial)",
            (
                *HEADER,
                ORDER_REFERENCE_NUMBER,
                unsigned("cancelled_shares", 4, "deduct from open quantity"),
            ),
            "1.4.3",
        ),
        Message(
            "order_delete",
            ord("D"),
            "Order Delete",
            (
                *HEADER,
                ORDER_REFERENCE_NUMBER,
            ),
            "1.4.4",
        ),
        Message(
            "order_replace",
            ord("U"),
            "Order Replace",
            (
                *HEADER,
                unsigned("original_order_reference_number", 8, "order removed in full"),
                unsigned(
                    "new_order_reference_number", 8, "id of the replacement; loses time priority"
                ),
                unsigned("shares", 4, "new total displayed quantity"),
                price("price", 4, "new display price; side, symbol and MPID are inherited"),
            ),
            "1.4.5",
        ),
        Message(
            "trade",
            ord("P"),
            "Trade (non-cross)",
            (
                *HEADER,
                unsigned("order_reference_number", 8, "0 since 2010-12-06"),
                text("buy_sell_indicator", 1, "always 'B' since 2014-07-14"),
                unsigned("shares", 4),
                STOCK,
                price("price", 4),
                unsigned("match_number", 8, "does not change the displayed book"),
            ),
            "1.5.1",
        ),
        Message(
            "cross_trade",
            ord("Q"),
            "Cross Trade",
            (
                *HEADER,
                unsigned("shares", 8, "NOTE 8 bytes; may be 0"),
                STOCK,
                price("cross_price", 4),
                MATCH_NUMBER,
                text("cross_type", 1, "'O' opening, 'C' closing, 'H' IPO/halt"),
            ),
            "1.5.2",
        ),
        Message(
            "broken_trade",
            ord("B"),
            "Broken Trade",
            (
                *HEADER,
                unsigned("match_number", 8, "execution being broken; no book effect"),
            ),
            "1.5.3",
        ),
        Message(
            "net_order_imbalance_indicator",
            ord("I"),
            "Net Order Imbalance Indicator (NOII)",
            (
                *HEADER,
                unsigned("paired_shares", 8),
                unsigned("imbalance_shares", 8),
                text(
                    "imbalance_direction",
                    1,
                    "'B', 'S', 'N' none, 'O' insufficient orders, 'P' paused",
                ),
                STOCK,
                price("far_price", 4),
                price("near_price", 4),
                price("current_reference_price", 4),
                text("cross_type", 1, "'O', 'C', 'H', 'A' extended trading close"),
                text(
                    "price_variation_indicator",
                    1,
                    "'L' <1%, '1'..'9' n to n.99%, 'A' 10-19.99%, 'B' 20-29.99%, 'C' >=30%, space"
                    " n/a",
                ),
            ),
            "1.6",
        ),
        Message(
            "retail_price_improvement_indicator",
            ord("N"),
            "Retail Price Improvement Indicator (RPII)",
            (
                *HEADER,
                STOCK,
                text("interest_flag", 1, "'B', 'S', 'A' both, 'N' none"),
            ),
            "1.7",
        ),
        Message(
            "direct_listing_with_capital_raise",
            ord("O"),
            "Direct Listing with Capital Raise price discovery (DLCR)",
            (
                *HEADER,
                STOCK,
                text("open_eligibility_status", 1, "'Y'/'N'"),
                price("minimum_allowable_price", 4),
                price("maximum_allowable_price", 4),
                price("near_execution_price", 4),
                unsigned("near_execution_time", 8, "time the near execution price was set"),
                price("lower_price_range_collar", 4),
                price("upper_price_range_collar", 4),
            ),
            "1.8",
        ),
    ),
)
