# SPDX-License-Identifier: Apache-2.0
"""How a message lies in memory: C types of the generated structs, and where their fields stand."""

from __future__ import annotations

from dataclasses import dataclass

from nic.wire.table import Field, Message


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


@dataclass(frozen=True, slots=True)
class Place:
    """A field inside a struct: where it starts and how many bytes it takes there."""

    field: Field
    offset: int
    size: int

    @property
    def end(self) -> int:
        """Offset of the first byte after it."""
        return self.offset + self.size


def struct_layout(message: Message) -> tuple[tuple[Place, ...], int]:
    """Places of the fields and size of the generated struct, naturally aligned as C lays them."""
    places = []
    at = 0
    widest = 1
    for field in message:
        alignment = 1 if is_array(field) else storage_width(field.width)
        size = field.width if is_array(field) else alignment
        at = -(-at // alignment) * alignment
        places.append(Place(field, at, size))
        at += size
        widest = max(widest, alignment)
    return tuple(places), -(-at // widest) * widest
