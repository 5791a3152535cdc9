# SPDX-License-Identifier: Apache-2.0
"""SoupBinTCP 3.00: login, heartbeats and sequenced delivery over TCP.

Source: Nasdaq SoupBinTCP 3.00 specification, chapter 2 "SoupBinTCP Packet Types". Big-endian
lengths; numbers inside login packets are ASCII digits, padded with spaces on the left. Packets do
not align with TCP segments. The packet length counts every byte after itself, the type byte
included.
"""

from nic.wire.table import LengthRule, Message, Protocol, text, unsigned

PACKET_LENGTH = unsigned(
    "packet_length", 2, "bytes after this field, type included", counts="after_field"
)
PACKET_TYPE = text("packet_type", 1, "type code")

LOGIN_REJECT_REASONS = {"A": "not authorized", "S": "session not available"}

SOUPBINTCP = Protocol(
    name="soupbintcp",
    title="SoupBinTCP 3.00",
    byte_order="big",
    source="Nasdaq SoupBinTCP 3.00",
    type_offset=2,
    messages=(
        Message(
            "debug", ord("+"), "Debug", (PACKET_LENGTH, PACKET_TYPE), "2.1", LengthRule.PAYLOAD
        ),
        Message(
            "login_accepted",
            ord("A"),
            "Login Accepted",
            (
                PACKET_LENGTH,
                PACKET_TYPE,
                text("session", 10, "padded with spaces on the left"),
                text(
                    "sequence_number", 20, "next sequenced message, ASCII digits padded on the left"
                ),
            ),
            "2.2.1",
        ),
        Message(
            "login_rejected",
            ord("J"),
            "Login Rejected",
            (
                PACKET_LENGTH,
                PACKET_TYPE,
                text("reason", 1, "'A' not authorized, 'S' session not available"),
            ),
            "2.2.2",
        ),
        Message(
            "sequenced_data",
            ord("S"),
            "Sequenced Data",
            (PACKET_LENGTH, PACKET_TYPE),
            "2.2.3",
            LengthRule.PAYLOAD,
        ),
        Message(
            "server_heartbeat", ord("H"), "Server Heartbeat", (PACKET_LENGTH, PACKET_TYPE), "2.2.4"
        ),
        Message(
            "end_of_session", ord("Z"), "End of Session", (PACKET_LENGTH, PACKET_TYPE), "2.2.5"
        ),
        Message(
            "login_request",
            ord("L"),
            "Login Request",
            (
                PACKET_LENGTH,
                PACKET_TYPE,
                text("username", 6, "case-insensitive, padded on the right"),
                text("password", 10, "case-insensitive, padded on the right"),
                text("requested_session", 10, "spaces for the current session"),
                text(
                    "requested_sequence_number", 20, "next wanted; 1 from the start, 0 from now on"
                ),
            ),
            "2.3.1",
        ),
        Message(
            "unsequenced_data",
            ord("U"),
            "Unsequenced Data",
            (PACKET_LENGTH, PACKET_TYPE),
            "2.3.2",
            LengthRule.PAYLOAD,
        ),
        Message(
            "client_heartbeat", ord("R"), "Client Heartbeat", (PACKET_LENGTH, PACKET_TYPE), "2.3.3"
        ),
        Message(
            "logout_request", ord("O"), "Logout Request", (PACKET_LENGTH, PACKET_TYPE), "2.3.4"
        ),
    ),
    directions={
        "to_client": (
            "debug",
            "login_accepted",
            "login_rejected",
            "sequenced_data",
            "unsequenced_data",
            "server_heartbeat",
            "end_of_session",
        ),
        "to_server": (
            "debug",
            "login_request",
            "unsequenced_data",
            "client_heartbeat",
            "logout_request",
        ),
    },
)
