# SPDX-License-Identifier: Apache-2.0
"""Makes the Cython codecs from the protocol tables (``python -m tools.generate`` writes them).

For each protocol one ``<name>_codec.pxd`` of inline functions: per message its type code, its length,
a struct, a getter and a setter per field, decode and encode; per direction a check of type against
length. Text of 1, 2, 4 or 8 bytes is an unsigned integer holding the bytes as they lie in memory
(one compare for a symbol); other text is a pointer (getter) or an array (struct).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nic.wire.protocols import PROTOCOLS
from nic.wire.table import Field, LengthRule, Message, Protocol

FOLDER = Path(__file__).parent


def storage_width(width: int) -> int:
    """Width of the smallest C integer that holds ``width`` bytes."""
    return next(size for size in (1, 2, 4, 8) if size >= width)


def is_array(field: Field) -> bool:
    """Whether the field is kept as an array of bytes, not as a C integer."""
    return not field.is_integer and field.width not in (1, 2, 4, 8)


def c_type(field: Field) -> str:
    """C integer type of a field."""
    sign = "" if field.kind == "signed" else "u"
    return f"{sign}int{8 * storage_width(field.width)}_t"


def access(field: Field, byte_order: str) -> str:
    """Suffix of the load and store functions of :mod:`nic.wire.byteorder`."""
    if field.width == 1:
        return "8"
    order = "be" if byte_order == "big" and field.is_integer else "le"
    return f"_{order}{8 * field.width}"


def class_name(prefix: str, message: Message) -> str:
    """Name of the C struct of a message."""
    return "".join(part.capitalize() for part in f"{prefix}_{message.name}".split("_"))


def message_lines(protocol: Protocol, message: Message) -> Iterator[str]:
    """The generated lines of one message."""
    prefix = f"{protocol.name}_{message.name}"
    order = protocol.byte_order
    yield ""
    yield ""
    yield f"# {message.title}{f', section {message.section}' if message.section else ''}"
    yield "cdef enum:"
    if message.code is not None:
        yield f"    {prefix.upper()} = {message.code}  # {message.code_text!r}"
    yield f"    {prefix.upper()}_LENGTH = {message.length}"
    if message.length_rule is LengthRule.OPTIONAL_APPENDAGE:
        yield f"    {prefix.upper()}_SHORTEST_LENGTH = {message.shortest_length}"
    for field in message:
        yield f"    {prefix.upper()}_{field.name.upper()}_OFFSET = {field.offset}"
    yield ""
    yield f"cdef struct {class_name(protocol.name, message)}:"
    for field in message:
        if is_array(field):
            yield f"    uint8_t {field.name}[{field.width}]"
        else:
            yield f"    {c_type(field)} {field.name}"
    for field in message:
        yield from accessor_lines(prefix, field, order)
    yield from whole_lines(protocol, message)


def accessor_lines(prefix: str, field: Field, order: str) -> Iterator[str]:
    """Getter and setter of one field."""
    yield ""
    name = f"{prefix}_{field.name}"
    if is_array(field):
        yield f"cdef inline const uint8_t *{name}(const uint8_t *m) noexcept nogil:"
        yield f"    return m + {field.offset}"
        yield ""
        put = f"{prefix}_put_{field.name}"
        yield f"cdef inline void {put}(uint8_t *m, const uint8_t *value) noexcept nogil:"
        yield f"    memcpy(m + {field.offset}, value, {field.width})"
        return
    kind = c_type(field)
    suffix = access(field, order)
    cast = f"<{kind}> " if field.kind == "signed" else ""
    yield f"cdef inline {kind} {name}(const uint8_t *m) noexcept nogil:"
    yield f"    return {cast}load{suffix}(m + {field.offset})"
    yield ""
    yield f"cdef inline void {prefix}_put_{field.name}(uint8_t *m, {kind} value) noexcept nogil:"
    uncast = f"<u{kind}> value" if field.kind == "signed" else "value"
    yield f"    store{suffix}(m + {field.offset}, {uncast})"


def whole_lines(protocol: Protocol, message: Message) -> Iterator[str]:
    """Decode and encode of a whole message."""
    prefix = f"{protocol.name}_{message.name}"
    struct = class_name(protocol.name, message)
    required = [f for f in message if f.end <= message.shortest_length]
    yield ""
    yield f"cdef inline void {prefix}_decode(const uint8_t *m, {struct} *out) noexcept nogil:"
    for field in required:
        if is_array(field):
            yield f"    memcpy(out.{field.name}, m + {field.offset}, {field.width})"
        else:
            yield f"    out.{field.name} = {prefix}_{field.name}(m)"
    for field in message:
        if field not in required:
            yield f"    out.{field.name} = 0  # optional: the caller knows the length"
    yield ""
    yield f"cdef inline void {prefix}_encode(const {struct} *values, uint8_t *m) noexcept nogil:"
    for field in message:
        if message.code is not None and field.offset == protocol.type_offset:
            yield f"    {prefix}_put_{field.name}(m, {prefix.upper()})"
        else:
            yield f"    {prefix}_put_{field.name}(m, values.{field.name})"


def check_lines(protocol: Protocol, direction: str) -> Iterator[str]:
    """The function that holds a message's type against its length."""
    name = f"{protocol.name}_{direction}_check" if direction else f"{protocol.name}_check"
    messages = [m for m in protocol.of(direction) if m.code is not None]
    if not messages:
        return
    load = f"load_{'be' if protocol.byte_order == 'big' else 'le'}16"
    yield ""
    yield ""
    yield f"cdef inline int {name}(const uint8_t *m, uint32_t length) noexcept nogil:"
    yield "    cdef uint8_t code"
    yield f"    if length <= {protocol.type_offset}:"
    yield "        return CHECK_LENGTH"
    yield f"    code = m[{protocol.type_offset}]"
    for number, message in enumerate(messages):
        word = "if" if number == 0 else "elif"
        yield f"    {word} code == {message.code}:  # {message.code_text!r} {message.name}"
        size = message.length
        at = message.fields[-1].offset
        rule = message.length_rule
        if rule is LengthRule.EXACT:
            yield f"        return CHECK_OK if length == {size} else CHECK_LENGTH"
        elif rule in (LengthRule.AT_LEAST, LengthRule.PAYLOAD):
            yield f"        return CHECK_OK if length >= {size} else CHECK_LENGTH"
        else:
            if rule is LengthRule.OPTIONAL_APPENDAGE:
                yield f"        if length == {message.shortest_length}:"
                yield "            return CHECK_OK"
            yield f"        if length < {size} or length != <uint32_t> {size} + {load}(m + {at}):"
            yield "            return CHECK_LENGTH"
            yield "        return CHECK_OK"
    yield "    return CHECK_UNKNOWN_TYPE"


