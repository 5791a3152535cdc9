# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The limits as the gate reads them: one row per symbol, one for the sums over all symbols.

What follows from a set of limits (``nic/offload/derived.py``) is worked out when it is set.
"""

from libc.stdlib cimport calloc, free

from nic.offload import derived
from nic.offload.limits import SCOPE_SYMBOL, Limits, limits_of_scope

if len(limits_of_scope(SCOPE_SYMBOL)) != SYMBOL_LIMITS:
    raise ImportError("host.risk: the limits of a symbol do not come first in the table")


cdef TokenRate token_rate(bucket):
    """The C form of a bucket."""
    cdef TokenRate rate
    rate.interval_ns = 0 if bucket.is_closed else bucket.interval_ns
    rate.tolerance_ns = bucket.tolerance_ns
    return rate


cdef Divisor divisor(number):
    """The C form of the test for multiples."""
    cdef Divisor found
    test = derived.divisor(number, 32)
    found.inverse = test.inverse
    found.bound = test.bound
    found.shift = test.shift
    return found


cdef SymbolLimits symbol_limits(limits):
    """The row of a symbol."""
    cdef SymbolLimits row
    cdef int i
    values = limits.values()
    for i in range(SYMBOL_LIMITS):
        row.values[i] = values[i]
    row.rate = token_rate(derived.symbol_bucket(limits))
    row.lot = divisor(limits.lot_size_shares)
    row.tick = divisor(limits.tick_size_price_units)
    return row


cdef class LimitRows:
    """Limits by symbol; ``symbol_capacity``: how many symbols there are rows for."""

    def __cinit__(self, uint32_t symbol_capacity):
        self.symbol_capacity = symbol_capacity
        self.of_symbols = {}
        self.rows = <SymbolLimits *> calloc(symbol_capacity, sizeof(SymbolLimits))
        if self.rows == NULL:
            raise MemoryError("risk: no memory for the limits")

    def __dealloc__(self):
        free(self.rows)

    def set(self, symbol_index, limits, uint64_t sequence_number):
        """Put a whole set in force: of one symbol, or for ``None`` of all the others.

        ``sequence_number`` counts up over all sets. Raises ``TypeError`` for what are no limits,
        ``ValueError`` for a number that is not above the last or when the default set is missing,
        ``IndexError`` for an unknown symbol; then nothing changed.
        """
        cdef SymbolLimits row
        cdef int i
        cdef uint32_t index
        if not isinstance(limits, Limits):
            raise TypeError("limits are a nic.offload.limits.Limits")
        if sequence_number <= self.sequence_number:
            raise ValueError(f"limits {sequence_number} came after {self.sequence_number}")
        row = symbol_limits(limits)
        if symbol_index is None:
            self.default = limits
            for i, value in enumerate(limits.values()):
                self.gate.values[i] = value
            self.gate.session_rate = token_rate(derived.session_bucket(limits))
            self.gate.strategy_rate = token_rate(derived.strategy_bucket(limits))
            self.gate.credit_alert_above = derived.credit_alert_above(limits)
            for index in range(self.symbol_capacity):
                if index not in self.of_symbols:
                    self.rows[index] = row
            self.were_set = True
        else:
            if not self.were_set:
                raise ValueError("the default limits come first")
            if not 0 <= symbol_index < self.symbol_capacity:
                raise IndexError(f"no symbol {symbol_index}")
            self.of_symbols[symbol_index] = limits
            self.rows[<uint32_t> symbol_index] = row
        self.sequence_number = sequence_number

    def get(self, symbol_index=None):
        """The set in force for a symbol, or the default one; ``None`` before the first."""
        return self.of_symbols.get(symbol_index, self.default)
