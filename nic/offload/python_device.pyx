# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A card whose other end is written in Python: to try one out, and for tests. Slow."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from nic.offload.device cimport LONGEST_RECORD_BYTES, OffloadDevice


cdef class PythonDevice(OffloadDevice):
    """Subclass it and fill in ``on_...``.

    What one of them raises is kept in ``error``; the card does nothing from then on.
    """

    cdef public object error

    def __init__(self, str name):
        self.name = name

    def on_load(self, address):
        """The register at an address."""
        return 0

    def on_store(self, address, value):
        """A register is written."""

    def on_take(self):
        """The next record; ``None`` for none."""

    def on_give(self, command):
        """A command; whether there was room for it."""
        return False

    def mode(self):
        """That it is one in Python."""
        return {"device": self.name, "records": "made in Python"}

    cdef object call(self, method, arguments, otherwise):
        if self.error is None:
            try:
                return method(*arguments)
            except Exception as error:
                self.error = error
        return otherwise

    cdef uint64_t load(self, uint32_t address) noexcept nogil:
        with gil:
            return self.call(self.on_load, (address,), 0)

    cdef void store(self, uint32_t address, uint64_t value) noexcept nogil:
        with gil:
            self.call(self.on_store, (address, value), None)

    cdef uint32_t take(self, uint8_t *place) noexcept nogil:
        cdef uint32_t length
        with gil:
            record = self.call(self.on_take, (), None)
            if record is None:
                return 0
            length = min(len(record), LONGEST_RECORD_BYTES)
            memcpy(place, <const uint8_t *> <bytes> record, length)
            return length

    cdef bint give(self, const uint8_t *command, uint32_t length) noexcept nogil:
        with gil:
            return bool(self.call(self.on_give, (<bytes> command[:length],), False))
