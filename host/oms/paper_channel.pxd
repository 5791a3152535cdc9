# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A channel to nowhere that remembers what it was given."""

from libc.stdint cimport uint32_t, uint64_t
from host.interfaces cimport OrderChannel
from host.model cimport PassedOrder

cdef struct PaperOrder:
    PassedOrder passed
    uint64_t symbol
    uint64_t t_ns
    uint32_t user_ref_num

cdef class PaperChannel(OrderChannel):
    cdef public bint is_open       # False: every order is refused
    cdef PaperOrder *orders        # ring
    cdef uint32_t capacity
    cdef readonly uint64_t count
