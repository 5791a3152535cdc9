# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""What an OUCH 5.0 order must look like to be taken, whatever the market does.

Limit orders in continuous trading are taken: day, IOC, GTX, GTT and after-hours (the last two
letters of these as day orders), displayed, attributed or hidden. Everything else has its reject
reason.

Source: Nasdaq OUCH 5.0, revision 1.04, Enter Order and Replace Order Request.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.model cimport SIDE_BUY, SIDE_SELL, TIME_IN_FORCE_DAY, TIME_IN_FORCE_IOC
from nic.wire.ouch50_codec cimport *
from sim.exchange.appendage cimport Options
from sim.exchange.ids cimport (
    REJECT_REASON_INVALID_CROSS_ORDER, REJECT_REASON_INVALID_DISPLAY,
    REJECT_REASON_INVALID_MAX_FLOOR, REJECT_REASON_INVALID_MIN_QUANTITY,
    REJECT_REASON_INVALID_PRICE, REJECT_REASON_INVALID_QUANTITY, REJECT_REASON_INVALID_SIDE,
    REJECT_REASON_ISO_NOT_ALLOWED, REJECT_REASON_OTHER, REJECT_REASON_PEGGING_NOT_ALLOWED,
    REJECT_REASON_RETAIL_NOT_ALLOWED)

cdef enum:
    MAXIMUM_SHARES = 999_999           # of one order, and of a chain of replaces
    MAXIMUM_PRICE = 0x7735939C         # 199,999.9900
    ONE_DOLLAR = 10_000
    SECONDS_OF_A_DAY = 86_400


cdef uint8_t book_side(uint8_t side) noexcept nogil:
    """Side of the book, 0 for a letter that is no side."""
    if side == SIDE_BUY:
        return SIDE_BUY
    return SIDE_SELL if side == SIDE_SELL or side == b"T" or side == b"E" else 0


cdef bint side_may_become(uint8_t old, uint8_t new) noexcept nogil:
    """Modify and Replace may turn S into E or T, and E into T."""
    return (new == old or (old == SIDE_SELL and (new == b"E" or new == b"T"))
            or (old == b"E" and new == b"T"))


cdef inline bint _quantity_is_valid(uint32_t quantity) noexcept nogil:
    return 0 < quantity <= MAXIMUM_SHARES


cdef inline bint _price_is_valid(uint64_t price, int64_t tick) noexcept nogil:
    if price == 0 or price > MAXIMUM_PRICE:
        return False
    return price < ONE_DOLLAR or price % <uint64_t> tick == 0


cdef inline bint _display_is_valid(uint8_t display) noexcept nogil:
    return display == b"Y" or display == b"N" or display == b"A"


cdef inline bint _is_yes_or_no(uint8_t letter) noexcept nogil:
    return letter == b"Y" or letter == b"N"


cdef inline bint _time_in_force_is_valid(uint8_t letter, const Options *options) noexcept nogil:
    if letter == b"6":
        return 0 < options.expire_time_seconds < SECONDS_OF_A_DAY
    return (letter == TIME_IN_FORCE_DAY or letter == TIME_IN_FORCE_IOC or letter == b"5"
            or letter == b"E")


cdef inline uint16_t _refusal_of_options(const Options *options, uint32_t quantity,
                                         uint8_t time_in_force) noexcept nogil:
    """Reason why these tags can't be honoured, 0 for none."""
    if options.price_type and options.price_type != b"L":
        return REJECT_REASON_PEGGING_NOT_ALLOWED
    if options.max_floor:
        return REJECT_REASON_INVALID_MAX_FLOOR
    # a resting order can't hold back until enough has come
    if options.min_quantity > quantity or (options.min_quantity
                                           and time_in_force != TIME_IN_FORCE_IOC):
        return REJECT_REASON_INVALID_MIN_QUANTITY
    if options.customer_type == b"R":
        return REJECT_REASON_RETAIL_NOT_ALLOWED
    return REJECT_REASON_OTHER if options.discretion_price else 0


cdef uint16_t refusal_of_enter(const uint8_t *m, const Options *options,
                               int64_t tick) noexcept nogil:
    """Reason to reject an Enter Order (already held against its length), 0 for none."""
    cdef uint32_t quantity = ouch50_enter_order_quantity(m)
    cdef uint8_t time_in_force = ouch50_enter_order_time_in_force(m)
    cdef uint8_t capacity = ouch50_enter_order_capacity(m)
    if book_side(ouch50_enter_order_side(m)) == 0:
        return REJECT_REASON_INVALID_SIDE
    if not _quantity_is_valid(quantity):
        return REJECT_REASON_INVALID_QUANTITY
    if not _price_is_valid(ouch50_enter_order_price(m), tick):
        return REJECT_REASON_INVALID_PRICE
    if not _display_is_valid(ouch50_enter_order_display(m)):
        return REJECT_REASON_INVALID_DISPLAY
    if ouch50_enter_order_cross_type(m) != b"N":
        return REJECT_REASON_INVALID_CROSS_ORDER
    if not _is_yes_or_no(ouch50_enter_order_inter_market_sweep_eligibility(m)):
        return REJECT_REASON_ISO_NOT_ALLOWED
    if capacity != b"A" and capacity != b"P" and capacity != b"R" and capacity != b"O":
        return REJECT_REASON_OTHER
    if not _time_in_force_is_valid(time_in_force, options):
        return REJECT_REASON_OTHER
    return _refusal_of_options(options, quantity, time_in_force)


cdef bint replace_is_valid(const uint8_t *m, const Options *options, uint8_t old_side,
                           int64_t tick) noexcept nogil:
    """Whether the details of a Replace (already held against its length) can be taken."""
    cdef uint32_t quantity = ouch50_replace_order_request_quantity(m)
    cdef uint8_t time_in_force = ouch50_replace_order_request_time_in_force(m)
    return (_quantity_is_valid(quantity)
            and _price_is_valid(ouch50_replace_order_request_price(m), tick)
            and _display_is_valid(ouch50_replace_order_request_display(m))
            and _is_yes_or_no(ouch50_replace_order_request_inter_market_sweep_eligibility(m))
            and _time_in_force_is_valid(time_in_force, options)
            and (options.side == 0 or side_may_become(old_side, options.side))
            and _refusal_of_options(options, quantity, time_in_force) == 0)
