# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The thread that brings the ring to the file."""

from libc.stdint cimport uint64_t
from host.ipc.ring cimport Ring
from host.journal.ids cimport JOURNAL_WRITER_COUNT


cdef class JournalWriter:
    cdef readonly str path
    cdef Ring ring
    cdef object thread
    cdef int descriptor
    cdef int error_number          # of the last call that failed; 0 when it succeeded later
    cdef uint64_t stopping         # 1 once the producer is done
    cdef uint64_t partial_bytes    # of the batch at the ring's head, already in the file
    cdef uint64_t sync_interval_ns
    cdef uint64_t idle_ns
    cdef uint64_t counts[JOURNAL_WRITER_COUNT]

    cdef uint64_t drain(self) noexcept nogil
    cdef void sync(self) noexcept nogil
    cdef void run(self) noexcept nogil