def codec_text(protocol: Protocol) -> str:
    """The whole ``.pxd`` of a protocol."""
    lines = [
        "# cython: language_level=3",
        "# SPDX-License-Identifier: Apache-2.0",
        f"# Generated by nic.wire.generate from nic/wire/{protocol.name}.py; do not edit.",
        f'"""{protocol.title}: layouts and accessors. Source: {protocol.source}."""',
        "",
        "from libc.stdint cimport (int8_t, int16_t, int32_t, int64_t,",
        "                          uint8_t, uint16_t, uint32_t, uint64_t)",
        "from libc.string cimport memcpy",
        "from nic.wire.byteorder cimport (",
        "    load8, load_be16, load_be32, load_be48, load_be64, load_le16, load_le32, load_le64,",
        "    store8, store_be16, store_be32, store_be48, store_be64,",
        "    store_le16, store_le32, store_le64)",
        "from nic.wire.check cimport CHECK_LENGTH, CHECK_OK, CHECK_UNKNOWN_TYPE",
    ]
    for message in protocol.messages:
        lines.extend(message_lines(protocol, message))
    for direction in protocol.directions:
        lines.extend(check_lines(protocol, direction))
    text = "\n".join(lines) + "\n"
    return text


def outputs() -> dict[Path, str]:
    """Every generated file and its text."""
    return {FOLDER / f"{name}_codec.pxd": codec_text(p) for name, p in PROTOCOLS.items()}

