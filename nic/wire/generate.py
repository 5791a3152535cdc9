# SPDX-License-Identifier: Apache-2.0
"""Makes the Cython codecs from the protocol tables (``python -m tools.generate`` writes them).

For each protocol one ``<name>_codec.pxd`` of inline functions: the numbers of the protocol's
module; per message its type code, its length, a struct, a getter and a setter per field, decode,
encode and a length check; per option tag its number, its size, a getter and a writer; per direction
a check of type against length. Text of 1, 2, 4 or 8 bytes is an unsigned integer holding the bytes
as they lie in memory (one compare for a symbol); other text is a pointer (getter) or an array
(struct).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from nic.wire import generate_compiled, generate_record
from nic.wire.layout import access, c_type, class_name, is_array
from nic.wire.protocols import PROTOCOLS
from nic.wire.table import Field, LengthRule, Message, Protocol, Tag

FOLDER = Path(__file__).parent
WIDTH = 100


def function(returns: str, name: str, *parameters: str) -> list[str]:
    """First line or lines of an inline function, broken where it is too wide."""
    end = ") noexcept nogil:"
    line = f"cdef inline {returns}{name}({', '.join(parameters)}{end}"
    if len(line) <= WIDTH:
        return [line]
    line = f"        {', '.join(parameters)}{end}"
    head = f"cdef inline {returns}{name}("
    if len(line) <= WIDTH:
        return [head, line]
    return [head, *(f"        {p}," for p in parameters[:-1]), f"        {parameters[-1]}{end}"]


def call(name: str, *arguments: str) -> list[str]:
    """One indented call, broken where it is too wide."""
    line = f"    {name}({', '.join(arguments)})"
    return [line] if len(line) <= WIDTH else [f"    {name}(", f"        {', '.join(arguments)})"]


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
    yield from length_lines(protocol, message)


def assignment(target: str, value: str) -> list[str]:
    """One indented assignment, broken where it is too wide."""
    line = f"    {target} = {value}"
    return [line] if len(line) <= WIDTH else [f"    {target} = (", f"        {value})"]


def accessor_lines(prefix: str, field: Field, order: str) -> Iterator[str]:
    """Getter and setter of one field."""
    name = f"{prefix}_{field.name}"
    put = f"{prefix}_put_{field.name}"
    if is_array(field):
        yield ""
        yield from function("const uint8_t *", name, "const uint8_t *m")
        yield f"    return m + {field.offset}"
        yield ""
        yield from function("void ", put, "uint8_t *m", "const uint8_t *value")
        yield f"    memcpy(m + {field.offset}, value, {field.width})"
        return
    kind = c_type(field)
    suffix = access(field, order)
    cast = f"<{kind}> " if field.kind == "signed" else ""
    yield ""
    yield from function(f"{kind} ", name, "const uint8_t *m")
    yield f"    return {cast}load{suffix}(m + {field.offset})"
    yield ""
    yield from function("void ", put, "uint8_t *m", f"{kind} value")
    uncast = f"<u{kind}> value" if field.kind == "signed" else "value"
    yield f"    store{suffix}(m + {field.offset}, {uncast})"


def whole_lines(protocol: Protocol, message: Message) -> Iterator[str]:
    """Decode and encode of a whole message."""
    prefix = f"{protocol.name}_{message.name}"
    struct = class_name(protocol.name, message)
    required = [f for f in message if f.end <= message.shortest_length]
    yield ""
    yield from function("void ", f"{prefix}_decode", "const uint8_t *m", f"{struct} *out")
    for field in required:
        if is_array(field):
            yield f"    memcpy(out.{field.name}, m + {field.offset}, {field.width})"
        else:
            yield from assignment(f"out.{field.name}", f"{prefix}_{field.name}(m)")
    for field in message:
        if field not in required:
            yield f"    out.{field.name} = 0  # optional: the caller knows the length"
    yield ""
    yield from function("void ", f"{prefix}_encode", f"const {struct} *values", "uint8_t *m")
    for field in message:
        if message.code is not None and field.offset == protocol.type_offset:
            value = prefix.upper()
        else:
            value = f"values.{field.name}"
        yield from call(f"{prefix}_put_{field.name}", "m", value)


def length_lines(protocol: Protocol, message: Message) -> Iterator[str]:
    """The function that holds a length against the length rule of one message."""
    size = message.length
    at = message.fields[-1].offset
    rule = message.length_rule
    yield ""
    yield from function(
        "int ",
        f"{protocol.name}_{message.name}_check_length",
        "const uint8_t *m",
        "uint32_t length",
    )
    if rule is LengthRule.EXACT:
        yield f"    return CHECK_OK if length == {size} else CHECK_LENGTH"
    elif rule in (LengthRule.AT_LEAST, LengthRule.PAYLOAD):
        yield f"    return CHECK_OK if length >= {size} else CHECK_LENGTH"
    else:
        load = access(message.fields[-1], protocol.byte_order)
        if rule is LengthRule.OPTIONAL_APPENDAGE:
            yield f"    if length == {message.shortest_length}:"
            yield "        return CHECK_OK"
        yield f"    if length < {size} or length != <uint32_t> {size} + load{load}(m + {at}):"
        yield "        return CHECK_LENGTH"
        yield "    return CHECK_OK"


def tag_lines(protocol: Protocol, tag: Tag) -> Iterator[str]:
    """Number, size, getter and writer of one option tag."""
    value = tag.value
    prefix = f"{protocol.name}_tag_{value.name}"
    kind = c_type(value)
    suffix = access(value, protocol.byte_order)
    signed = value.kind == "signed"
    yield ""
    yield ""
    yield "cdef enum:"
    yield f"    {prefix.upper()} = {tag.number}"
    yield f"    {prefix.upper()}_SIZE = {value.width}"
    yield f"    {prefix.upper()}_LENGTH = {2 + value.width}"
    yield ""
    yield from function(f"{kind} ", prefix, "const uint8_t *value")
    yield f"    return {f'<{kind}> ' if signed else ''}load{suffix}(value)"
    yield ""
    put = f"{protocol.name}_put_tag_{value.name}"
    yield from function("uint32_t ", put, "uint8_t *p", f"{kind} value")
    yield f"    p[0] = {1 + value.width}"
    yield f"    p[1] = {tag.number}"
    yield f"    store{suffix}(p + 2, {f'<u{kind}> ' if signed else ''}value)"
    yield f"    return {2 + value.width}"


def constant_lines(protocol: Protocol, table: str) -> Iterator[str]:
    """The whole numbers that the protocol's module names, under the protocol's prefix."""
    module = importlib.import_module(table)
    numbers = {n: v for n, v in vars(module).items() if n.isupper() and isinstance(v, int)}
    if numbers:
        yield ""
        yield "cdef enum:"
    for name, value in numbers.items():
        yield f"    {protocol.name.upper()}_{name} = {value}"


def check_lines(protocol: Protocol, direction: str) -> Iterator[str]:
    """The function that holds a message's type against its length."""
    name = f"{protocol.name}_{direction}_check" if direction else f"{protocol.name}_check"
    messages = [m for m in protocol.of(direction) if m.code is not None]
    if not messages:
        return
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
        yield f"        return {protocol.name}_{message.name}_check_length(m, length)"
    yield "    return CHECK_UNKNOWN_TYPE"


