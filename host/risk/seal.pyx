# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A keyed 64-bit mix over a passed order: only what the gate passed can be encoded.

The gate holds a :class:`Seal` and fills ``PassedOrder.seal``; the order-entry encoder holds a
:class:`SealChecker` with the same key and refuses an order whose seal does not fit. The key is
drawn per process by whoever builds the engine and never enters a decision or a byte on the wire.
The seal stops an order that went around the gate or was changed behind it; it is no defence
against code in the same process that means harm.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from host.model cimport OrderRequest, PassedOrder, TIME_IN_FORCE_DAY

cdef extern from *:
    """
    #include <stdint.h>
    static inline uint64_t tw_fold_multiply(uint64_t a, uint64_t b)
    {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    """
    uint64_t tw_fold_multiply(uint64_t a, uint64_t b) noexcept nogil

if sizeof(OrderRequest) != 32:
    raise ImportError("host.risk.seal: OrderRequest has fields that the seal does not cover")


cdef inline uint64_t mix(uint64_t first_key, uint64_t second_key,
                         const PassedOrder *passed) noexcept nogil:
    """The seal of an order; never 0, so that a zeroed struct is never sealed."""
    cdef const OrderRequest *request = &passed.request
    cdef uint64_t letters = (
        <uint64_t> request.action | <uint64_t> request.side << 8
        | <uint64_t> request.time_in_force << 16 | <uint64_t> request.post_only << 24
        | <uint64_t> request.strategy_id << 32 | <uint64_t> request.venue << 48)
    cdef uint64_t sizes = <uint64_t> request.symbol_index | <uint64_t> request.quantity << 32
    cdef uint64_t links = <uint64_t> request.user_ref_num | <uint64_t> request.parent << 32
    cdef uint64_t state = tw_fold_multiply(letters ^ first_key, sizes ^ second_key)
    state = tw_fold_multiply(state ^ links ^ second_key, <uint64_t> request.price ^ first_key)
    state = tw_fold_multiply(state ^ first_key, passed.pass_number ^ second_key)
    return state if state != 0 else 1


cdef class SealChecker:
    """Says whether the gate sealed an order; made with the key of the gate (an int, 128 bits)."""

    def __init__(self, key: int) -> None:
        if not 0 < key < 1 << 128:
            raise ValueError("the key of a seal is an integer of 1 to 128 bits, not 0")
        # odd halves: a zero word can't wipe out the product
        self.first_key = <uint64_t> (key & 0xFFFFFFFFFFFFFFFF) | 1
        self.second_key = <uint64_t> (key >> 64) ^ <uint64_t> 0x9E3779B97F4A7C15 | 1

    cdef bint valid(self, const PassedOrder *passed) noexcept nogil:
        """Whether the seal fits every field of the request and the pass number."""
        return passed.seal == mix(self.first_key, self.second_key, passed)

    def is_valid(self, passed: bytes) -> bool:
        """Whether the bytes of a ``PassedOrder`` carry the seal that fits them."""
        cdef PassedOrder order
        if len(passed) != sizeof(order):
            raise ValueError(f"a passed order has {sizeof(order)} bytes, not {len(passed)}")
        memcpy(&order, <const char *> passed, sizeof(order))
        return self.valid(&order)


cdef class Seal(SealChecker):
    """Makes seals; only the risk gate holds one."""

    cdef uint64_t compute(self, const PassedOrder *passed) noexcept nogil:
        """The seal over the request and the pass number; never 0."""
        return mix(self.first_key, self.second_key, passed)

    def passed_order(self, *, uint64_t pass_number, uint8_t action, uint8_t side, uint32_t quantity,
                     int64_t price, uint8_t time_in_force=TIME_IN_FORCE_DAY, bint post_only=False,
                     uint16_t strategy_id=0, uint16_t venue=0, uint32_t symbol_index=0,
                     uint32_t user_ref_num=0, uint32_t parent=0) -> bytes:
        """A sealed ``PassedOrder`` as the bytes of the struct, for tools that hold the key."""
        cdef PassedOrder passed
        memset(&passed, 0, sizeof(passed))
        passed.request.action = action
        passed.request.side = side
        passed.request.time_in_force = time_in_force
        passed.request.post_only = post_only
        passed.request.strategy_id = strategy_id
        passed.request.venue = venue
        passed.request.symbol_index = symbol_index
        passed.request.quantity = quantity
        passed.request.user_ref_num = user_ref_num
        passed.request.parent = parent
        passed.request.price = price
        passed.pass_number = pass_number
        passed.seal = self.compute(&passed)
        return (<const char *> &passed)[:sizeof(passed)]
