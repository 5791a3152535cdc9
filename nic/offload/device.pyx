# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""What the host needs of a card, whatever it is: registers, records up, commands down.

A new kind of card is a subclass with five ``cdef`` methods; ``nic/offload/bar.pyx`` is one, the
compiled model of the gateware another. ``docs/offload.md`` says what each must do.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from nic.offload.records import COMMAND_SLOT_BYTES, RECORD_SLOT_BYTES, WORD_BYTES
from nic.offload.registers import REGISTERS

assert RECORD_SLOT_BYTES == LONGEST_RECORD_BYTES
assert COMMAND_SLOT_BYTES == LONGEST_COMMAND_BYTES

cdef uint32_t REGISTER_BYTES = REGISTERS.size_bytes
cdef uint32_t WORD = WORD_BYTES


cdef class OffloadDevice:
    """A card as the host sees it: registers, records, commands. Not safe to share by threads."""

    cdef uint64_t load(self, uint32_t address) noexcept nogil:
        return 0

    cdef void store(self, uint32_t address, uint64_t value) noexcept nogil:
        pass

    cdef uint32_t take(self, uint8_t *place) noexcept nogil:
        return 0

    cdef bint give(self, const uint8_t *command, uint32_t length) noexcept nogil:
        return False

    cdef void shut(self) noexcept:
        pass

    def mode(self):
        """What this device really is, name to text."""
        raise NotImplementedError

    def read(self, uint32_t address):
        """The register at a byte address. Raises ``ValueError`` for one that can't be."""
        if address % WORD or address >= REGISTER_BYTES:
            raise ValueError(f"no register at {address}")
        return self.load(address)

    def write(self, uint32_t address, uint64_t value):
        """Write the register at a byte address. Raises ``ValueError`` for one that can't be."""
        if address % WORD or address >= REGISTER_BYTES:
            raise ValueError(f"no register at {address}")
        self.store(address, value)

    def take_record(self):
        """The next record, ``None`` where there is none now."""
        cdef uint8_t place[LONGEST_RECORD_BYTES]
        cdef uint32_t length = self.take(place)
        return <bytes> place[:length] if length else None

    def give_command(self, const uint8_t[::1] command not None):
        """Hand a command over; ``False`` where there is no room now: try again.

        Raises ``ValueError`` for what is no command: not whole words, or not as many as it says.
        """
        cdef uint32_t length = <uint32_t> command.shape[0]
        if not 0 < length <= LONGEST_COMMAND_BYTES or length != command[1] * WORD:
            raise ValueError(f"{length} bytes are no command")
        return bool(self.give(&command[0], length))

    def close(self):
        """Let the card go; nothing may be called afterwards."""
        self.shut()