def codec_text(protocol: Protocol, table: str = "") -> str:
    """The whole ``.pxd`` of a protocol; ``table`` is its module where that is not in nic.wire."""
    table = table or f"nic.wire.{protocol.name}"
    lines = [
        "# cython: language_level=3",
        "# SPDX-License-Identifier: Apache-2.0",
        f"# Generated by nic.wire.generate from {table.replace('.', '/')}.py; do not edit.",
        f'"""{protocol.title}: layouts and accessors.',
        "",
        f"Source: {protocol.source}.",
        '"""',
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
    lines.extend(constant_lines(protocol, table))
    for message in protocol.messages:
        lines.extend(message_lines(protocol, message))
    for tag in protocol.tags:
        lines.extend(tag_lines(protocol, tag))
    for direction in protocol.directions:
        lines.extend(check_lines(protocol, direction))
    return "\n".join(lines) + "\n"


def outputs() -> dict[Path, str]:
    """Every generated file and its text."""
    found = {FOLDER / f"{name}_codec.pxd": codec_text(p) for name, p in PROTOCOLS.items()}
    found[FOLDER / "itch50_record.pxd"] = generate_record.record_text(PROTOCOLS["itch50"])
    found[FOLDER / "compiled.pyx"] = generate_compiled.compiled_text()
    return found
