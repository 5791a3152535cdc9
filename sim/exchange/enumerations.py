# SPDX-License-Identifier: Apache-2.0
"""Counters of the simulated exchange, and the numbers it takes from the OUCH 5.0 tables."""

import re

from nic.enumeration import Entry, Enumeration, enumeration
from nic.wire.ouch50 import CANCEL_REASONS, REJECT_REASONS, TAGS


def _name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


REJECT_REASON = Enumeration(
    "reject_reason",
    tuple(Entry(_name(text), value, text) for value, text in REJECT_REASONS.items()),
)
CANCEL_REASON = Enumeration(
    "cancel_reason",
    tuple(Entry(_name(text), ord(letter), text) for letter, text in CANCEL_REASONS.items()),
)
OPTION_TAG = Enumeration(
    "option_tag",
    tuple(Entry(tag.value.name, tag.number, f"{tag.value.width} bytes") for tag in TAGS),
)

PUBLISHER = enumeration(
    "publisher",
    messages="messages published",
    bytes="bytes of the messages published, framing not included",
    packets="packets that carry messages, each counted once for both lines",
    heartbeats="heartbeat packets",
    end_of_session_packets="end of session packets",
    history_dropped="messages that left the history to make room, no longer served on request",
)

REREQUEST = enumeration(
    "rerequest",
    requests="datagrams received",
    answered="requests answered",
    messages="messages sent in answers",
    short_answers="answers with fewer messages than wanted",
    bad_length="datagrams that are not 20 bytes long",
    bad_session="requests for another session",
    bad_count="requests for 0 or 65535 messages",
    bad_sequence_number="requests for a sequence number not yet published, or for 0",
    dropped_from_history="requests for messages that the history no longer holds",
)

ORDER_ENTRY = enumeration(
    "order_entry",
    enter_orders="Enter Order received",
    replaces="Replace Order Request received",
    cancels="Cancel Order Request received",
    modifies="Modify Order Request received",
    mass_cancels="Mass Cancel Request received",
    disables="Disable Order Entry Request received",
    enables="Enable Order Entry Request received",
    account_queries="Account Query Request received",
    bad_length="messages whose length does not fit their type",
    unknown_type="messages of an unknown type",
    bad_appendage="messages whose option tags are cut or of a wrong size",
    unknown_tags="option tags skipped because this revision does not assign them",
    old_user_ref_num="messages ignored because their UserRefNum is not higher than the last",
    not_live="replaces, cancels and modifies ignored because the order is not live",
    superfluous="cancels and modifies ignored because they would not reduce the order",
    accepted="orders accepted",
    replaced="orders replaced",
    canceled="Order Canceled sent",
    self_match_canceled="AIQ Canceled sent",
    executions="Order Executed sent",
    executed_shares="shares in Order Executed, both sides of an own trade counted",
    modified="orders modified",
    rejected="messages rejected",
    broken="Broken Trade sent",
    expired="orders canceled because their time to live was over",
    table_full="orders rejected because the table of live client orders is full",
    store_failed="outbound messages lost because memory ran out",
)

MATCHING = enumeration(
    "matching",
    entered_shares="shares of orders that came to the engine, those of replacements included",
    canceled_shares="shares taken off by cancels, deletes, replaces and for want of room",
    trades="matches, one per pair of orders",
    traded_shares="shares matched, each match counted once",
    hidden_trades="matches whose resting order was not displayed",
    orders_displayed="orders that came to rest in the displayed book",
    orders_hidden="orders that came to rest undisplayed",
    no_room="orders cancelled because a book had no room for them",
    state_changes="changes of a trading state",
    self_matches_prevented="resting orders cancelled because they met their own session",
    broken_trades="matches broken",
)

FLOW = enumeration(
    "flow",
    actions="background actions",
    adds="passive orders added",
    deletes="orders deleted",
    reduces="orders cancelled in part",
    replaces="orders replaced",
    marketable="marketable orders entered",
    replenished="orders added because a side was thin",
    behind="times the flow was behind its rate by more than one call may make good",
    skipped="messages given up because the flow was behind",
)

ACCEPTOR = enumeration(
    "acceptor",
    connections="connections taken",
    connections_refused="connections refused because too many were open",
    logins="logins accepted",
    takeovers="logins that took a session over from another connection",
    rejected_credentials="logins rejected: username or password",
    rejected_session="logins rejected: session or sequence number not available",
    logouts="logout requests",
    disconnects="connections closed by the client without a logout",
    silent="connections dropped because the client was silent",
    login_timeouts="connections dropped because they did not log in",
    bad_framing="connections closed because a packet had length 0",
    bad_login="connections closed because the first packet was no login request",
    bad_length="packets whose length does not fit their type",
    unknown_type="packets of an unknown type",
    unsequenced="unsequenced data packets received",
    debug="debug packets received",
    heartbeats_received="client heartbeats",
    heartbeats_sent="server heartbeats",
    sequenced="sequenced data packets sent, repeats after a login counted again",
    replayed="sequenced data packets repeated after a login",
)

REPLAY_MARKET = enumeration(
    "replay_market",
    rested="client orders that came to rest",
    taken_shares="shares that client orders took from the recorded book",
    made_shares="shares that client orders traded while resting",
    queue_fills="fills because recorded trades used up the shares ahead",
    traded_through="fills because a recorded trade was at a worse price",
    met="fills because a recorded order came to stand against a client order",
    own_trades="trades between two client orders",
    taken_full="levels whose taken shares could not be remembered for want of room",
)

ENUMERATIONS = (
    REJECT_REASON,
    CANCEL_REASON,
    OPTION_TAG,
    PUBLISHER,
    REREQUEST,
    ORDER_ENTRY,
    MATCHING,
    FLOW,
    ACCEPTOR,
    REPLAY_MARKET,
)
