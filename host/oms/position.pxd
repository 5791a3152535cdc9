# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Positions and profit in integers, and the executions they came from."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef struct Position:
    int64_t shares                 # signed
    int64_t cost                   # what the shares cost, price units x shares, signed as they are
    int64_t realised               # profit of what was closed, price units x shares
    int64_t bought_shares
    int64_t sold_shares
    uint64_t executions

cdef struct Execution:
    uint64_t match_number
    uint64_t order                 # number of the execution; 0 for a free place
    int64_t price
    uint32_t user_ref_num
    uint32_t symbol_index
    uint32_t quantity
    uint8_t side
    uint8_t is_broken


@cython.final
cdef class Positions:
    cdef readonly uint32_t symbol_capacity
    cdef readonly uint32_t execution_capacity
    cdef Position *positions
    cdef Position *settled         # positions by the executions that left the ring
    cdef Execution *executions     # ring
    cdef uint64_t executions_taken

    cdef void execute(self, uint32_t symbol_index, uint8_t side, uint32_t quantity, int64_t price,
                      uint32_t user_ref_num, uint64_t match_number) noexcept nogil
    cdef Execution *find(self, uint32_t user_ref_num, uint64_t match_number) noexcept nogil
    cdef void break_trade(self, Execution *execution) noexcept nogil
