# SPDX-License-Identifier: Apache-2.0
"""Kinds and flags of the normalised feed's events, and how a ring of events stands."""

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

ENUMERATIONS = (EVENT, EVENT_FLAG, RING_STATE)
