# SPDX-License-Identifier: Apache-2.0
"""What stands in a journal file: its header, and the body of each kind of record.

A file is ``file_header``, then records. A record is the head that ``host/ipc/layout.py`` calls
``record``, its body, and zeros up to a multiple of eight bytes. Little-endian throughout; bytes
that travelled on a wire are kept as they were. The body of a kind of ``JOURNAL``
(``enumerations.py``) is the message of the same name; what a body has after its fields stands
under ``payload``.
"""

from nic.wire.table import LengthRule, Message, Protocol, signed_price, text, unsigned

VERSION = 1
MAGIC = b"TWJOURNL"

VENUE = unsigned("venue", 2, "index of the order-entry session")
USER_REF_NUM = unsigned("user_ref_num", 4, "of the order on the wire")
PASS_NUMBER = unsigned("pass_number", 8, "of the risk gate, counts from 1")
STRATEGY_ID = unsigned("strategy_id", 2)
ACTION = unsigned("action", 1, "0 new, 1 replace, 2 cancel")
TRACE = (
    unsigned("trace_sequence_number", 8, "feed message that caused it"),
    unsigned("trace_line", 2, "0 A, 1 B, 2 re-request, 0xFFFF no packet"),
    unsigned("trace_message_index", 2, "in its packet"),
)
SIDE = text("side", 1, "'B' buy, 'S' sell")


def body(name: str, title: str, *fields: object) -> Message:
    """One kind of body: its fields, then a payload of any length."""
    return Message(name, None, title, tuple(fields), "", LengthRule.PAYLOAD)  # type: ignore[arg-type]


def json_text(name: str, title: str) -> Message:
    """A body that is JSON text in UTF-8 after its length."""
    return body(name, title, unsigned("text_length", 4, unit="bytes"))


JOURNAL_LAYOUT = Protocol(
    name="journal",
    title="Journal file",
    byte_order="little",
    source="this table",
    messages=(
        Message(
            "file_header",
            None,
            "File header",
            (
                text("magic", 8, "TWJOURNL"),
                unsigned("version", 2),
                unsigned("header_length", 2, "of this header", unit="bytes"),
                unsigned("process_id", 4, "of the writer"),
                unsigned("created_ns", 8, "since 1970, UTC", unit="ns"),
                text("description", 40, "given by the user"),
                text("ring_path", 192, "shared memory the records come from"),
            ),
        ),
        json_text("configuration", "Configuration"),
        body(
            "session",
            "Session state",
            VENUE,
            unsigned("state", 1, "SESSION_* of host/interfaces.pxd"),
            unsigned("reason", 1, "why it went down: table DOWN of host/gateway/enumerations.py"),
            text("session", 10, "as the exchange sent it"),
            unsigned("next_sequence_number", 8, "next sequenced message expected"),
        ),
        body(
            "order_sent",
            "Order passed and sent; payload: the SoupBinTCP packet",
            PASS_NUMBER,
            *TRACE,
            USER_REF_NUM,
            VENUE,
            STRATEGY_ID,
            ACTION,
        ),
        body(
            "order_unsent",
            "Packet that did not leave; payload: the SoupBinTCP packet",
            VENUE,
            unsigned("sent_bytes", 4, "of the packet that did leave", unit="bytes"),
        ),
        body("query_sent", "Packet without an order; payload: the SoupBinTCP packet", VENUE),
        body(
            "inbound",
            "Sequenced message; payload: the message",
            VENUE,
            unsigned("sequence_number", 8, "in the session"),
        ),
        body(
            "risk_reject",
            "Order refused by the gate",
            *TRACE,
            unsigned("reason", 2, "table RISK of nic/offload/enumerations.py"),
            VENUE,
            STRATEGY_ID,
            ACTION,
            SIDE,
            text("symbol", 8),
            unsigned("quantity", 4, unit="shares"),
            unsigned("user_ref_num", 4, "of the order to replace or cancel"),
            signed_price("price", 8),
        ),
        json_text("command", "Command"),
        json_text("counters", "Counters"),
        body("closed", "Closed in order", unsigned("refused", 8, "records there was no room for")),
        body(
            "card_difference",
            "The card in the path is out of step with the host; everything is killed",
            unsigned("failure", 2, "table CARD_FAILURE of host/risk/enumerations.py"),
            unsigned("is_verdict", 2, "1: the card's fields are those of a verdict"),
            unsigned("host_reason", 2, "table RISK of nic/offload/enumerations.py"),
            unsigned("card_reason", 2, "table RISK of nic/offload/enumerations.py"),
            unsigned("host_user_ref_num", 4, "the number the host gives"),
            unsigned("card_user_ref_num", 4),
            unsigned("host_pass_number", 8, "passes, this one included"),
            unsigned("card_pass_number", 8, "of the card's pass; 0 when it refused"),
        ),
    ),
)
