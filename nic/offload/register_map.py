# SPDX-License-Identifier: Apache-2.0
"""What a register is, and where registers lie: the places are computed, never typed.

Every register is a word of 64 bits at an address that is a multiple of 8; one with a ``count`` is
as many words in a row, the first at an address that is a multiple of their size rounded up to a
power of two, so that an address is taken apart by its bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Access = Literal["constant", "read", "read_write", "write"]
"""``constant``: known when the gateware is made. ``read``: the card changes it. ``read_write``: the
host does. ``write``: each write is an event in the card, and it reads as 0."""

WORD_BYTES = 8
WORD_BITS = 64


@dataclass(frozen=True, slots=True)
class Register:
    """One register, or ``count`` of a kind.

    ``names`` gives each of them a name (a table's counters); ``fields`` divides the word, lowest
    bits first, where it holds more than one value. ``bits`` is the sum of the fields then.
    """

    name: str
    access: Access
    bits: int
    meaning: str
    count: int = 1
    names: tuple[str, ...] = ()
    fields: tuple[tuple[str, int], ...] = ()
    reset: int = 0

    def __post_init__(self) -> None:
        """Refuse what can't be laid out."""
        if not 0 < self.bits <= WORD_BITS:
            raise ValueError(f"{self.name}: {self.bits} bits")
        if self.fields and sum(bits for _, bits in self.fields) != self.bits:
            raise ValueError(f"{self.name}: its fields are not its bits")
        if self.names and len(self.names) != self.count:
            raise ValueError(f"{self.name}: as many names as words")
        if self.count > 1 and self.access in ("constant", "write"):
            raise ValueError(f"{self.name}: only what is read or kept comes in rows")
        if self.reset >> self.bits or (self.reset and self.access != "read_write"):
            raise ValueError(f"{self.name}: a reset value it can't have")

    @property
    def room_bytes(self) -> int:
        """Bytes it takes: a power of two."""
        return WORD_BYTES << (self.count - 1).bit_length()


def constant(name: str, meaning: str) -> Register:
    """A word that the gateware was made with."""
    return Register(name, "constant", WORD_BITS, meaning)


def read(name: str, bits: int, meaning: str, count: int = 1) -> Register:
    """A state of the card."""
    return Register(name, "read", bits, meaning, count)


def counters(name: str, names: tuple[str, ...], meaning: str) -> Register:
    """The counters of a table, 64 bits each."""
    return Register(name, "read", WORD_BITS, meaning, len(names), names)


def setting(name: str, bits: int, meaning: str, *, count: int = 1, reset: int = 0) -> Register:
    """A word that the host sets."""
    return Register(name, "read_write", bits, meaning, count, reset=reset)


def event(name: str, bits: int, meaning: str) -> Register:
    """A word that does something each time it is written."""
    return Register(name, "write", bits, meaning)


def row_event(name: str, meaning: str, **fields: int) -> Register:
    """The same, of several values: name to bits, lowest first."""
    parts = tuple(fields.items())
    return Register(name, "write", sum(fields.values()), meaning, fields=parts)


def flags(name: str, meaning: str, **fields: int) -> Register:
    """A state of several values: name to bits, lowest first."""
    parts = tuple(fields.items())
    return Register(name, "read", sum(fields.values()), meaning, fields=parts)


@dataclass(frozen=True, slots=True)
class Block:
    """The registers of one part of the card."""

    name: str
    meaning: str
    registers: tuple[Register, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A register where it lies; ``address`` counts bytes from the first register."""

    block: Block
    register: Register
    address: int

    @property
    def path(self) -> str:
        """``block.register``."""
        return f"{self.block.name}.{self.register.name}"

    def word(self, index: int | str = 0) -> int:
        """The address of one of its words, by place or by name.

        Raises ``IndexError`` or ``ValueError`` for one that is not there.
        """
        place = self.register.names.index(index) if isinstance(index, str) else index
        if not 0 <= place < self.register.count:
            raise IndexError(f"{self.path} has no word {index}")
        return self.address + place * WORD_BYTES

    def pack(self, **values: int) -> int:
        """The word of a register with fields. Raises ``TypeError``, ``ValueError``."""
        if set(values) != {name for name, _ in self.register.fields}:
            raise TypeError(f"{self.path} has the fields {dict(self.register.fields)}")
        word = at = 0
        for name, bits in self.register.fields:
            if not 0 <= values[name] < 1 << bits:
                raise ValueError(f"{self.path}: {name} {values[name]} has not {bits} bits")
            word |= values[name] << at
            at += bits
        return word

    def unpack(self, word: int) -> dict[str, int]:
        """The values of the fields of a word."""
        found, at = {}, 0
        for name, bits in self.register.fields:
            found[name] = word >> at & ((1 << bits) - 1)
            at += bits
        return found


class RegisterMap:
    """Blocks of registers, placed one after the other; by path ``block.register``.

    ``size_bytes`` is a power of two. Raises ``ValueError`` for a name that stands twice.
    """

    def __init__(self, blocks: tuple[Block, ...]) -> None:
        self.blocks = blocks
        self._placed: dict[str, Placed] = {}
        at = 0
        for block in blocks:
            for register in block.registers:
                at += -at % register.room_bytes
                placed = Placed(block, register, at)
                if placed.path in self._placed:
                    raise ValueError(f"{placed.path} stands twice")
                self._placed[placed.path] = placed
                at += register.count * WORD_BYTES
        self.end_bytes = at
        self.size_bytes = 1 << (at - 1).bit_length()

    def __getitem__(self, path: str) -> Placed:
        """The register of that path; raises ``KeyError``."""
        return self._placed[path]

    def __iter__(self) -> Iterator[Placed]:
        """The registers in order of address."""
        return iter(self._placed.values())

    @property
    def text(self) -> str:
        """All that decides how it is used, a line per register."""
        return "\n".join(
            f"{p.address} {p.path} {r.access} {r.bits} {r.count} {r.names} {r.fields} {r.reset}"
            for p in self
            for r in (p.register,)
        )


def hash_of(*texts: str) -> int:
    """64 bits that differ where the texts do."""
    digest = hashlib.blake2b("\0".join(texts).encode(), digest_size=WORD_BYTES).digest()
    return int.from_bytes(digest, "little")
