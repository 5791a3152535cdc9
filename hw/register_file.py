# SPDX-License-Identifier: Apache-2.0
"""The register file, made of the table: every register of every block at its place.

The host's bus writes one word and reads one word per cycle. What the host sets goes out to the
blocks, what they show comes in, by the names of the table ``nic/offload/registers.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.counter_bank import READ_CYCLES as BANK_CYCLES
from nic.offload.register_map import WORD_BITS, WORD_BYTES, Placed, Register, RegisterMap
from nic.offload.registers import INTERFACE_VERSION, LAYOUT_HASH, MAGIC, REGISTERS

READ_CYCLES = 4
"""From ``read_address`` to ``read_data``."""

FIXED = {
    "identity.magic": MAGIC,
    "identity.interface_version": INTERFACE_VERSION,
    "identity.layout_hash": LAYOUT_HASH,
}
"""Constants that follow from the table itself."""

GROUP = 9
"""Words that one step of reading sums."""


def is_bank(register: Register) -> bool:
    """Whether its words are the counters of a :class:`hw.counter_bank.CounterBank`."""
    return bool(register.names)


def member(register: Register) -> Any:
    """The port of a register, as its block sees it; ``None`` of a constant."""
    shape: Any = register.bits
    if register.fields:
        shape = data.StructLayout(dict(register.fields))
    elif register.count > 1:
        shape = data.ArrayLayout(register.bits, register.count)
    if register.access == "constant":
        return None
    if is_bank(register):
        index_bits = max((register.count - 1).bit_length(), 2)
        return Out(wiring.Signature({"index": Out(index_bits), "value": In(WORD_BITS)}))
    if register.access == "read":
        return In(shape)
    if register.access == "read_write":
        return Out(shape) if register.count > 1 else Out(shape, init=register.reset)
    return Out(wiring.Signature({"valid": Out(1), "payload": Out(shape)}))


def _either(values: Sequence[Value]) -> Value:
    """All bits of all values, as at most one of these is not 0."""
    return reduce(or_, values, Const(0))


class RegisterFile(wiring.Component):
    """All registers of a map.

    Members: ``write_valid``, ``write_address``, ``write_data``: a word is written, every cycle one
    may be; addresses without a register that takes writes are ignored. ``read_address``: what
    ``read_data`` shows ``READ_CYCLES`` later, 0 where there is nothing. Addresses count bytes.
    One interface per block with a member per register: a value in (``read``), a value out
    (``read_write``), ``valid`` for a cycle with ``payload`` (``write``), one cycle after the
    bus's; counters of a table are read out of a counter bank by ``index``.

    ``constants`` gives the words that the gateware is made with, by path. Raises ``ValueError``
    where one is missing, unknown or too wide.
    """

    def __init__(self, constants: Mapping[str, int], registers: RegisterMap = REGISTERS) -> None:
        self.registers = registers
        wanted = {p.path for p in registers if p.register.access == "constant"}
        self.constants = {**{k: v for k, v in FIXED.items() if k in wanted}, **constants}
        if set(self.constants) != wanted:
            wrong = sorted(set(self.constants) ^ wanted)
            raise ValueError(f"constants missing or unknown: {', '.join(wrong)}")
        for path, value in self.constants.items():
            if not 0 <= value < 1 << WORD_BITS:
                raise ValueError(f"{path}: {value} does not fit a register")
        address_bits = (registers.size_bytes - 1).bit_length()
        blocks = {}
        for block in registers.blocks:
            ports = {r.name: member(r) for r in block.registers}
            found = {name: port for name, port in ports.items() if port is not None}
            if found:
                blocks[block.name] = Out(wiring.Signature(found))
        super().__init__(
            {
                "write_valid": In(1),
                "write_address": In(address_bits),
                "write_data": In(WORD_BITS),
                "read_address": In(address_bits),
                "read_data": Out(WORD_BITS),
                **blocks,
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Writes are registered and then decoded; reads go through three steps of choosing."""
        m = Module()
        write_valid, write_data = Signal(), Signal(WORD_BITS)
        write_word = Signal(len(self.write_address) - 3)
        m.d.comb += [write_valid.eq(self.write_valid), write_data.eq(self.write_data)]
        m.d.comb += write_word.eq(self.write_address[3:])
        for placed in self.registers:
            if placed.register.access in ("read_write", "write"):
                self._write(m, placed, write_valid, write_word, write_data)
        self._read(m)
        return m

    def _port(self, placed: Placed) -> Any:
        """The port of a register."""
        return getattr(getattr(self, placed.block.name), placed.register.name)

    def _write(self, m: Module, placed: Placed, valid: Value, word: Value, value: Value) -> None:
        """What a write does to one register."""
        port, register = self._port(placed), placed.register
        for index in range(register.count):
            hit = valid & (word == placed.word(index) // WORD_BYTES)
            if register.access == "write":
                m.d.sync += port.valid.eq(hit)
                with m.If(hit):
                    m.d.sync += Value.cast(port.payload).eq(value[: register.bits])
            else:
                place = port if register.count == 1 else port[index]
                with m.If(hit):
                    m.d.sync += Value.cast(place).eq(value[: register.bits])

    def _words(self) -> dict[int, Value]:
        """What is read at each word of the map, banks and empty words left out."""
        found: dict[int, Value] = {}
        for placed in self.registers:
            register, at = placed.register, placed.address // WORD_BYTES
            if register.access == "constant":
                found[at] = Const(self.constants[placed.path], WORD_BITS)
            elif register.access != "write" and not is_bank(register):
                port = self._port(placed)
                for index in range(register.count):
                    value = port if register.count == 1 else port[index]
                    found[at + index] = Value.cast(value)
        return found

    def _read(self, m: Module) -> None:
        """Which word is meant, its group, all groups, and then the banks.

        A register per word says whether it is meant: to choose by the address's bits, these would
        go to every bit of every word.
        """
        address = [self.read_address[3:]]
        for step in range(1, BANK_CYCLES):
            later = Signal.like(address[0], name=f"read_word_{step}")
            m.d.sync += later.eq(address[-1])
            address.append(later)
        gated: list[Value] = []
        for at, word in self._words().items():
            is_meant = Signal(name=f"is_meant_{at}")
            m.d.sync += is_meant.eq(address[0] == at)
            gated.append(word & is_meant.replicate(len(word)))
        for step in range(2):
            groups = []
            for first in range(0, len(gated), GROUP):
                group = Signal(WORD_BITS, name=f"read_{step}_{first}")
                m.d.sync += group.eq(_either(gated[first : first + GROUP]))
                groups.append(group)
            gated = list(groups)
        result = _either(gated)

        # The banks' values come two cycles after their index, one is chosen in the third.
        counted: Value = Const(0, WORD_BITS)
        for placed in self.registers:
            if not is_bank(placed.register):
                continue
            port, register = self._port(placed), placed.register
            room = register.room_bytes // WORD_BYTES
            index_bits = room.bit_length() - 1
            m.d.comb += port.index.eq(address[0][:index_bits])
            before = address[BANK_CYCLES - 1]
            is_here = before[index_bits:] == placed.address // WORD_BYTES >> index_bits
            is_meant = Signal(name=f"is_meant_{placed.block.name}_{register.name}")
            m.d.sync += is_meant.eq(is_here & (before[:index_bits] < register.count))
            counted = counted | Mux(is_meant, port.value, 0)
        from_banks = Signal(WORD_BITS)
        m.d.sync += [from_banks.eq(counted), self.read_data.eq(result | from_banks)]
