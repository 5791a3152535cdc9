# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Arbitration of two lines message by message, and the filter by instrument number.

The specification is :mod:`nic.framing.arbiter_reference`; tests hold this against it, and
``hw.arbiter`` too. The host's own feed handler (``host.feed``) does more: it waits for what is
missing and asks for it.
"""

import numpy as np

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport free, malloc
from nic.framing.ids cimport (
    ARBITER_DUPLICATES_A, ARBITER_DUPLICATES_B, ARBITER_EVENTS, ARBITER_GAP_ABANDONED,
    ARBITER_GAPS, ARBITER_MISSING, ARBITER_RECOVERED, ARRIVAL_AFTER_GAP, ARRIVAL_DUPLICATE,
    ARRIVAL_LATE, ARRIVAL_NEW)

from nic.framing.arbiter_reference import LINES, Arrival
from nic.framing.enumerations import ARBITER, ARRIVAL

cdef enum:
    MOST_LOCATE_BITS = 16


cdef class LineArbiter:
    """Arbitration of two lines; ``expected`` is the next sequence number, 0 before the first.

    Without ``is_arbitrating`` every message of both lines is new, and nothing else changes.
    """

    def __cinit__(self, uint64_t expected=0, bint is_arbitrating=True):
        self.expected = expected
        self.is_arbitrating = is_arbitrating

    cdef int arrive(self, int line, uint64_t sequence_number) noexcept nogil:
        cdef int kind = ARRIVAL_NEW
        if self.is_arbitrating:
            kind = self._hold_against(sequence_number)
        if kind != ARRIVAL_DUPLICATE:
            self.counts[ARBITER_EVENTS] += 1
        else:
            self.counts[ARBITER_DUPLICATES_B if line else ARBITER_DUPLICATES_A] += 1
        return kind

    cdef bint idle_at(self, uint64_t sequence_number) noexcept nogil:
        cdef bint opens
        if not self.is_arbitrating or sequence_number <= self.expected:
            return False
        opens = self.expected != 0
        if opens:
            self._open(sequence_number)
        self.expected = sequence_number
        return opens

    cdef int _hold_against(self, uint64_t sequence_number) noexcept nogil:
        """ARRIVAL_* of a sequence number, by what is expected and missing."""
        if sequence_number == self.expected or self.expected == 0:
            self.expected = sequence_number + 1
            return ARRIVAL_NEW
        if sequence_number > self.expected:
            self._open(sequence_number)
            self.expected = sequence_number + 1
            return ARRIVAL_AFTER_GAP
        if self.gap_next <= sequence_number < self.gap_end:
            self._abandon(sequence_number)
            self.counts[ARBITER_RECOVERED] += 1
            self.gap_next = sequence_number + 1
            return ARRIVAL_LATE
        return ARRIVAL_DUPLICATE

    cdef void _open(self, uint64_t sequence_number) noexcept nogil:
        """Make everything from the expected one up to ``sequence_number`` the open gap."""
        self._abandon(self.gap_end)
        self.gap_next = self.expected
        self.gap_end = sequence_number
        self.counts[ARBITER_GAPS] += 1
        self.counts[ARBITER_MISSING] += sequence_number - self.expected

    cdef void _abandon(self, uint64_t up_to) noexcept nogil:
        """Give up what is missing before ``up_to``."""
        self.counts[ARBITER_GAP_ABANDONED] += up_to - self.gap_next
        self.gap_next = up_to

    @property
    def counters(self):
        """Every counter of ``ARBITER`` by its name; those that are a matter of cycles stay 0."""
        return ARBITER.as_dict(self.counts)

    @property
    def gap_next(self):
        """The first sequence number that the open gap still takes."""
        return self.gap_next

    @property
    def gap_end(self):
        """The sequence number behind the open gap; equal to ``gap_next`` when none is open."""
        return self.gap_end

    def start(self, uint64_t expected):
        """The host says what is expected next; the open gap's rest is abandoned."""
        self._abandon(self.gap_end)
        self.expected = expected

    def message(self, int line, uint64_t sequence_number):
        """The :class:`~nic.framing.arbiter_reference.Arrival` of a message of line 0 or 1.

        Raises ``ValueError`` for another line.
        """
        if not 0 <= line < len(LINES):
            raise ValueError(f"there is no line {line}")
        return Arrival(ARRIVAL.name_of(self.arrive(line, sequence_number)))

    def idle(self, uint64_t sequence_number):
        """A heartbeat or an end of session with the next sequence number; does it open a gap?"""
        return bool(self.idle_at(sequence_number))

    def arrivals(self, const uint8_t[::1] lines not None,
                 const uint64_t[::1] sequence_numbers not None,
                 const uint8_t[::1] idles not None):
        """Many of them in order of arrival: ``ARRIVAL`` of each, 1 byte.

        Where ``idles`` is 1 it is a datagram without messages: ``after_gap`` if it opens a gap,
        else ``new``; it is no event. Raises ``ValueError`` where the arrays differ in length.
        """
        cdef Py_ssize_t i, count = lines.shape[0]
        if sequence_numbers.shape[0] != count or idles.shape[0] != count:
            raise ValueError("the arrays differ in length")
        kinds_array = np.zeros(count, np.uint8)
        cdef uint8_t[::1] kinds = kinds_array
        with nogil:
            for i in range(count):
                if idles[i]:
                    kinds[i] = (ARRIVAL_AFTER_GAP if self.idle_at(sequence_numbers[i])
                                else ARRIVAL_NEW)
                else:
                    kinds[i] = <uint8_t> self.arrive(lines[i], sequence_numbers[i])
        return kinds_array


cdef class SymbolFilter:
    """Which instruments are wanted: ``symbols`` is stock locate to symbol index.

    Raises ``ValueError`` for a locate that has more than ``locate_bits`` (at most 16).
    """

    def __cinit__(self, symbols not None, int locate_bits=14):
        cdef Py_ssize_t i
        if not 0 < locate_bits <= MOST_LOCATE_BITS:
            raise ValueError(f"locate_bits is 1 to {MOST_LOCATE_BITS}")
        self.locate_bits = locate_bits
        self.indices = <int32_t *> malloc(sizeof(int32_t) << locate_bits)
        if self.indices is NULL:
            raise MemoryError
        for i in range(1 << locate_bits):
            self.indices[i] = -1
        for locate, index in symbols.items():
            if not 0 <= locate < 1 << locate_bits or index < 0:
                raise ValueError(f"locate {locate} has more than {locate_bits} bits")
            self.indices[<Py_ssize_t> locate] = index

    def __dealloc__(self):
        free(self.indices)

    cdef int32_t index_of(self, uint64_t locate) noexcept nogil:
        return -1 if locate >> self.locate_bits else self.indices[locate]

    def find(self, locate):
        """Whether the instrument is wanted, and its symbol index (0 of an unwanted one).

        ``None`` stands for a message without such a number.
        """
        cdef int32_t index = -1 if locate is None else self.index_of(locate)
        return index >= 0, max(index, 0)

    def find_all(self, const uint16_t[::1] locates not None):
        """The symbol index of each locate, -1 where it is not wanted."""
        cdef Py_ssize_t i
        found_array = np.zeros(locates.shape[0], np.int32)
        cdef int32_t[::1] found = found_array
        for i in range(locates.shape[0]):
            found[i] = self.index_of(locates[i])
        return found_array
