# SPDX-License-Identifier: Apache-2.0
"""Bodies of journal records in Python, derived from the tables of :mod:`host.journal.layout`."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from host.ipc.layout import RING
from host.journal.enumerations import JOURNAL
from host.journal.layout import JOURNAL_LAYOUT
from nic.wire.reference import Value, encode
from nic.wire.table import Message

ALIGNMENT = 8
"""Records begin on multiples of this many bytes."""

_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


def struct_of(message: Message) -> struct.Struct:
    """The fields of a little-endian message as a :class:`struct.Struct`."""
    codes = []
    for item in message:
        if item.is_integer:
            code = _CODES[item.width]
            codes.append(code.lower() if item.kind == "signed" else code)
        else:
            codes.append(f"{item.width}s")
    return struct.Struct("<" + "".join(codes))


HEAD = struct_of(RING["record"])
FILE_HEADER = struct_of(JOURNAL_LAYOUT["file_header"])

NAMES = {entry.value: entry.name for entry in JOURNAL.entries}
"""Kind number to name."""

_BODIES = {
    entry.value: (struct_of(message), tuple(item.name for item in message))
    for entry in JOURNAL.entries
    for message in (JOURNAL_LAYOUT[entry.name],)
}
_JSON = {
    entry.value
    for entry in JOURNAL.entries
    if [item.name for item in JOURNAL_LAYOUT[entry.name]] == ["text_length"]
}


def record_bytes(length: int) -> int:
    """Bytes that a record with a body of ``length`` takes in the file."""
    return (HEAD.size + length + ALIGNMENT - 1) & ~(ALIGNMENT - 1)


def encode_body(kind: str, payload: bytes, fields: Mapping[str, Value]) -> bytes:
    """The body of a record of that kind; raises ``WireError`` where a field does not fit."""
    return encode(JOURNAL_LAYOUT, kind, {**fields, "payload": payload})


@dataclass(frozen=True, slots=True)
class Record:
    """One record: kind by number and name, time in ns, number in the file, fields, payload."""

    number: int
    t_ns: int
    sequence: int
    body: bytes = field(repr=False)

    @property
    def kind(self) -> str:
        """Name of the kind; ``kind_N`` for one this version does not know."""
        return NAMES.get(self.number, f"kind_{self.number}")

    @property
    def fields(self) -> dict[str, Value]:
        """The fields of the body by name; empty for an unknown kind or a short body."""
        known = _BODIES.get(self.number)
        if known is None or len(self.body) < known[0].size:
            return {}
        return dict(zip(known[1], known[0].unpack_from(self.body), strict=True))

    @property
    def payload(self) -> bytes:
        """What the body has after its fields."""
        known = _BODIES.get(self.number)
        return self.body[known[0].size :] if known else self.body

    def to_dict(self) -> dict[str, object]:
        """The record as JSON can hold it: bytes in hexadecimal, text fields as text."""
        found: dict[str, object] = {
            "sequence": self.sequence,
            "t_ns": self.t_ns,
            "kind": self.kind,
        }
        for name, value in self.fields.items():
            found[name] = value.decode("latin-1") if isinstance(value, bytes) else value
        if self.number in _JSON:
            del found["text_length"]
            found["value"] = json.loads(self.payload)
        elif self.payload:
            found["payload"] = self.payload.hex()
        return found
