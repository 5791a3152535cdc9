# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Walks the option tags of an appendage: each one a length byte, a tag number and a value.

The length byte counts the number and the value, not itself. Numbers, sizes, getters and writers
of the tags are generated into the codec of their protocol. Source: Nasdaq OUCH 5.0, revision 1.04.
"""

from libc.stdint cimport uint8_t, uint32_t
from nic.wire.check cimport CHECK_LENGTH, CHECK_OK


cdef inline const uint8_t *appendage_next(const uint8_t *appendage, uint32_t length, uint32_t *at,
                                          uint8_t *tag, uint32_t *size) noexcept nogil:
    """The value of the tag at ``at``, its number and size in bytes; ``at`` moves behind it.

    NULL at the end, and where a tag is cut or has no number; ``at`` is then short of ``length``.
    """
    cdef uint32_t here = at[0]
    if here >= length or appendage[here] == 0 or length - here <= appendage[here]:
        return NULL
    tag[0] = appendage[here + 1]
    size[0] = <uint32_t> appendage[here] - 1
    at[0] = here + 1 + appendage[here]
    return appendage + here + 2


cdef inline int appendage_check(const uint8_t *appendage, uint32_t length) noexcept nogil:
    """``CHECK_OK`` where whole tags fill ``length`` bytes exactly, otherwise ``CHECK_LENGTH``."""
    cdef uint32_t at = 0
    cdef uint32_t size = 0
    cdef uint8_t tag = 0
    while appendage_next(appendage, length, &at, &tag, &size) != NULL:
        pass
    return CHECK_OK if at == length else CHECK_LENGTH


cdef inline const uint8_t *appendage_find(const uint8_t *appendage, uint32_t length, uint8_t number,
                                          uint32_t *size) noexcept nogil:
    """The value of the first tag of that number and its size in bytes; NULL where there is none.

    A tag that is cut ends the search. A value may have another size than the table gives.
    """
    cdef uint32_t at = 0
    cdef uint8_t tag = 0
    cdef const uint8_t *value = appendage_next(appendage, length, &at, &tag, size)
    while value != NULL and tag != number:
        value = appendage_next(appendage, length, &at, &tag, size)
    return value


cdef inline const uint8_t *appendage_value(const uint8_t *appendage, uint32_t length,
                                           uint8_t number, uint32_t size) noexcept nogil:
    """The value of the first tag of that number, if it has exactly ``size`` bytes; else NULL."""
    cdef uint32_t found = 0
    cdef const uint8_t *value = appendage_find(appendage, length, number, &found)
    return value if value != NULL and found == size else NULL
