# SPDX-License-Identifier: Apache-2.0
"""What is counted where a card's feed side is in the path."""

from nic.enumeration import enumeration

FEED_PATH = enumeration(
    "feed_path",
    frames="frames that went through the card's lines",
    frames_not_taken="frames that no line can bring: empty, or too long",
    events="events of the card that were held against the host's parse",
    differences="of them, those that differ, are missing or too many",
    datagrams="datagrams made of events, or handed on with the card's messages in them",
    idle_datagrams="datagrams without messages, handed on as they came",
    not_whole="messages of frames that hold no whole datagram: held against, not handed on",
)

EVENT_DIFFERENCE = enumeration(
    "event_difference",
    none="all events are the same",
    missing="the card has no event where the host has a message",
    surplus="the card has an event where the host has no message",
    message="the bytes of the message differ",
    sequence_number="its sequence number differs",
    arrival="it came in another relation to the gaps",
    line="it came by another line",
)
"""The first thing in which events of card and host differ."""

ENUMERATIONS = (FEED_PATH, EVENT_DIFFERENCE)
