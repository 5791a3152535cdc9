# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""A ring of fixed slots that one host writes into another's memory."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from nic.verbs.device cimport Region, VerbsDevice
from nic.verbs.queue_pair cimport QueuePair

cdef enum:
    RING_OVERRUN = -1     # slots were lost: last_lost says how many
    RING_ENDED = -2       # everything was taken, and nothing more will come

cdef class SlotStore:
    cdef readonly uint32_t slots        # a power of two
    cdef readonly uint32_t slot_bytes
    cdef readonly uint64_t published    # number of the newest slot
    cdef uint64_t mask
    cdef uint32_t words                 # of a slot, without the last
    cdef Region memory

    cdef inline uint8_t *slot(self, uint64_t number) noexcept nogil:
        return self.memory.base + (number & self.mask) * self.slot_bytes

    cdef bint put(self, const uint8_t *slot) noexcept nogil

cdef class RingSender:
    cdef readonly SlotStore store
    cdef readonly QueuePair pair
    cdef readonly uint64_t sent         # number of the last slot posted, or skipped over
    cdef readonly uint64_t overruns     # times that the reader had to be sent on
    cdef readonly uint64_t skipped      # slots that it was never sent
    cdef readonly uint64_t writes       # requests that carried slots
    cdef readonly uint64_t waits        # times that something had to wait for the reader's credit
    cdef readonly bint is_begun
    cdef readonly bint misled           # the reader gave credit for what was never sent
    cdef RingSender following           # the next sender of the same store
    cdef Region memory                  # credit, then the control words that are sent
    cdef uint64_t *credit
    cdef uint64_t asked_for             # requests below it will tell that they are done
    cdef bint is_awaited                # sent on, and not heard of since
    cdef uint64_t heartbeat_ns
    cdef uint64_t remote_slots          # in the reader's memory
    cdef uint64_t remote_control
    cdef uint32_t remote_key

    cdef int pump(self) noexcept nogil
    cdef void pump_all(self) noexcept nogil
    cdef bint has_room(self) noexcept nogil
    cdef uint64_t credited(self) noexcept nogil
    cdef bint control(self, uint64_t start, uint64_t state) noexcept nogil
    cdef void beat_all(self, uint64_t t_ns) noexcept nogil

cdef class RingReceiver:
    cdef readonly QueuePair pair
    cdef readonly uint32_t slots
    cdef readonly uint32_t slot_bytes
    cdef readonly uint64_t next_number
    cdef readonly uint64_t taken
    cdef readonly uint64_t lost
    cdef readonly uint64_t overruns
    cdef readonly uint64_t last_lost
    cdef readonly uint64_t torn         # looks at a slot that was not all there yet
    cdef readonly uint64_t credits      # that were sent
    cdef readonly bint is_begun
    cdef uint64_t wanted                # number to go on with after a reconnection; 0 for any
    cdef uint64_t mask
    cdef uint32_t words
    cdef uint64_t told                  # the last credit sent
    cdef uint64_t unsaid                # lost behind what read() gave
    cdef Region memory                  # slots, control words, the credit that is sent
    cdef const uint8_t *control
    cdef uint64_t *credit
    cdef uint64_t remote_credit
    cdef uint32_t remote_key

    cdef int take(self, uint8_t *out, uint32_t maximum) noexcept nogil
    cdef void tell(self) noexcept nogil
    cdef int begun(self, uint64_t number) noexcept nogil
    cdef void skip_to(self, uint64_t number) noexcept nogil
    cdef uint64_t heard_ns(self) noexcept nogil
    cdef int nothing_there(self, uint64_t seen) noexcept nogil
