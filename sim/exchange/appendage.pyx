# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Option tags at the end of OUCH 5.0 inbound messages.

Sizes, and which message may carry which tag, come from ``nic/wire/ouch50.py``. A tag that the
table does not know is skipped and counted: a newer revision may send it.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from nic.wire.byteorder cimport load_be16, load_be32, load_be64, load_le32
from sim.exchange.ids cimport (
    OPTION_TAG_CUSTOMER_TYPE, OPTION_TAG_DISCRETION_PRICE, OPTION_TAG_EXPIRE_TIME,
    OPTION_TAG_FIRM, OPTION_TAG_GROUP_ID, OPTION_TAG_MAX_FLOOR, OPTION_TAG_MIN_QTY,
    OPTION_TAG_POST_ONLY, OPTION_TAG_PRICE_TYPE, OPTION_TAG_SIDE, OPTION_TAG_USER_REF_IDX)

from nic.wire.ouch50 import OUCH50

cdef uint8_t sizes[256]
cdef uint64_t allowed[256]       # by inbound message type: bit n for tag n
cdef uint64_t accepted_allowed   # on Order Accepted


def _load_tables():
    cdef int number
    for number in range(256):
        tag = OUCH50.tag(number)
        sizes[number] = tag.value.width if tag else 0
    for message in OUCH50.of("inbound"):
        allowed[message.code] = sum(1 << tag for tag in message.tags)
    return sum(1 << tag for tag in OUCH50["order_accepted"].tags)


accepted_allowed = _load_tables()


cdef int options_parse(const uint8_t *appendage, uint32_t length, uint8_t message_type,
                       Options *options) noexcept nogil:
    """Read the tags of a message; OPTIONS_OK, or what is wrong with them."""
    cdef uint32_t at = 0, size
    cdef uint8_t tag
    cdef const uint8_t *value
    cdef int result = OPTIONS_OK
    memset(options, 0, sizeof(Options))
    while at < length:
        size = appendage[at]
        if size == 0 or at + 1 + size > length:
            return OPTIONS_CUT
        tag = appendage[at + 1]
        value = appendage + at + 2
        at += 1 + size
        if sizes[tag] == 0:
            options.unknown += 1
            continue
        if size - 1 != sizes[tag]:
            result = OPTIONS_WRONG_SIZE
            continue
        if not allowed[message_type] >> tag & 1:
            result = OPTIONS_NOT_ALLOWED
            continue
        options.given |= <uint64_t> 1 << tag
        _keep(tag, value, options)
    return result


cdef inline void _keep(uint8_t tag, const uint8_t *value, Options *options) noexcept nogil:
    if tag == OPTION_TAG_FIRM:
        options.firm = load_le32(value)
    elif tag == OPTION_TAG_MIN_QTY:
        options.min_quantity = load_be32(value)
    elif tag == OPTION_TAG_CUSTOMER_TYPE:
        options.customer_type = value[0]
    elif tag == OPTION_TAG_MAX_FLOOR:
        options.max_floor = load_be32(value)
    elif tag == OPTION_TAG_PRICE_TYPE:
        options.price_type = value[0]
    elif tag == OPTION_TAG_DISCRETION_PRICE:
        options.discretion_price = load_be64(value)
    elif tag == OPTION_TAG_POST_ONLY:
        options.post_only = value[0]
    elif tag == OPTION_TAG_EXPIRE_TIME:
        options.expire_time_seconds = load_be32(value)
    elif tag == OPTION_TAG_GROUP_ID:
        options.group_id = load_be16(value)
    elif tag == OPTION_TAG_SIDE:
        options.side = value[0]
    elif tag == OPTION_TAG_USER_REF_IDX:
        options.user_ref_idx = value[0]


cdef uint32_t options_accepted(const uint8_t *appendage, uint32_t length, uint8_t *out,
                               uint32_t capacity) noexcept nogil:
    """Copy the tags that Order Accepted may carry; the bytes copied. The tags are well-formed."""
    cdef uint32_t at = 0, used = 0, size
    while at < length:
        size = 1 + <uint32_t> appendage[at]
        if (sizes[appendage[at + 1]] and accepted_allowed >> appendage[at + 1] & 1
                and used + size <= capacity):
            memcpy(out + used, appendage + at, size)
            used += size
        at += size
    return used
