# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A card behind a PCI Express base address region that is mapped into memory."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from nic.offload.device cimport OffloadDevice


cdef class BarDevice(OffloadDevice):
    cdef readonly str path
    cdef object _mapping                   # mmap.mmap; keeps the pages
    cdef uint8_t[::1] _view
    cdef uint8_t *_base                    # NULL after close
    cdef uint64_t _size
    cdef uint8_t *_records                 # first place of the ring
    cdef uint8_t *_commands
    cdef uint64_t _record_slots, _command_slots
    cdef uint64_t _made, _taken            # records: what the card said last, what we took
    cdef uint64_t _given, _carried_out     # commands: what we gave, what the card said last
    cdef readonly uint64_t broken_records  # that can't be: passed over
