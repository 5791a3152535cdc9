# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Positions and profit in integers, and the executions they came from.

A position keeps its shares and what they cost, both signed. An execution of the same side adds to
both. One of the other side closes shares at their average cost: the cost that leaves is rounded
towards zero to a whole unit and the rest stays, so that realised profit is never off by more than
one unit (price unit times share) per closing execution, is exact whenever the position is flat, and
the sum of realised and unrealised profit is exact always.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memset
from host.model cimport SIDE_BUY


cdef inline void apply_execution(Position *position, uint8_t side, uint32_t quantity,
                                 int64_t price) noexcept nogil:
    """Move a position by one execution."""
    cdef int64_t sign = 1 if side == SIDE_BUY else -1
    cdef int64_t held = position.shares * -sign      # shares that it can close
    cdef int64_t cost = position.cost * -sign
    cdef int64_t closing, released
    position.executions += 1
    if side == SIDE_BUY:
        position.bought_shares += quantity
    else:
        position.sold_shares += quantity
    closing = 0
    if held > 0:
        closing = quantity if quantity < held else held
        # cost * closing // held without a product above 64 bits
        released = cost // held * closing + cost % held * closing // held
        position.realised += (released - closing * price) * sign
        position.cost += released * sign
    position.cost += sign * (<int64_t> quantity - closing) * price
    position.shares += sign * <int64_t> quantity


cdef class Positions:
    """Positions of all symbols.

    ``execution_capacity``: executions remembered for trades that are broken later. When one is
    broken, the symbol's position is worked out anew without it, as if it had never happened.
    """

    def __cinit__(self, uint32_t symbol_capacity, uint32_t execution_capacity):
        if symbol_capacity == 0 or execution_capacity == 0:
            raise ValueError("the capacities must be at least 1")
        self.symbol_capacity = symbol_capacity
        self.execution_capacity = execution_capacity
        self.positions = <Position *> calloc(symbol_capacity, sizeof(Position))
        self.settled = <Position *> calloc(symbol_capacity, sizeof(Position))
        self.executions = <Execution *> calloc(execution_capacity, sizeof(Execution))
        if self.positions == NULL or self.settled == NULL or self.executions == NULL:
            raise MemoryError("oms: no memory for the positions")
        memset(self.executions, 0, execution_capacity * sizeof(Execution))  # fault the pages in

    def __dealloc__(self):
        free(self.positions)
        free(self.settled)
        free(self.executions)

    cdef void execute(self, uint32_t symbol_index, uint8_t side, uint32_t quantity, int64_t price,
                      uint32_t user_ref_num, uint64_t match_number) noexcept nogil:
        """Take an execution; the oldest remembered one makes room."""
        cdef Execution *place = &self.executions[self.executions_taken % self.execution_capacity]
        if place.order != 0 and not place.is_broken:
            apply_execution(&self.settled[place.symbol_index], place.side, place.quantity,
                            place.price)
        self.executions_taken += 1
        place.order = self.executions_taken
        place.match_number = match_number
        place.price = price
        place.user_ref_num = user_ref_num
        place.symbol_index = symbol_index
        place.quantity = quantity
        place.side = side
        place.is_broken = False
        apply_execution(&self.positions[symbol_index], side, quantity, price)

    cdef Execution *find(self, uint32_t user_ref_num, uint64_t match_number) noexcept nogil:
        """The execution of an order, unless it was broken or is no longer remembered: then NULL."""
        cdef uint32_t i
        for i in range(self.execution_capacity):
            if (self.executions[i].match_number == match_number
                    and self.executions[i].user_ref_num == user_ref_num
                    and self.executions[i].order != 0 and not self.executions[i].is_broken):
                return &self.executions[i]
        return NULL

    cdef void break_trade(self, Execution *execution) noexcept nogil:
        """Take an execution back. Walks the whole ring: rare, and never on the way of an order."""
        cdef uint64_t number = self.executions_taken
        cdef uint64_t first = 0
        cdef Position *position = &self.positions[execution.symbol_index]
        cdef Execution *other
        execution.is_broken = True
        position[0] = self.settled[execution.symbol_index]
        if number > self.execution_capacity:
            first = number - self.execution_capacity
        while first < number:
            other = &self.executions[first % self.execution_capacity]
            if other.symbol_index == execution.symbol_index and not other.is_broken:
                apply_execution(position, other.side, other.quantity, other.price)
            first += 1

    def execution(self, uint32_t symbol_index, uint8_t side, uint32_t quantity, int64_t price,
                  uint32_t user_ref_num=0, uint64_t match_number=0):
        """Take an execution given by its fields; raises ``IndexError`` for an unknown symbol."""
        if symbol_index >= self.symbol_capacity:
            raise IndexError(symbol_index)
        self.execute(symbol_index, side, quantity, price, user_ref_num, match_number)

    def break_execution(self, uint32_t user_ref_num, uint64_t match_number):
        """Take an execution back; False when it is not remembered."""
        cdef Execution *found = self.find(user_ref_num, match_number)
        if found == NULL:
            return False
        self.break_trade(found)
        return True

    def position(self, uint32_t symbol_index, int64_t mark_price=0):
        """A symbol's position as a dict; raises ``IndexError`` for an unknown symbol.

        ``position`` signed shares, ``cost`` and ``realised`` in price units x shares,
        ``average_price`` the cost of a share rounded down (0 when flat), ``unrealised`` what
        closing at ``mark_price`` would add (0 without a mark), shares and executions counted.
        """
        if symbol_index >= self.symbol_capacity:
            raise IndexError(symbol_index)
        cdef Position *found = &self.positions[symbol_index]
        cdef object shares = found.shares
        unrealised = shares * mark_price - found.cost if shares and mark_price else 0
        return {
            "position": shares,
            "average_price": abs(found.cost) // abs(shares) if shares else 0,
            "cost": found.cost,
            "realised": found.realised,
            "unrealised": unrealised,
            "mark_price": mark_price,
            "bought_shares": found.bought_shares,
            "sold_shares": found.sold_shares,
            "executions": found.executions,
        }
