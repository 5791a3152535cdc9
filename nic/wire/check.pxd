# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Results of holding a message's type against its length."""

cdef enum:
    CHECK_OK = 0
    CHECK_LENGTH = 1
    CHECK_UNKNOWN_TYPE = 2
