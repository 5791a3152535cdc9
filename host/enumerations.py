# SPDX-License-Identifier: Apache-2.0
"""Counters of the engine."""

from nic.enumeration import enumeration

ENGINE = enumeration(
    "engine",
    packets="packets taken from the feed's ports",
    messages="messages delivered to the book, each sequence number once",
    unwanted="datagrams to an address and port that is no line of the feed",
    bbo_changes="changes of a best bid or offer",
    trades="trades printed",
    state_changes="changes of a trading state or of a symbol's directory entry",
    order_events="events in the life of our own orders",
    timers="timer calls",
    restarts="times the books were reset because the sequence began anew",
    stale="times the feed went stale",
    lost_messages="messages that never came and whose effect is unknown",
    end_of_session="end of session announcements",
)

ENUMERATIONS = (ENGINE,)
