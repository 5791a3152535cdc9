# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A card behind a PCI Express base address region that is mapped into memory.

The region begins with the registers; behind them lie a ring of records, that the card writes, and a
ring of commands, that the host writes (``nic/offload/records.py``). Each side counts what it put in
and what it took out in the registers of ``rings``; a place is the count modulo the places. Every
access is one aligned word of 64 bits, in the order of the program.

The file is ``/sys/bus/pci/devices/<address>/resource<n>`` of the card, which must be enabled (1 in
``enable`` beside it). Sources: Linux Documentation/PCI/sysfs-pci.rst; PCI Express Base 6.0 section
2.4 (a posted write is never passed by a later one).
"""

import mmap
import os

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from nic.offload.records import COMMAND_SLOT_BYTES, RECORD_SLOT_BYTES
from nic.offload.registers import MAGIC, REGISTERS

cdef extern from *:
    """
    #include <stdint.h>
    static inline uint64_t bar_load(const uint8_t *at) {
        return __atomic_load_n((const volatile uint64_t *)at, __ATOMIC_ACQUIRE);
    }
    static inline void bar_store(uint8_t *at, uint64_t value) {
        __atomic_store_n((volatile uint64_t *)at, value, __ATOMIC_RELEASE);
    }
    static inline uint64_t word_load(const uint8_t *at)
    { uint64_t v; __builtin_memcpy(&v, at, 8); return v; }
    static inline void word_store(uint8_t *at, uint64_t v) { __builtin_memcpy(at, &v, 8); }
    """
    uint64_t bar_load(const uint8_t *at) noexcept nogil
    void bar_store(uint8_t *at, uint64_t value) noexcept nogil
    uint64_t word_load(const uint8_t *at) noexcept nogil
    void word_store(uint8_t *at, uint64_t value) noexcept nogil

cdef enum:
    WORD = 8
    RECORD_SLOT = 128
    COMMAND_SLOT = 256

assert RECORD_SLOT == RECORD_SLOT_BYTES and COMMAND_SLOT == COMMAND_SLOT_BYTES

cdef uint32_t RECORDS_MADE = REGISTERS["rings.records_made"].address
cdef uint32_t RECORDS_TAKEN = REGISTERS["rings.records_taken"].address
cdef uint32_t COMMANDS_MADE = REGISTERS["rings.commands_made"].address
cdef uint32_t COMMANDS_TAKEN = REGISTERS["rings.commands_taken"].address


class BarError(OSError):
    """A file that can't be the region of a card of ours; the text says why."""


def bar_bytes(uint64_t record_slots, uint64_t command_slots):
    """Bytes of a region with such rings: a power of two, as the size of every such region is."""
    needed = REGISTERS.size_bytes + record_slots * RECORD_SLOT + command_slots * COMMAND_SLOT
    return 1 << (needed - 1).bit_length()


