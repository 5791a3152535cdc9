# SPDX-License-Identifier: Apache-2.0
"""Numbers and structures into the bytes of a port, and back, one by one or for many cycles.

A port of up to 64 bits is an array of unsigned numbers; a wider one a row of bytes per cycle,
lowest byte first. Fields of a layout may be nested: they are named by their path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data

from sim.gateware.shim import port_bytes

Array = np.ndarray[Any, Any]


def as_rows(values: Array) -> Array:
    """The array of a port as rows of bytes, uint8[cycles, bytes]."""
    if values.ndim == 2:
        return values
    plain = np.ascontiguousarray(values)
    return plain.view(np.uint8).reshape(len(plain), plain.dtype.itemsize)


def from_int(value: int, width_bits: int) -> Array:
    """One number as the bytes of a port."""
    if not 0 <= value < 1 << width_bits:
        raise ValueError(f"{value:#x} does not fit into {width_bits} bits")
    return np.frombuffer(value.to_bytes(port_bytes(width_bits), "little"), np.uint8)


def to_int(row: Any) -> int:
    """The bytes of a port, or a number of numpy, as one number."""
    return int.from_bytes(np.asarray(row).tobytes(), "little")


def _place(layout: data.Layout, path: tuple[str | int, ...]) -> tuple[int, Any]:
    """Offset in bits and shape of a field."""
    offset = 0
    shape: Any = layout
    for key in path:
        found = data.Layout.cast(shape)[key]
        offset += found.offset
        shape = found.shape
    return offset, shape


def _is_layout(shape: Any) -> bool:
    try:
        data.Layout.cast(shape)
    except TypeError:
        return False
    return True


def pack(layout: Any, fields: Mapping[Any, Any]) -> int:
    """A structure as a number; fields that are not named are 0."""
    whole = 0
    for name, value in fields.items():
        found = data.Layout.cast(layout)[name]
        if isinstance(value, Mapping):
            number = pack(found.shape, value)
        else:
            shape = Shape.cast(found.shape)
            low = -(1 << shape.width - 1) if shape.signed else 0
            if not low <= value < 1 << shape.width - shape.signed:
                raise ValueError(f"{name}: {value} does not fit into {shape.width} bits")
            number = int(value) & (1 << shape.width) - 1
        whole |= number << found.offset
    return whole


def unpack(layout: Any, value: int) -> dict[Any, Any]:
    """A number as the structure's fields, nested ones as dictionaries."""
    found = {}
    for name, field in data.Layout.cast(layout):
        shape = Shape.cast(field.shape)
        bits = value >> field.offset & (1 << shape.width) - 1
        if _is_layout(field.shape):
            found[name] = unpack(field.shape, bits)
        elif shape.signed and bits >> shape.width - 1:
            found[name] = bits - (1 << shape.width)
        else:
            found[name] = bits
    return found


def field(values: Array, layout: Any, *path: str | int) -> Array:
    """A field of a structure in every cycle: numbers to 64 bits, else rows of bytes."""
    offset, raw_shape = _place(layout, path)
    shape = Shape.cast(raw_shape)
    rows = as_rows(values)
    first, shift = divmod(offset, 8)
    count = (shift + shape.width + 7) // 8
    part = rows[:, first : first + count]
    if shape.width > 64:
        padded = np.zeros((len(part), port_bytes(shape.width) + 1), np.uint16)
        padded[:, :count] = part
        moved = (padded[:, :-1] >> shift | padded[:, 1:] << (8 - shift)) & 0xFF
        octets = moved.astype(np.uint8)
        octets[:, (shape.width + 7) // 8 :] = 0
        if shape.width % 8:
            octets[:, shape.width // 8] &= (1 << shape.width % 8) - 1
        return octets
    wide = np.zeros((len(part), 16), np.uint8)
    wide[:, :count] = part
    low, high = wide.view("<u8").T
    number = low >> np.uint64(shift)
    if shift:
        number = number | high << np.uint64(64 - shift)
    if shape.width < 64:
        number = number & np.uint64((1 << shape.width) - 1)
    if shape.signed:
        up = np.uint64(64 - shape.width)
        return (number << up).view(np.int64) >> up.view(np.int64)
    return number


def pack_rows(layout: Any, fields: Mapping[Any, Any], count: int) -> Array:
    """Many structures as the array of a port, from one array (or constant) per field.

    A field wider than 64 bits is given as rows of bytes. Fields that are not named are 0.
    """
    whole = Shape.cast(data.Layout.cast(layout).as_shape()).width
    rows = np.zeros((count, port_bytes(whole) + 17), np.uint8)
    for name, value in fields.items():
        found = data.Layout.cast(layout)[name]
        shape = Shape.cast(found.shape)
        if isinstance(value, Mapping):
            value = pack_rows(found.shape, value, count)
        given = np.asarray(value)
        if given.ndim == 2:
            octets = given
        elif shape.width > 64:
            one = from_int(int(value), shape.width)
            octets = np.broadcast_to(one, (count, one.shape[-1]))
        else:
            octets = as_rows(_checked(given, shape, str(name), count))
        _insert(rows, octets, found.offset, shape.width)
    return port_array(rows[:, : port_bytes(whole)], whole)


def _checked(given: Array, shape: Shape, name: str, count: int) -> Array:
    lowest = -(1 << shape.width - 1) if shape.signed else 0
    if given.size and not (
        lowest <= int(given.min()) and int(given.max()) < 1 << shape.width - shape.signed
    ):
        raise ValueError(f"{name}: a value does not fit into {shape.width} bits")
    numbers = np.broadcast_to(given, count).astype(np.int64 if shape.signed else np.uint64)
    mask = np.uint64((1 << shape.width) - 1)
    masked: Array = numbers.view(np.uint64) & mask
    return masked


def _insert(rows: Array, octets: Array, offset: int, width_bits: int) -> None:
    first, shift = divmod(offset, 8)
    for number in range((width_bits + 7) // 8):
        moved = octets[:, number].astype(np.uint16) << shift
        rows[:, first + number] |= (moved & 0xFF).astype(np.uint8)
        rows[:, first + number + 1] |= (moved >> 8).astype(np.uint8)


def port_array(rows: Array, width_bits: int) -> Array:
    """Rows of bytes as the array of a port of ``width_bits``."""
    whole = np.ascontiguousarray(rows)
    return whole if width_bits > 64 else whole.view(f"<u{whole.shape[1]}")[:, 0]
