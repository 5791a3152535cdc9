# SPDX-License-Identifier: Apache-2.0
"""Counters, states and reasons of the order-entry gateway."""

from nic.enumeration import Entry, Enumeration, enumeration
from nic.wire.ouch50 import OUCH50

GATEWAY = enumeration(
    "gateway",
    connects="connections begun",
    connect_failures="connections that did not come up",
    connect_timeouts="connections that took too long to come up",
    logins="logins accepted",
    login_rejects="logins rejected",
    login_timeouts="connections dropped because no answer to the login came",
    server_timeouts="connections dropped because the server was silent for too long",
    disconnects="connections that ended, for whatever reason",
    sessions_changed="logins into another session than the one before",
    sequence_gaps="logins that skipped sequenced messages we never saw",
    end_of_session="times the exchange ended the session",
    packets_received="whole SoupBinTCP packets received",
    bytes_received="bytes received",
    sequenced_messages="sequenced messages delivered",
    duplicate_messages="sequenced messages seen before, dropped",
    unsequenced_messages="unsequenced messages from the server, ignored",
    server_heartbeats="heartbeats received",
    debug_packets="debug packets, ignored",
    unknown_packet_type="packets of an unknown type, ignored",
    bad_packet_length="packets whose length does not fit their type: framing is lost",
    packet_too_long="packets longer than any we expect: framing is lost",
    bad_login_number="logins accepted with a number that is none",
    unexpected_packet="packets that may not come in this state",
    packets_sent="packets handed to the stream or its buffer",
    client_heartbeats="heartbeats sent",
    partial_sends="packets the stream did not take whole at once",
    unsent_packets="packets that did not leave whole before the end",
    orders_entered="enter order messages sent",
    orders_replaced="replace requests sent",
    orders_cancelled="cancel requests sent",
    queries_sent="account queries sent",
    query_retries="account queries repeated because no answer came",
    refused_not_ready="orders refused because the session was not up",
    refused_seal="orders refused because the gate's seal did not fit",
    refused_bad_order="orders refused because they can't be encoded",
    refused_no_room="orders refused because the outbound buffer was full",
    refused_journal="orders refused because the journal had no room",
    refused_closed="orders refused by a connection that was just gone",
    unrecorded_messages="sequenced messages the journal had no room for",
    unrecorded_states="session states the journal had no room for",
    message_bad_length="OUCH messages whose length does not fit their type",
    message_unknown_type="OUCH messages of an unknown type",
)

MESSAGE = Enumeration(
    "message",
    tuple(Entry(m.name, i, m.title) for i, m in enumerate(OUCH50.of("outbound"))),
)

CLIENT = enumeration(
    "client",
    idle="waiting until it is time to connect",
    connecting="the connection is being made",
    login_sent="connected, waiting for the answer to the login",
    logged_in="sequenced messages flow",
    logging_out="logout sent, waiting for the server to close",
    ended="the exchange ended the session; it can't be joined again",
    refused="the exchange does not know us; trying again would not help",
    stopped="logged out or stopped by us",
)

DOWN = enumeration(
    "down",
    none="it is not down",
    connect_failed="the connection did not come up",
    connect_timeout="the connection took too long to come up",
    closed_by_peer="the server closed or reset the connection",
    server_silent="the server was silent for too long",
    login_timeout="no answer to the login came",
    session_not_available="login rejected: session not available",
    not_authorized="login rejected: not authorized",
    framing_lost="a packet length that can't be right",
    protocol_violation="a packet that may not come in this state",
    end_of_session="the exchange ended the session",
    logged_out="we logged out",
    stopped="we stopped",
)

REFUSED = enumeration(
    "refused",
    start=1,
    not_ready="the session is not up",
    seal="the gate's seal does not fit",
    bad_order="it can't be encoded",
    journal="the journal has no room",
    no_room="the outbound buffer has no room",
    closed="the connection is gone",
)

ENUMERATIONS = (GATEWAY, MESSAGE, CLIENT, DOWN, REFUSED)
