# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""A queue pair's sending side: requests gathered, posted with one doorbell, completed in order."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from nic.verbs.device cimport VerbsDevice
from nic.verbs.libibverbs cimport ibv_cq, ibv_qp, ibv_send_wr, ibv_sge

cdef class QueuePair:
    cdef readonly VerbsDevice device
    cdef readonly uint32_t depth            # send requests that may be out at a time
    cdef readonly uint32_t inline_bytes     # a request up to this size carries its bytes with it
    cdef readonly uint32_t signal_every     # one completion in so many requests
    cdef readonly int status                # of the first failed completion; 0 while all is well
    cdef readonly int post_error            # errno of the post that failed for good
    cdef readonly uint64_t doorbells
    cdef readonly uint64_t completions      # that were polled
    cdef readonly uint64_t strange          # completions of requests that are not out
    cdef readonly uint64_t full             # posts that the device had no room for
    cdef readonly bint stamps               # the receive completions carry the device's time
    cdef ibv_qp *qp
    cdef ibv_cq *send_queue
    cdef ibv_cq *receive_queue              # NULL where nothing is received
    cdef ibv_send_wr *requests              # a ring of depth: queued from `posted` to `queued`
    cdef ibv_sge *pieces
    cdef uint64_t queued                    # requests ever; the next one's number
    cdef uint64_t posted
    cdef uint64_t completed                 # every request below it is done with

    cdef inline uint32_t room(self) noexcept nogil:
        return self.depth - <uint32_t> (self.queued - self.completed)

    cdef inline bint is_down(self) noexcept nogil:
        return self.status != 0 or self.post_error != 0

    cdef void add(self, int opcode, const uint8_t *data, uint32_t length, uint32_t lkey,
                  uint64_t remote, uint32_t rkey, bint must_signal) noexcept nogil
    cdef int post(self) noexcept nogil
    cdef void reap(self) noexcept nogil
    cdef int change_state(self, attributes, int mask) except -1
