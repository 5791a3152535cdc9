# SPDX-License-Identifier: Apache-2.0
"""The readable reference codec: decodes and encodes any message by walking its table.

This is the specification that the generated Cython codecs (and the gateware) are compared with.
It is slow and meant to be obvious.
"""

from __future__ import annotations

from collections.abc import Mapping

from nic.wire.table import ByteOrder, Field, LengthRule, Message, Protocol

Value = int | bytes


class WireError(ValueError):
    """Bytes that are no message, or values that make none.

    ``reason`` is ``unknown_type`` or ``length`` for bytes; ``unknown_field`` or ``value`` (wrong
    kind, does not fit the field) for values.
    """

    def __init__(self, reason: str, text: str) -> None:
        """A refusal under the name ``reason``; ``text`` is for people."""
        super().__init__(text)
        self.reason = reason


def decode_field(field: Field, data: bytes, byte_order: ByteOrder) -> Value:
    """Value of one field: an int for numbers, the raw bytes for text and octets."""
    raw = data[field.offset : field.end]
    if not field.is_integer:
        return raw
    return int.from_bytes(raw, byte_order, signed=field.kind == "signed")


def encode_field(field: Field, value: Value, byte_order: ByteOrder) -> bytes:
    """Bytes of one field; text is padded on the right with spaces, octets with zeros."""
    if field.is_integer:
        if not isinstance(value, int):
            raise WireError("value", f"{field.name}: {value!r} is not a number")
        try:
            return value.to_bytes(field.width, byte_order, signed=field.kind == "signed")
        except OverflowError as error:
            raise WireError("value", f"{field.name}: {value} in {field.width} bytes") from error
    if not isinstance(value, bytes) or len(value) > field.width:
        raise WireError("value", f"{field.name}: {value!r} is not {field.width} bytes or fewer")
    return value.ljust(field.width, b" " if field.kind == "text" else b"\0")


def classify(protocol: Protocol, data: bytes, direction: str = "") -> Message:
    """The message that ``data`` is, by type code and length; raises :class:`WireError`."""
    if len(data) <= protocol.type_offset:
        raise WireError("length", f"{protocol.name}: {len(data)} bytes hold no type code")
    code = data[protocol.type_offset]
    message = protocol.by_code(direction).get(code)
    if message is None:
        raise WireError("unknown_type", f"{protocol.name}: no message of type {code:#04x}")
    check_length(message, data, protocol.byte_order)
    return message


def check_length(message: Message, data: bytes, byte_order: ByteOrder) -> None:
    """Raise :class:`WireError` unless the length of ``data`` fits the message's length rule."""
    size = len(data)
    if message.length_rule is LengthRule.OPTIONAL_APPENDAGE and size == message.shortest_length:
        return
    if size < message.length:
        raise WireError("length", f"{message.name}: {size} bytes, needs {message.length}")
    expected = message.length
    if message.has_appendage:
        last = message.fields[-1]
        expected += int.from_bytes(data[last.offset : last.end], byte_order)
    elif message.length_rule is not LengthRule.EXACT:
        return
    if size != expected:
        raise WireError("length", f"{message.name}: {size} bytes, should be {expected}")


def decode(protocol: Protocol, data: bytes, direction: str = "") -> tuple[str, dict[str, Value]]:
    """Decode one message: its name and its fields; the bytes after them stand under ``payload``.

    An optional appendage length that is absent is left out of the fields.
    """
    message = classify(protocol, data, direction)
    return message.name, decode_as(protocol, message.name, data)


def decode_as(protocol: Protocol, name: str, data: bytes) -> dict[str, Value]:
    """Decode bytes known to be the message or header ``name``."""
    message = protocol[name]
    check_length(message, data, protocol.byte_order)
    values = {
        field.name: decode_field(field, data, protocol.byte_order)
        for field in message
        if field.end <= len(data)
    }
    if message.length_rule is not LengthRule.EXACT:
        values["payload"] = data[message.length :]
    return values


def encode(protocol: Protocol, name: str, values: Mapping[str, Value]) -> bytes:
    """Encode a message; absent length fields are filled in, other absent fields are zero or spaces.

    The type code is always filled in. ``payload`` is appended; an appendage length is always
    computed from it, and where it is optional it is left out unless there is a payload or the
    length field was given.
    """
    message = protocol[name]
    complete_values, payload = complete(protocol, message, values)
    parts = [
        encode_field(field, complete_values[field.name], protocol.byte_order)
        for field in message
        if field.name in complete_values
    ]
    return b"".join(parts) + payload


def complete(
    protocol: Protocol, message: Message, values: Mapping[str, Value]
) -> tuple[dict[str, Value], bytes]:
    """The value of every field that goes on the wire, in order, and the payload."""
    payload = values.get("payload", b"")
    known = {field.name for field in message}
    if message.length_rule is not LengthRule.EXACT:
        known.add("payload")
    unknown = sorted(set(values) - known)
    if unknown:
        raise WireError("unknown_field", f"{message.name} has no field {unknown[0]!r}")
    if not isinstance(payload, bytes):
        raise WireError("value", f"{message.name}: the payload is not bytes")
    found: dict[str, Value] = {}
    for field in message:
        if message.code is not None and field.offset == protocol.type_offset:
            found[field.name] = bytes([message.code])
        elif field is message.fields[-1] and message.has_appendage:
            optional = message.length_rule is LengthRule.OPTIONAL_APPENDAGE
            if payload or field.name in values or not optional:
                found[field.name] = len(payload)
        elif field.name in values:
            found[field.name] = values[field.name]
        elif field.counts:
            found[field.name] = message.count(field, len(payload))
        else:
            found[field.name] = 0 if field.is_integer else b""
    return found, payload


def decode_tags(protocol: Protocol, appendage: bytes) -> dict[str, Value]:
    """Decode an appendage into tag name and value; raises :class:`WireError` where it is cut.

    Tags the table does not know stand under ``tag_N`` with their bytes, as does a known tag of
    another size: a newer revision may send either.
    """
    values: dict[str, Value] = {}
    at = 0
    while at < len(appendage):
        size = appendage[at]
        if size == 0 or at + 1 + size > len(appendage):
            raise WireError("length", f"{protocol.name}: option tag at {at} is cut")
        number = appendage[at + 1]
        raw = appendage[at + 2 : at + 1 + size]
        tag = protocol.tag(number)
        if tag is None or tag.value.width != len(raw):
            values[f"tag_{number}"] = raw
        elif tag.value.is_integer:
            signed = tag.value.kind == "signed"
            values[tag.value.name] = int.from_bytes(raw, protocol.byte_order, signed=signed)
        else:
            values[tag.value.name] = raw
        at += 1 + size
    return values


def encode_tags(protocol: Protocol, values: Mapping[str, Value]) -> bytes:
    """Encode option tags by name, in the order of ``values``."""
    by_name = {tag.value.name: tag for tag in protocol.tags}
    parts = []
    for name, value in values.items():
        if name not in by_name:
            raise WireError("unknown_field", f"{protocol.name} has no option tag {name!r}")
        tag = by_name[name]
        raw = encode_field(tag.value, value, protocol.byte_order)
        parts.append(bytes([1 + len(raw), tag.number]) + raw)
    return b"".join(parts)
