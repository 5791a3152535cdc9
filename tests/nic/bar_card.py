# SPDX-License-Identifier: Apache-2.0
"""The other end of a BAR: a file of the region's size, and what a card does to it."""

from __future__ import annotations

import mmap
from pathlib import Path

from nic.offload.bar import bar_bytes
from nic.offload.records import COMMAND_SLOT_BYTES, RECORD_SLOT_BYTES
from nic.offload.registers import INTERFACE_VERSION, LAYOUT_HASH, MAGIC, REGISTERS

WORD = 8
IDENTITY = {
    "magic": MAGIC,
    "interface_version": INTERFACE_VERSION,
    "layout_hash": LAYOUT_HASH,
    "symbol_bits": 10,
    "locate_bits": 14,
}


class FileCard:
    """A card of ours in a file; ``path`` is what the host opens."""

    def __init__(self, folder: Path, record_slots: int = 8, command_slots: int = 4) -> None:
        self.path = folder / "resource0"
        self.record_slots, self.command_slots = record_slots, command_slots
        self.records_at = REGISTERS.size_bytes
        self.commands_at = self.records_at + record_slots * RECORD_SLOT_BYTES
        self.path.write_bytes(bytes(bar_bytes(record_slots, command_slots)))
        with self.path.open("r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)
        slots = {"record_slots": record_slots, "command_slots": command_slots}
        for name, value in (IDENTITY | slots).items():
            self.set(f"identity.{name}", value)

    def get(self, path: str, index: int | str = 0) -> int:
        at = REGISTERS[path].word(index)
        return int.from_bytes(self.memory[at : at + WORD], "little")

    def set(self, path: str, value: int, index: int | str = 0) -> None:
        at = REGISTERS[path].word(index)
        self.memory[at : at + WORD] = value.to_bytes(WORD, "little")

    def put(self, record: bytes) -> bool:
        """Put a record into the ring, unless it is full."""
        made = self.get("rings.records_made")
        if made - self.get("rings.records_taken") >= self.record_slots:
            return False
        at = self.records_at + made % self.record_slots * RECORD_SLOT_BYTES
        self.memory[at : at + len(record)] = record
        self.set("rings.records_made", made + 1)
        return True

    def take(self) -> bytes | None:
        """Take a command out of the ring."""
        taken = self.get("rings.commands_taken")
        if taken == self.get("rings.commands_made"):
            return None
        at = self.commands_at + taken % self.command_slots * COMMAND_SLOT_BYTES
        command = self.memory[at : at + self.memory[at + 1] * WORD]
        self.set("rings.commands_taken", taken + 1)
        return command
