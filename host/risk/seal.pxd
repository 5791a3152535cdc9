# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The seal that the risk gate puts on what it passed, and that the encoder checks."""

from libc.stdint cimport uint64_t
from host.model cimport PassedOrder


cdef class SealChecker:
    cdef uint64_t first_key
    cdef uint64_t second_key

    cdef bint valid(self, const PassedOrder *passed) noexcept nogil


cdef class Seal(SealChecker):
    cdef uint64_t compute(self, const PassedOrder *passed) noexcept nogil
