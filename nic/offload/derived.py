# SPDX-License-Identifier: Apache-2.0
"""What a gate works out of its limits once, when they are set, so that no order waits for it.

Software and gateware use the same values; a gate in gateware gets them with its limits.
"""

from __future__ import annotations

from dataclasses import dataclass

from nic.offload.limits import PRICE_BITS, QUANTITY_BITS, Limits

INTERVAL_BITS = 30
TOLERANCE_BITS = 46
CREDIT_ALERT_TENTHS = 7
"""Part of the credit limit above which each order raises the alert."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket in nanoseconds: kept as the time at which it will be full again.

    A token is there while that time is at most ``tolerance_ns`` ahead; taking it moves the time
    ``interval_ns`` on from the later of it and now. Integer additions only.
    """

    interval_ns: int
    """Time in which one token comes back, rounded up: never faster than the rate; 30 bits."""
    tolerance_ns: int
    """How far ahead of its time a message may be: the burst beyond one token; 46 bits."""
    is_closed: bool
    """Nothing passes at all."""


def bucket(rate_per_second: int, burst: int) -> Bucket:
    """The bucket of a rate and a burst; without either it is closed."""
    interval = -(-1_000_000_000 // rate_per_second) if rate_per_second else 0
    return Bucket(interval, max(burst - 1, 0) * interval, rate_per_second == 0 or burst == 0)


@dataclass(frozen=True, slots=True)
class Divisor:
    """Tells multiples of a number without a division.

    ``value`` (``bits`` wide) is a multiple when ``value * inverse`` modulo ``2 ** bits``, rotated
    right by ``shift``, is at most ``bound``. Source: Granlund and Montgomery, "Division by
    Invariant Integers using Multiplication" (1994), section 9: with an odd part's inverse the
    multiples of the divisor, and only they, go to the quotients 0 to ``bound``.
    """

    bits: int
    inverse: int
    """Of the divisor's odd part, modulo ``2 ** bits``."""
    shift: int
    """How often two divides the divisor."""
    bound: int
    """The greatest quotient: ``(2 ** bits - 1) // divisor``."""

    def divides(self, value: int) -> bool:
        """Whether ``value`` (1 to ``2 ** bits - 1``) is a multiple, as gateware finds it."""
        mask = (1 << self.bits) - 1
        product = value * self.inverse & mask
        return (product >> self.shift | product << self.bits - self.shift & mask) <= self.bound


def divisor(number: int, bits: int) -> Divisor:
    """The test for multiples of ``number``; nothing is a multiple of 0."""
    if number == 0:
        return Divisor(bits, 1, 0, 0)
    shift = (number & -number).bit_length() - 1
    inverse = pow(number >> shift, -1, 1 << bits)
    return Divisor(bits, inverse, shift, ((1 << bits) - 1) // number)


def lot(limits: Limits) -> Divisor:
    """The test of the open shares."""
    return divisor(limits.lot_size_shares, QUANTITY_BITS)


def tick(limits: Limits) -> Divisor:
    """The test of the price."""
    return divisor(limits.tick_size_price_units, PRICE_BITS)


def session_bucket(limits: Limits) -> Bucket:
    """The message rate of each session; of the default set."""
    return bucket(limits.message_rate_per_second, limits.message_burst)


def symbol_bucket(limits: Limits) -> Bucket:
    """The message rate of the set's symbol."""
    return bucket(limits.symbol_message_rate_per_second, limits.symbol_message_burst)


def strategy_bucket(limits: Limits) -> Bucket:
    """The message rate of each strategy; of the default set."""
    return bucket(limits.strategy_message_rate_per_second, limits.strategy_message_burst)


def credit_alert_above(limits: Limits) -> int:
    """Credit in use above which the alert is raised: 70 % of the limit, rounded down; 62 bits."""
    return limits.maximum_credit * CREDIT_ALERT_TENTHS // 10
