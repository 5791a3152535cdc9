# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A card's records, taken by one and wanted by several: events, verdicts, outcomes."""

from libc.stdint cimport uint8_t, uint64_t

from nic.offload.device cimport OffloadDevice
from nic.offload.offload_codec cimport OffloadVerdict

cdef enum:                         # what pump found
    PUMPED_NOTHING = 0
    PUMPED_EVENT = 1               # it waits for next_event
    PUMPED_VERDICT = 2             # it stands in ``verdict``
    PUMPED_OUTCOME = 3
    PUMPED_MALFORMED = 4

cdef class RecordStream:
    cdef readonly OffloadDevice device
    cdef OffloadVerdict verdict            # the latest
    cdef uint8_t *_events                  # a ring; a slot has LONGEST_RECORD_BYTES
    cdef uint64_t _made, _taken
    cdef uint64_t _number                  # of the latest record
    cdef readonly uint64_t events, verdicts, outcomes
    cdef readonly uint64_t records_lost, records_malformed

    # Take one record of the card; never waits.
    cdef int pump(self) noexcept nogil
    # The oldest event that nobody had, valid until the next pump; NULL for none.
    cdef const uint8_t *next_event(self) noexcept nogil
    cdef bint is_broken(self) noexcept nogil
