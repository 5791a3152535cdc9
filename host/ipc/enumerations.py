# SPDX-License-Identifier: Apache-2.0
"""Kinds and flags of the normalised feed's events, how a ring stands, what order lines carry."""

from nic.enumeration import Entry, Enumeration, enumeration

EVENT = enumeration(
    "event",
    start=1,
    begin="a publisher begins: nothing that was known before holds any more",
    add="an order was added to the book",
    execute="an order in the book was executed, all of it or a part",
    reduce="an order lost shares",
    delete="an order left the book",
    replace="an order was replaced by one with another reference",
    level="a price level has so many shares now, 0 for none (feeds without orders)",
    trade="a trade that changed no order of the book, such as a cross or a hidden order",
    state="a state of the symbol changed: trading, halt, short sale, trust, round lot",
    top="the symbol's top repeated, for who came late or was overrun",
    phase="the market entered another phase",
    gap="messages of the feed were lost: every book is gapped",
    restart="the feed began anew: every book is empty",
    stale="nothing is heard from the feed",
    live="the feed is heard again",
    end_of_session="the feed's session ended",
)

EVENT_FLAG = Enumeration(
    "event_flag",
    (
        Entry("feed_stale", 1, "nothing is heard from the feed"),
        Entry("last_trade", 2, "price and quantity are the symbol's last trade as well"),
    ),
)

RING_STATE = enumeration(
    "ring_state",
    open="the publisher publishes",
    closed="the publisher ended in order; nothing more will come",
    replaced="another publisher took the place of one that had ended or died",
    died="the publisher's process ended without closing",
)

LINE_ACTION = enumeration(
    "line_action",
    start=1,
    new="a new order",
    replace="another price or size for an open order",
    cancel="take an open order off, or make it smaller",
    alive="nothing is wanted; the strategy host lives. Not answered",
)

LINE_REPORT = enumeration(
    "line_report",
    start=1,
    opened="the line is open",
    taken="the request passed the risk gate and went to the venue",
    refused="nothing was sent; the refusal says why",
    event="something happened to an order",
    closed="the line is at its end; the refusal says why. Nothing more comes",
)

LINE_REFUSAL = enumeration(
    "line_refusal",
    none="not refused",
    gate="by the risk gate or for want of a venue; the reason is the gate's",
    not_trading="the feed host does not trade yet, or not any more; cancels pass",
    unknown_action="there is no such action",
    wrong_length="the record does not have the length that it has",
    sequence_gap="requests before it are missing: their numbers have a hole",
    unknown_symbol="no such symbol index, or another symbol has it",
    unknown_order="no open order of this line has the handle",
    bad_handle="0, or the handle of an open order, for a new one",
    went_away="the connection ended",
    too_slow="reports were not taken until there was no room for another",
    silent="nothing was heard for too long",
    lost_slots="requests were overwritten or skipped in the ring",
    false_credit="credit was given for reports that were never sent",
    no_seat="as many strategy hosts send orders as may",
    stopped="the feed host stopped",
)
"""Why a request was refused, and from ``went_away`` on why a line ended."""

DESK = enumeration(
    "desk",
    requests="requests taken, good or bad",
    taken="of these, passed and sent to a venue",
    alive="signs of life",
    reports="reports handed to strategy hosts",
    reports_dropped="reports for which there was no strategy host any more",
    orders_cancelled="cancels sent for strategy hosts that had gone",
    joined="strategy hosts that came",
    left="strategy hosts that went, or were cut off",
)

REMOTE_GATE = enumeration(
    "remote_gate",
    requests="requests sent to the feed host",
    taken="requests that it took",
    refused="requests that it refused, by its risk gate or before",
    not_sent="requests not sent: no room or line, or the order is not open",
    events="events of own orders",
    unknown="reports that fit no order or request",
    lost_answers="requests never answered: the feed host did not get them",
)

ENUMERATIONS = (
    EVENT,
    EVENT_FLAG,
    RING_STATE,
    LINE_ACTION,
    LINE_REPORT,
    LINE_REFUSAL,
    DESK,
    REMOTE_GATE,
)
