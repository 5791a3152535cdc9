# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The limits as the gate reads them: one row per symbol, one for the sums over all symbols."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t
from nic.offload.ids cimport LIMIT_COUNT, LIMIT_ENABLED_CHECKS, LIMIT_MAXIMUM_GROSS_NOTIONAL

cdef enum:
    SYMBOL_LIMITS = LIMIT_MAXIMUM_GROSS_NOTIONAL   # those of a symbol come first in the table

cdef struct Divisor:               # tells multiples; see nic/offload/derived.py, 32 bits
    uint32_t inverse
    uint32_t bound
    uint32_t shift

cdef struct TokenRate:             # of token buckets; an interval of 0 lets nothing pass
    uint64_t interval_ns
    uint64_t tolerance_ns

cdef struct SymbolLimits:          # indices are LIMIT_* of nic/offload/ids.pxd
    int64_t values[LIMIT_MAXIMUM_GROSS_NOTIONAL]
    TokenRate rate
    Divisor lot
    Divisor tick

cdef struct GateLimits:            # the default set
    int64_t values[LIMIT_COUNT]
    TokenRate session_rate
    TokenRate strategy_rate
    int64_t credit_alert_above


@cython.final
cdef class LimitRows:
    cdef SymbolLimits *rows        # one per symbol
    cdef GateLimits gate
    cdef uint32_t symbol_capacity
    cdef bint were_set             # the default set was given
    cdef uint64_t sequence_number
    cdef object default
    cdef dict of_symbols

cdef inline bint is_enabled(const SymbolLimits *limits, int reason) noexcept nogil:
    """Whether the check against new risk with this reason is made."""
    return limits.values[LIMIT_ENABLED_CHECKS] >> reason & 1

cdef inline bint is_multiple(const Divisor *divisor, uint32_t value) noexcept nogil:
    """Whether a value above 0 is a multiple of the divisor."""
    cdef uint32_t product = value * divisor.inverse
    return (product >> divisor.shift | product << (-divisor.shift & 31)) <= divisor.bound

cdef inline bint has_token(const TokenRate *rate, uint64_t next_ns, uint64_t t_ns) noexcept nogil:
    """Whether a bucket that will be full at ``next_ns`` holds a token."""
    return (rate.interval_ns != 0) & (t_ns + rate.tolerance_ns >= next_ns)

cdef inline void take_token(const TokenRate *rate, uint64_t *next_ns,
                            uint64_t t_ns) noexcept nogil:
    """Take a token if there is one; what reduces risk passes without."""
    if has_token(rate, next_ns[0], t_ns):
        next_ns[0] = max(next_ns[0], t_ns) + rate.interval_ns
