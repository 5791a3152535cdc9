# SPDX-License-Identifier: Apache-2.0
"""What goes between a card and its host: records up, commands down, in order, nothing else.

Both are rows of eight-byte words, little-endian. The first byte is the type, the second says how
many words there are. Records count from 1 without holes, whatever their type: a missing number is a
record that the card had to drop because the host was slow, and the host must then take no verdict
for granted. Commands are carried out one after the other; ``nic/offload/commands.py`` lists those
that go to the gate, ``TRIGGER_COMMANDS`` those to the trigger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from nic.offload.commands import COMMANDS, SYMBOL, TELLS, Argument, Command
from nic.offload.order_template import HOST_WORDS
from nic.offload.trigger import GENERATION_BITS, WAYS, TriggerRow
from nic.wire.reference import encode
from nic.wire.table import LengthRule, Message, Protocol, octets, text, unsigned

WORD_BYTES = 8
RECORD_SLOT_BYTES = 128
"""A place in a ring of records: the longest one fits."""
COMMAND_SLOT_BYTES = 256
LONGEST_PAYLOAD_BYTES = HOST_WORDS * WORD_BYTES
NOT_WANTED = 0xFFFF
"""Symbol index of an event whose instrument the filter does not have."""

RECORD_TYPE = text("record_type", 1, "type code")
WORDS = unsigned("words", 1, "of the whole record, these two bytes included", unit="8 bytes")
RECORD_NUMBER = unsigned("record_number", 8, "counts from 1 over all types")

OFFLOAD = Protocol(
    name="offload",
    title="Records and commands of a card",
    byte_order="little",
    source="this table",
    directions={
        "from_card": ("event", "verdict", "outcome"),
        "to_card": ("request", "command", "payload"),
    },
    messages=(
        Message(
            "event",
            ord("E"),
            "A message of the feed that came for the first time",
            (
                RECORD_TYPE,
                WORDS,
                unsigned("message_length", 1, "", unit="bytes"),
                unsigned("line", 1, "0 A, 1 B"),
                unsigned("arrival", 1, "number of ARRIVAL"),
                octets("reserved", 1),
                unsigned("symbol_index", 2, "0xFFFF: the filter does not have the instrument"),
                RECORD_NUMBER,
                unsigned("sequence_number", 8, "of the message in the feed's session"),
                unsigned("received_cycle", 8, "in which its last byte was on the line"),
            ),
            "the message follows, zeros up to the end of the last word",
            LengthRule.PAYLOAD,
        ),
        Message(
            "verdict",
            ord("V"),
            "What the gate decided about a request",
            (
                RECORD_TYPE,
                WORDS,
                unsigned("passed", 1, "1: it passed"),
                unsigned("reason", 1, "number of RISK; 0 when passed"),
                unsigned("action", 1, "0 new, 1 replace, 2 cancel"),
                unsigned("side", 1, "letter of OUCH"),
                unsigned("time_in_force", 1, "letter of OUCH"),
                unsigned("post_only", 1, "0 or 1"),
                RECORD_NUMBER,
                unsigned("decided_cycle", 8, "in which the verdict was valid"),
                unsigned("t_ns", 8, "the time that every check took for now", unit="ns"),
                unsigned("pass_number", 8, "of a pass: counts from 1; 0 when refused"),
                unsigned("user_ref_num", 4, "given to it; of a cancel its order's"),
                unsigned("order_user_ref_num", 4, "the order to replace or cancel; 0 of a new one"),
                unsigned("symbol_index", 2),
                unsigned("strategy_id", 2),
                unsigned("venue", 2, "index of the order-entry session"),
                unsigned("origin", 1, "0 the card's trigger, 1 the host"),
                octets("reserved_1", 1),
                unsigned("quantity", 4, "", unit="shares"),
                unsigned("price", 4, "four implied decimals"),
                unsigned("tag", 4, "of the request"),
                octets("reserved_2", 4),
            ),
        ),
        Message(
            "outcome",
            ord("O"),
            "What became of a passed order, or of a payload, at the order builder",
            (
                RECORD_TYPE,
                WORDS,
                unsigned("result", 1, "number of BUILDER"),
                unsigned("is_order", 1, "1 an order, 0 a payload of the host"),
                unsigned("payload_bytes", 2, "that left", unit="bytes"),
                unsigned("slot", 2, "of the replay ring, where it left"),
                RECORD_NUMBER,
                unsigned("pass_number", 8, "of an order"),
                unsigned("user_ref_num", 4, "of an order"),
                unsigned("sequence_number", 4, "of TCP, of its first byte, where it left"),
            ),
        ),
        Message(
            "request",
            ord("R"),
            "An order request",
            (
                RECORD_TYPE,
                WORDS,
                unsigned("action", 1, "0 new, 1 replace, 2 cancel"),
                unsigned("side", 1, "letter of OUCH"),
                unsigned("time_in_force", 1, "letter of OUCH"),
                unsigned("post_only", 1, "0 or 1"),
                unsigned("venue", 2, "index of the order-entry session"),
                unsigned("strategy_id", 2),
                unsigned("symbol_index", 2),
                unsigned("quantity", 4, "of a replace the chain's total; of a cancel 0 for all"),
                unsigned("price", 4, "four implied decimals"),
                unsigned("user_ref_num", 4, "the order to replace or cancel; 0 for a new one"),
                unsigned("tag", 4, "comes back with the verdict"),
                octets("reserved", 4),
            ),
        ),
        Message(
            "command",
            ord("C"),
            "A command for the gate or the trigger",
            (
                RECORD_TYPE,
                WORDS,
                unsigned("number", 1, "place in COMMAND_TABLE"),
                octets("reserved", 5),
            ),
            "its arguments follow, a word each",
            LengthRule.PAYLOAD,
        ),
        Message(
            "payload",
            ord("P"),
            "Bytes of the host for the order-entry session, sent as one segment",
            (
                RECORD_TYPE,
                WORDS,
                unsigned("payload_bytes", 2, "that follow", unit="bytes"),
                octets("reserved", 4),
            ),
            "the bytes follow, zeros up to the end of the last word",
            LengthRule.PAYLOAD,
        ),
    ),
)

WAY = Argument("way", (WAYS - 1).bit_length(), "which of the symbol's rows")

TRIGGER_COMMANDS = (
    Command(
        "arm_trigger",
        "write a row of the trigger table, :class:`nic.offload.trigger.TriggerRow`",
        (
            SYMBOL,
            WAY,
            *(
                Argument(row.name, row.metadata["bits"], row.metadata["meaning"])
                for row in fields(TriggerRow)
            ),
        ),
    ),
    Command(
        "acknowledge_trigger",
        "a request of a row is no longer in flight",
        (SYMBOL, WAY, Argument("generation", GENERATION_BITS, "of the row that fired")),
    ),
)
"""What goes to the trigger."""

COMMAND_TABLE: tuple[Command, ...] = (*COMMANDS, *TELLS, *TRIGGER_COMMANDS)
"""Commands by their number in a record."""

_NUMBER = {command.name: number for number, command in enumerate(COMMAND_TABLE)}


def record(name: str, fields: Mapping[str, int], payload: bytes = b"") -> bytes:
    """A record or command of whole words; ``words`` and padding are filled in.

    Raises :class:`~nic.wire.reference.WireError` for fields that are not there or do not fit.
    """
    padded = payload + bytes(-len(payload) % WORD_BYTES)
    words = (OFFLOAD[name].length + len(padded)) // WORD_BYTES
    values: dict[str, int | bytes] = {**fields, "words": words}
    if padded:
        values["payload"] = padded
    return encode(OFFLOAD, name, values)


def request(tag: int, **fields: int) -> bytes:
    """An order request of the host."""
    return record("request", {**fields, "tag": tag})


def command(name: str, **arguments: int) -> bytes:
    """A command for the gate or the trigger, by the names of its arguments.

    Raises ``KeyError`` for an unknown command, ``TypeError`` where the arguments are not exactly
    its own, ``ValueError`` for one that has more bits than the table says.
    """
    number = _NUMBER[name]
    wanted = COMMAND_TABLE[number].arguments
    if set(arguments) != {argument.name for argument in wanted}:
        raise TypeError(f"{name} takes {', '.join(argument.name for argument in wanted)}")
    words = b""
    for argument in wanted:
        value = arguments[argument.name]
        if not 0 <= value < 1 << argument.bits:
            raise ValueError(f"{name}: {argument.name} {value} has not {argument.bits} bits")
        words += value.to_bytes(WORD_BYTES, "little")
    return record("command", {"number": number}, words)


def payload(data: bytes) -> bytes:
    """Bytes for the order-entry session. Raises ``ValueError`` for none, or more than fit."""
    if not 0 < len(data) <= LONGEST_PAYLOAD_BYTES:
        raise ValueError(f"a payload has 1 to {LONGEST_PAYLOAD_BYTES} bytes, not {len(data)}")
    return record("payload", {"payload_bytes": len(data)}, data)
