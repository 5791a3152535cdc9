# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The producer's side of the journal."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from host.interfaces cimport Recorder
from host.ipc.ring cimport Ring
from host.journal.ids cimport JOURNAL_COUNTER_COUNT


cdef class Journal(Recorder):
    cdef readonly Ring ring
    cdef uint64_t counts[JOURNAL_COUNTER_COUNT]

    cdef bint record(self, uint16_t kind, uint64_t t_ns, const void *data,
                     uint32_t length) noexcept nogil
    cdef bint has_room(self, uint32_t length) noexcept nogil
