# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The producer's side of the journal: records go into shared memory before anything leaves.

Another thread (:mod:`host.journal.writer`) brings them to the file. A record is never lost in
silence: when the ring is full it is refused and counted, and an order that can't be recorded is
not sent.
"""

import json

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memset
from host.ipc.ring cimport Ring
from host.ipc.ring_codec cimport RING_RECORD_LENGTH
from host.journal.ids cimport (
    JOURNAL_COUNTER_BODY_BYTES, JOURNAL_COUNTER_COUNT, JOURNAL_COUNTER_RECORDS,
    JOURNAL_COUNTER_REFUSED_FULL, JOURNAL_COUNTER_REFUSED_TOO_LONG)

from host.journal.enumerations import JOURNAL, JOURNAL_COUNTER
from host.journal.record import encode_body


cdef class Journal(Recorder):
    """Writes records to a ring; one thread only."""

    def __init__(self, ring: Ring) -> None:
        if ring is None:
            raise TypeError("a journal needs a ring")
        self.ring = ring
        memset(self.counts, 0, sizeof(self.counts))

    cdef bint record(self, uint16_t kind, uint64_t t_ns, const void *data,
                     uint32_t length) noexcept nogil:
        """Whether the record was written; False, and counted, when there was no room."""
        if self.ring.push(kind, t_ns, data, length):
            self.counts[JOURNAL_COUNTER_RECORDS] += 1
            self.counts[JOURNAL_COUNTER_BODY_BYTES] += length
            return True
        if length > self.ring.maximum_bytes:
            self.counts[JOURNAL_COUNTER_REFUSED_TOO_LONG] += 1
        else:
            self.counts[JOURNAL_COUNTER_REFUSED_FULL] += 1
        return False

    cdef bint has_room(self, uint32_t length) noexcept nogil:
        """Whether records of ``length`` bytes in all can be written now."""
        return self.ring.has_room(<uint64_t> length + RING_RECORD_LENGTH)

    def write(self, kind: str, uint64_t t_ns, payload: bytes = b"", **fields: int | bytes) -> bool:
        """Write a record from Python: the kind's name, its fields and payload.

        Whether it was written. Raises ``KeyError`` for an unknown kind, ``WireError`` for bad
        fields.
        """
        cdef uint16_t number = JOURNAL.value(kind)
        body = encode_body(kind, payload, fields)
        return self.record(number, t_ns, <const char *> body, <uint32_t> len(body))

    def write_json(self, kind: str, uint64_t t_ns, value: object) -> bool:
        """Write a record whose body is JSON: ``configuration``, ``command`` or ``counters``."""
        text = json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
        return self.write(kind, t_ns, text, text_length=len(text))

    def counters(self) -> dict[str, int]:
        """Records written and refused, by the names of ``JOURNAL_COUNTER``."""
        return JOURNAL_COUNTER.as_dict([self.counts[i] for i in range(JOURNAL_COUNTER_COUNT)])