cdef class BarDevice(OffloadDevice):
    """A card behind a PCI Express base address region, by its resource file.

    Goes on where the counts in the card stand, so a host that comes back loses nothing. Raises
    ``OSError`` where the file can't be mapped, :class:`BarError` where it is no card of ours. The
    rest of the identity is looked at by :class:`nic.offload.card.Card`.
    """

    def __cinit__(self, path not None):
        cdef uint8_t[::1] view
        self.path = os.fspath(path)
        self.name = os.path.basename(self.path)
        descriptor = os.open(self.path, os.O_RDWR | os.O_SYNC | os.O_CLOEXEC)
        try:
            self._size = os.fstat(descriptor).st_size
            if self._size < <uint64_t> REGISTERS.size_bytes:
                raise BarError(f"{self.path}: {self._size} bytes are no region of a card")
            self._mapping = mmap.mmap(descriptor, self._size)
        finally:
            os.close(descriptor)
        view = self._mapping
        self._view = view
        self._base = &view[0]
        try:
            self._find_rings()
        except BarError:
            self.shut()
            raise

    def _find_rings(self):
        """Where the rings lie, by the card's own words; their counts."""
        magic = self.load(REGISTERS["identity.magic"].address)
        if magic != MAGIC:
            raise BarError(f"{self.path}: begins with {magic:#x}, which is no card of ours")
        self._record_slots = self.load(REGISTERS["identity.record_slots"].address)
        self._command_slots = self.load(REGISTERS["identity.command_slots"].address)
        for slots in (self._record_slots, self._command_slots):
            if slots == 0 or slots & (slots - 1) or slots > self._size:
                raise BarError(f"{self.path}: a ring of {slots} places")
        if bar_bytes(self._record_slots, self._command_slots) > self._size:
            raise BarError(f"{self.path}: {self._size} bytes have no room for the rings")
        self._records = self._base + <uint64_t> REGISTERS.size_bytes
        self._commands = self._records + self._record_slots * RECORD_SLOT
        self._taken = bar_load(self._base + RECORDS_TAKEN)
        self._made = self._taken
        self._given = bar_load(self._base + COMMANDS_MADE)
        self._carried_out = bar_load(self._base + COMMANDS_TAKEN)
        if self._given - self._carried_out > self._command_slots:
            raise BarError(f"{self.path}: the counts of the ring of commands contradict each other")

    def mode(self):
        """What this device really is, name to text."""
        return {
            "device": "bar",
            "path": self.path,
            "bytes": str(self._size),
            "records": f"ring of {self._record_slots}",
            "commands": f"ring of {self._command_slots}",
        }

    cdef uint64_t load(self, uint32_t address) noexcept nogil:
        return bar_load(self._base + address) if self._base is not NULL else 0

    cdef void store(self, uint32_t address, uint64_t value) noexcept nogil:
        if self._base is not NULL:
            bar_store(self._base + address, value)

    cdef uint32_t take(self, uint8_t *place) noexcept nogil:
        cdef const uint8_t *slot
        cdef uint64_t head
        cdef uint32_t length, i
        if self._base is NULL:
            return 0
        while True:
            if self._made == self._taken:
                self._made = bar_load(self._base + RECORDS_MADE)
                if self._made == self._taken:
                    return 0
                if self._made - self._taken > self._record_slots:
                    # No card gets that far ahead: it began anew. The numbers tell what is lost.
                    self.broken_records += 1
                    self._taken = self._made
                    bar_store(self._base + RECORDS_TAKEN, self._taken)
                    return 0
            slot = self._records + (self._taken & (self._record_slots - 1)) * RECORD_SLOT
            head = bar_load(slot)
            length = <uint32_t> (head >> 8 & 0xFF) * WORD
            if 0 < length <= RECORD_SLOT:
                word_store(place, head)
                for i in range(1, length // WORD):
                    word_store(place + i * WORD, bar_load(slot + i * WORD))
            else:
                self.broken_records += 1
                length = 0
            self._taken += 1
            bar_store(self._base + RECORDS_TAKEN, self._taken)
            if length:
                return length

    cdef bint give(self, const uint8_t *command, uint32_t length) noexcept nogil:
        cdef uint8_t *slot
        cdef uint32_t i
        if self._base is NULL:
            return False
        if self._given - self._carried_out >= self._command_slots:
            # A read of a card takes a microsecond: only where it may be full.
            self._carried_out = bar_load(self._base + COMMANDS_TAKEN)
            if self._given - self._carried_out >= self._command_slots:
                return False
        slot = self._commands + (self._given & (self._command_slots - 1)) * COMMAND_SLOT
        for i in range(length // WORD):
            bar_store(slot + i * WORD, word_load(command + i * WORD))
        self._given += 1
        bar_store(self._base + COMMANDS_MADE, self._given)
        return True

    cdef void shut(self) noexcept:
        self._base = NULL
        self._view = None
        self._mapping = None
