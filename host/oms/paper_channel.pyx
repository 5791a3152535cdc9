# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A channel to nowhere that remembers what it was given.

For dry runs: strategies, gate and order management work as they do live, and nothing leaves.
"""

from libc.stdlib cimport calloc, free


cdef class PaperChannel(OrderChannel):
    """Takes every order while ``is_open``; keeps the latest ``capacity`` of them."""

    def __cinit__(self, uint32_t capacity=4096):
        if capacity == 0:
            raise ValueError("capacity must be at least 1")
        self.orders = <PaperOrder *> calloc(capacity, sizeof(PaperOrder))
        if self.orders == NULL:
            raise MemoryError("oms: no memory for the paper orders")
        self.capacity = capacity
        self.is_open = True

    def __dealloc__(self):
        free(self.orders)

    cdef bint ready(self) noexcept nogil:
        return self.is_open

    cdef int send(self, const PassedOrder *passed, uint32_t user_ref_num, uint64_t symbol,
                  uint64_t t_ns) noexcept nogil:
        cdef PaperOrder *place
        if not self.is_open:
            return -1
        place = &self.orders[self.count % self.capacity]
        place.passed = passed[0]
        place.symbol = symbol
        place.t_ns = t_ns
        place.user_ref_num = user_ref_num
        self.count += 1
        return 0

    def sent(self):
        """What was sent, oldest first: the request's fields, its pass number and time, as dicts.

        ``user_ref_num`` is the number sent, ``names`` the order that a replace or cancel names.
        """
        first = self.count - self.capacity if self.count > self.capacity else 0
        found = []
        for i in range(first, self.count):
            order = self.orders[i % self.capacity]
            request = order["passed"]["request"]
            found.append({
                **request,
                "names": request["user_ref_num"],
                "user_ref_num": order["user_ref_num"],
                "pass_number": order["passed"]["pass_number"],
                "seal": order["passed"]["seal"],
                "symbol": order["symbol"],
                "t_ns": order["t_ns"],
            })
        return found
