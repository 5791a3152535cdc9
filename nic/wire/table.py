# SPDX-License-Identifier: Apache-2.0
"""What a wire format is made of: fields, messages, option tags and protocols.

A protocol module lists its messages as field widths in wire order; offsets are computed here, so
that no offset is ever typed. Everything else (Cython codecs, scapy layers, gateware layouts, the
page in ``docs/``) is derived from these objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal

Kind = Literal["unsigned", "signed", "text", "bytes"]
ByteOrder = Literal["big", "little"]
Counts = Literal["", "after_field", "after_message", "whole_message"]
"""What a length field counts: bytes after itself, after the table fields, or all of them."""


class LengthRule(Enum):
    """How the length of a received message relates to the sum of its table fields."""

    EXACT = "exactly the table length"
    AT_LEAST = "the table length or more; a newer revision may have appended fields"
    PAYLOAD = "the table length, then a payload of any length"
    APPENDAGE = "the table length, then as many bytes as its last field says"
    OPTIONAL_APPENDAGE = "as APPENDAGE, or ending before the appendage length field"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: name, width in bytes, kind, unit and meaning; the offset is set by its message.

    A length field says in ``counts`` which bytes it counts; encoders fill it in where it is absent.
    """

    name: str
    width: int
    kind: Kind = "unsigned"
    unit: str = ""
    meaning: str = ""
    offset: int = -1
    counts: Counts = ""

    @property
    def end(self) -> int:
        """Offset of the first byte after the field."""
        return self.offset + self.width

    @property
    def is_integer(self) -> bool:
        """Whether the field is a number in the protocol's byte order."""
        return self.kind in ("unsigned", "signed")


def unsigned(
    name: str, width: int, meaning: str = "", unit: str = "", counts: Counts = ""
) -> Field:
    """An unsigned integer of ``width`` bytes."""
    return Field(name, width, "unsigned", unit, meaning, counts=counts)


def signed(name: str, width: int, meaning: str = "", unit: str = "") -> Field:
    """A two's complement integer of ``width`` bytes."""
    return Field(name, width, "signed", unit, meaning)


def text(name: str, width: int, meaning: str = "") -> Field:
    """ASCII text of ``width`` bytes, padded with spaces."""
    return Field(name, width, "text", "", meaning)


def octets(name: str, width: int, meaning: str = "") -> Field:
    """Opaque bytes, such as a hardware address."""
    return Field(name, width, "bytes", "", meaning)


def price(name: str, width: int, meaning: str = "", decimals: int = 4) -> Field:
    """An unsigned price with implied decimals."""
    return Field(name, width, "unsigned", f"price, {decimals} implied decimals", meaning)


def signed_price(name: str, width: int, meaning: str = "", decimals: int = 4) -> Field:
    """A signed price with implied decimals."""
    return Field(name, width, "signed", f"price, {decimals} implied decimals", meaning)


@dataclass(frozen=True, slots=True)
class Message:
    """One message or header: its type code (``None`` for a header without one) and its fields."""

    name: str
    code: int | None
    title: str
    fields: tuple[Field, ...]
    section: str = ""
    length_rule: LengthRule = LengthRule.EXACT
    tags: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Place the fields one after the other."""
        offset = 0
        placed = []
        for item in self.fields:
            placed.append(replace(item, offset=offset))
            offset += item.width
        object.__setattr__(self, "fields", tuple(placed))
        names = [item.name for item in placed]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: a field name stands twice")

    @property
    def length(self) -> int:
        """Sum of the field widths in bytes, an appendage not included."""
        return self.fields[-1].end

    @property
    def has_appendage(self) -> bool:
        """Whether the last field says how many bytes of option tags follow."""
        return self.length_rule in (LengthRule.APPENDAGE, LengthRule.OPTIONAL_APPENDAGE)

    @property
    def shortest_length(self) -> int:
        """Shortest length accepted on the wire."""
        if self.length_rule is LengthRule.OPTIONAL_APPENDAGE:
            return self.fields[-1].offset
        return self.length

    @property
    def code_text(self) -> str:
        """The type code as printed in the source document."""
        return "" if self.code is None else chr(self.code)

    def count(self, item: Field, payload_bytes: int) -> int:
        """Value of the length field ``item`` of this message with that many bytes after it."""
        start = {"after_field": item.end, "after_message": self.length, "whole_message": 0}
        return self.length + payload_bytes - start[item.counts]

    def __getitem__(self, name: str) -> Field:
        """The field of that name; raises ``KeyError``."""
        for item in self.fields:
            if item.name == name:
                return item
        raise KeyError(f"{self.name} has no field {name!r}")

    def __iter__(self) -> Iterator[Field]:
        """The fields in wire order."""
        return iter(self.fields)


@dataclass(frozen=True, slots=True)
class Tag:
    """One option tag of an appendage: its number and the field that is its value."""

    number: int
    value: Field


@dataclass(frozen=True, slots=True)
class Protocol:
    """A set of messages that share byte order, source and the place of the type code.

    ``directions`` groups message names where one code means two things, one each way; a protocol
    without directions has the single direction ``""``.
    """

    name: str
    title: str
    byte_order: ByteOrder
    source: str
    messages: tuple[Message, ...]
    type_offset: int = 0
    directions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tags: tuple[Tag, ...] = ()
    notes: str = ""

    def __post_init__(self) -> None:
        """Refuse a type code that stands twice in one direction."""
        if not self.directions:
            object.__setattr__(self, "directions", {"": tuple(m.name for m in self.messages)})
        for direction in self.directions:
            codes = [m.code for m in self.of(direction) if m.code is not None]
            if len(set(codes)) != len(codes):
                raise ValueError(f"{self.name} {direction}: a type code stands twice")

    def __getitem__(self, name: str) -> Message:
        """The message of that name; raises ``KeyError``."""
        for message in self.messages:
            if message.name == name:
                return message
        raise KeyError(f"{self.name} has no message {name!r}")

    def of(self, direction: str = "") -> tuple[Message, ...]:
        """The messages of one direction, in table order."""
        return tuple(self[name] for name in self.directions[direction])

    def by_code(self, direction: str = "") -> dict[int, Message]:
        """Type code to message, of one direction."""
        return {m.code: m for m in self.of(direction) if m.code is not None}

    def tag(self, number: int) -> Tag | None:
        """The option tag of that number, ``None`` where it is not assigned."""
        return next((tag for tag in self.tags if tag.number == number), None)
