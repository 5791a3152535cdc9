# SPDX-License-Identifier: Apache-2.0
"""The registers of a card: the one table behind its register file, the host's access and the page.

``identity`` says whether the host may use the card at all; it comes first, at the same place in
every version.
"""

from __future__ import annotations

from nic.framing.enumerations import ARBITER, FRAMING, PARSER
from nic.offload.builder_enumerations import BUILDER
from nic.offload.commands import SYMBOL_BITS, TIME_BITS, VENUE_BITS
from nic.offload.enumerations import GATE, RISK
from nic.offload.limit_words import WORDS
from nic.offload.order_template import ADDRESS_BITS
from nic.offload.records import COMMAND_TABLE, OFFLOAD
from nic.offload.register_map import (
    WORD_BITS,
    Block,
    RegisterMap,
    constant,
    counters,
    event,
    flags,
    hash_of,
    read,
    row_event,
    setting,
)
from nic.offload.trigger import TRIGGER

MAGIC = int.from_bytes(b"TICKWIRE", "little")
INTERFACE_VERSION = 1
"""Counts up when the meaning of a register, a record or a command changes."""

LOCATE_BITS = 16
SLOT_BITS = 10
RING_WORD_BITS = 5

IDENTITY = Block(
    "identity",
    "what the card is",
    (
        constant("magic", "TICKWIRE, the first letter in the lowest byte"),
        constant("interface_version", "version of registers, records and commands"),
        constant("layout_hash", "of the tables of registers, records and commands"),
        constant("build_hash", "of the sources the gateware was made of"),
        constant("feed", "0 Nasdaq ITCH 5.0 on MoldUDP64, 1 IEX DEEP 1.0 on IEX-TP"),
        constant("symbol_bits", "two to this power symbols"),
        constant("order_bits", "two to this power open orders"),
        constant("strategy_bits", "two to this power strategies"),
        constant("venue_bits", "two to this power order-entry sessions"),
        constant("locate_bits", "instrument numbers of the feed that the filter can hold"),
        constant("replay_slots", "segments in the replay ring"),
        constant("record_slots", "places in the ring of records; 0: there is none"),
        constant("command_slots", "places in the ring of commands; 0: there is none"),
    ),
)

CONTROL = Block(
    "control",
    "the card as a whole",
    (
        read("init_done", 1, "1: every table is clear, the card may be set up"),
        read("cycle", 48, "the counter of cycles that stamps events and verdicts"),
        read("time_ns", TIME_BITS, "the card's time"),
        event("set_time_ns", TIME_BITS, "the card's time is this from now on"),
        setting("is_arbitrating", 1, "0: every message of both lines is an event", reset=1),
        setting("drops_unwanted", 1, "1: no records of instruments the filter does not have"),
        setting("gives_events", 1, "1: events make records"),
        read("feed_gap", 1, "1: messages were missing since this was last cleared"),
        event("clear_feed_gap", 1, "feed_gap is 0 again"),
        read("records", WORD_BITS, "records made, those that were dropped included"),
        read("records_dropped", WORD_BITS, "records dropped: the host was slow"),
        read("commands", WORD_BITS, "commands carried out"),
        read("commands_refused", WORD_BITS, "commands of unknown type, number or length"),
    ),
)


def line(letter: str) -> Block:
    """The registers of a line's parser."""
    return Block(
        f"line_{letter}",
        f"parser of line {letter.upper()}",
        (
            setting("destination_address", 32, "IPv4 address of its datagrams"),
            setting("destination_port", 16, "UDP port of its datagrams"),
            setting("is_pinned", 1, "1: datagrams of other sessions are refused"),
            setting("session_low", WORD_BITS, "bytes 0 to 7 of the session, byte 0 lowest"),
            setting("session_high", 16, "bytes 8 and 9, where the transport has them"),
            counters(
                "counters",
                FRAMING.names + PARSER.names,
                "frames by their result, then the parser's other counters",
            ),
        ),
    )


FEED = Block(
    "arbiter",
    "arbitration of the lines, and the filter",
    (
        event("start", WORD_BITS, "the sequence number that is expected next; 0: any"),
        read("expected", WORD_BITS, "the sequence number that is expected next"),
        read("gap_next", WORD_BITS, "first sequence number the open gap still takes"),
        read("gap_end", WORD_BITS, "the one behind the open gap; as gap_next: none is open"),
        counters("counters", ARBITER.names, "messages by what became of them"),
        row_event(
            "filter_row",
            "an instrument number of the feed, and the symbol it is",
            locate=LOCATE_BITS,
            symbol_index=SYMBOL_BITS,
            is_wanted=1,
        ),
    ),
)

