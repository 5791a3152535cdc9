# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A card's records, taken by one and wanted by several: events, verdicts, outcomes.

Who waits for a verdict must not lose the events that come before it, so they are kept for the
feed's side. A number that is missing, a record that is not as the table says, or more events than
there is room for: then :meth:`RecordStream.is_broken`, for good.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from nic.offload.device cimport LONGEST_RECORD_BYTES
from nic.offload.offload_codec cimport (
    OFFLOAD_EVENT, OFFLOAD_EVENT_LENGTH, OFFLOAD_OUTCOME, OFFLOAD_OUTCOME_LENGTH, OFFLOAD_VERDICT,
    OFFLOAD_VERDICT_LENGTH, OFFLOAD_WORD_BYTES, offload_event_message_length,
    offload_event_record_number, offload_event_record_type, offload_event_words,
    offload_outcome_record_number, offload_verdict_decode, offload_verdict_record_number)

cdef enum:
    PLACES = 1 << 12               # a power of two; more messages than a frame can hold


cdef class RecordStream:
    """Sorts the records of ``device``; nobody else may take them."""

    def __cinit__(self, OffloadDevice device not None):
        self.device = device
        self._events = <uint8_t *> calloc(PLACES, LONGEST_RECORD_BYTES)
        if self._events is NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self._events)

    cdef bint is_broken(self) noexcept nogil:
        """Whether a record was lost or is no record."""
        return self.records_lost != 0 or self.records_malformed != 0

    cdef int pump(self) noexcept nogil:
        cdef uint8_t *place = (
            self._events + (self._made & (PLACES - 1)) * LONGEST_RECORD_BYTES)
        cdef uint8_t spare[LONGEST_RECORD_BYTES]
        cdef bint is_full = self._made - self._taken == PLACES
        cdef uint8_t *at = place
        cdef uint32_t length
        cdef uint8_t kind
        cdef uint64_t number
        if is_full:
            at = spare
        length = self.device.take(at)
        if length == 0:
            return PUMPED_NOTHING
        kind = offload_event_record_type(at)
        if length < OFFLOAD_WORD_BYTES or offload_event_words(at) * OFFLOAD_WORD_BYTES != length:
            kind = 0
        if kind == OFFLOAD_EVENT and length >= OFFLOAD_EVENT_LENGTH and length == (
                OFFLOAD_EVENT_LENGTH + offload_event_message_length(at) + OFFLOAD_WORD_BYTES - 1
        ) // OFFLOAD_WORD_BYTES * OFFLOAD_WORD_BYTES:
            number = offload_event_record_number(at)
        elif kind == OFFLOAD_VERDICT and length == OFFLOAD_VERDICT_LENGTH:
            number = offload_verdict_record_number(at)
        elif kind == OFFLOAD_OUTCOME and length == OFFLOAD_OUTCOME_LENGTH:
            number = offload_outcome_record_number(at)
        else:
            self.records_malformed += 1
            return PUMPED_MALFORMED
        if self._number != 0 and number != self._number + 1:
            self.records_lost += number - self._number - 1 if number > self._number else 1
        self._number = number
        if kind == OFFLOAD_VERDICT:
            self.verdicts += 1
            offload_verdict_decode(at, &self.verdict)
            return PUMPED_VERDICT
        if kind == OFFLOAD_OUTCOME:
            self.outcomes += 1
            return PUMPED_OUTCOME
        self.events += 1
        if is_full:
            self.records_lost += 1
        else:
            self._made += 1
        return PUMPED_EVENT

    cdef const uint8_t *next_event(self) noexcept nogil:
        cdef const uint8_t *place
        if self._made == self._taken:
            return NULL
        place = self._events + (self._taken & (PLACES - 1)) * LONGEST_RECORD_BYTES
        self._taken += 1
        return place
