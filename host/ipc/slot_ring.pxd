# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The two ends of a ring of fixed slots between one writer and one reader, whatever carries it."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    SLOT_NONE = 0       # nothing new
    SLOT_TAKEN = 1
    SLOT_LOST = -1      # the writer overwrote or skipped slots: a ring that can't be trusted

cdef class SlotSender:
    cdef readonly uint32_t slot_bytes
    cdef readonly uint64_t sent          # number of the last slot
    cdef readonly bint misled            # the reader gave credit for what was never sent

    cdef bint put(self, const uint8_t *slot) noexcept nogil
    cdef uint32_t room(self) noexcept nogil

cdef class SlotReceiver:
    cdef readonly uint32_t slot_bytes
    cdef readonly uint64_t taken

    cdef int take(self, uint8_t *out) noexcept nogil

cdef class SlotMemory:
    cdef readonly size_t size_bytes
    cdef uint8_t *base                   # NULL when closed

cdef class MemorySender(SlotSender):
    cdef SlotMemory memory
    cdef uint8_t *slots
    cdef uint64_t *credit
    cdef uint64_t mask
    cdef uint64_t credit_seen
    cdef uint32_t words

cdef class MemoryReceiver(SlotReceiver):
    cdef readonly uint64_t torn          # looks at a slot that was not all there
    cdef SlotMemory memory
    cdef uint8_t *slots
    cdef uint64_t *credit
    cdef uint64_t mask
    cdef uint64_t next_number
    cdef uint64_t told
    cdef uint32_t words

    cdef void tell(self) noexcept nogil