GATE_BLOCK = Block(
    "gate",
    "the risk gate; its commands come with the others",
    (
        counters("verdicts", RISK.names, "requests by reason"),
        read("pass_number", 48, "requests that passed"),
        setting("limit_value", WORD_BITS, "value of a word of the set of limits"),
        event("limit_number", (len(WORDS) - 1).bit_length(), "put limit_value in: its number"),
        read("limits_sequence_number", WORD_BITS, "of the set that was put in force last"),
        read("limits_set", 1, "1: there is a default set; before, nothing passes"),
        read("limits_late", 32, "sets refused: the sequence number was not above the last"),
        read("limits_unfit", 32, "sets refused: not whole, or for an unknown symbol"),
        flags("killed", "what is killed as a whole", **{"global": 1, "heartbeat": 1}),
        read("killed_sessions", GATE.value("venues"), "a bit per order-entry session"),
        read("switches_refused", 32, "steps of a kill switch that did nothing: not armed, unknown"),
        read("open_orders", 32, "orders in the table"),
        read("is_idle", 1, "1: every command was carried out to its end"),
    ),
)

TRIGGER_BLOCK = Block(
    "trigger",
    "the trigger table; its rows come with the commands",
    (
        counters(
            "counters", TRIGGER.names, "messages of an armed row's kind by what became of them"
        ),
    ),
)

BUILDER_BLOCK = Block(
    "builder",
    "orders and payloads on their way out",
    (
        setting("template_value", WORD_BITS, "a word of the templates"),
        event("template_address", ADDRESS_BITS, "put template_value in: its address"),
        setting("symbol_text", WORD_BITS, "a symbol as on the wire, first letter lowest"),
        event("symbol_index", SYMBOL_BITS, "put symbol_text in: the symbol"),
        event("sequence_number", 32, "of TCP: of the next byte"),
        setting("venue", VENUE_BITS, "whose orders this connection takes"),
        setting("acknowledgment_number", 32, "of TCP: the next byte expected of the peer"),
        setting("window", 16, "of TCP: that the peer is told"),
        setting("unacknowledged", 32, "the oldest byte that the peer did not acknowledge"),
        setting("peer_window", 32, "bytes it takes from there"),
        setting("maximum_in_flight", 32, "bytes the host allows from there"),
        setting("is_connected", 1, "1: there is a connection, payloads may go"),
        setting("is_armed", 1, "1: orders may go too"),
        read("next_sequence_number", 32, "of TCP: of the next byte"),
        read("segments", 32, "segments put into the replay ring"),
        row_event(
            "ring_address", "show this word in ring_word", word=RING_WORD_BITS, slot=SLOT_BITS
        ),
        read("ring_word", WORD_BITS, "the word of the replay ring at ring_address"),
        event("resend", SLOT_BITS, "send the segment of a slot again"),
        counters("counters", BUILDER.names, "orders and payloads by what became of them"),
    ),
)

RINGS = Block(
    "rings",
    "rings in the card's memory behind the registers, for a host without a stream",
    (
        read("records_made", WORD_BITS, "records the card put into the ring"),
        setting("records_taken", WORD_BITS, "records the host took out of it"),
        setting("commands_made", WORD_BITS, "commands the host put into the ring"),
        read("commands_taken", WORD_BITS, "commands the card took out of it"),
    ),
)

REGISTERS = RegisterMap(
    (
        *(IDENTITY, CONTROL, line("a"), line("b"), FEED),
        *(TRIGGER_BLOCK, GATE_BLOCK, BUILDER_BLOCK, RINGS),
    )
)


def _layout_text() -> str:
    """All that decides how records and commands are read."""
    fields = [
        f"{m.name} {m.code} {f.name} {f.offset} {f.width}" for m in OFFLOAD.messages for f in m
    ]
    arguments = [f"{c.name} {[(a.name, a.bits) for a in c.arguments]}" for c in COMMAND_TABLE]
    limits = [f"{word.name} {word.bits}" for word in WORDS]
    return "\n".join((*fields, *arguments, *limits))


LAYOUT_HASH = hash_of(REGISTERS.text, _layout_text())
"""Host and card must have the same one."""
