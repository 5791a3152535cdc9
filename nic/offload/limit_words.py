# SPDX-License-Identifier: Apache-2.0
"""What a gate in gateware gets of a set of limits: the limits, and what follows from them.

A word is one field of the gateware's table of limits. Its number is its place in ``WORDS``; the
host writes the words of :func:`words_of` one by one and then puts the set in force.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from nic.offload import derived
from nic.offload.enumerations import GATE
from nic.offload.limits import (
    PRICE_BITS,
    QUANTITY_BITS,
    SCOPE_GATE,
    SCOPE_SYMBOL,
    TOTAL_BITS,
    Limits,
)

BASIS_POINTS = GATE.value("basis_points")
FACTOR_BITS = 15


@dataclass(frozen=True, slots=True)
class Word:
    """A field of the gateware's table of limits, unsigned."""

    name: str
    bits: int
    scope: str
    value: Callable[[Limits], int]


REPLACED = frozenset(
    {
        "lot_size_shares",
        "tick_size_price_units",
        "collar_best_basis_points",
        "collar_last_basis_points",
        "message_rate_per_second",
        "message_burst",
        "symbol_message_rate_per_second",
        "symbol_message_burst",
        "strategy_message_rate_per_second",
        "strategy_message_burst",
    }
)
"""Limits of which the gateware only gets what follows from them."""


def _limit(name: str, bits: int, scope: str) -> Word:
    return Word(name, bits, scope, lambda limits: int(getattr(limits, name)))


def _bucket(prefix: str, scope: str, bucket: Callable[[Limits], derived.Bucket]) -> list[Word]:
    return [
        Word(f"{prefix}_interval_ns", derived.INTERVAL_BITS, scope,
             lambda limits: bucket(limits).interval_ns),
        Word(f"{prefix}_tolerance_ns", derived.TOLERANCE_BITS, scope,
             lambda limits: bucket(limits).tolerance_ns),
        Word(f"{prefix}_is_closed", 1, scope, lambda limits: int(bucket(limits).is_closed)),
    ]  # fmt: skip


def _divisor(prefix: str, bits: int, test: Callable[[Limits], derived.Divisor]) -> list[Word]:
    """A multiple has zeros under the mask, and times the inverse is at most ``highest``."""
    return [
        Word(f"{prefix}_inverse", bits, SCOPE_SYMBOL, lambda limits: test(limits).inverse),
        Word(f"{prefix}_mask", bits, SCOPE_SYMBOL, lambda limits: (1 << test(limits).shift) - 1),
        Word(f"{prefix}_highest", bits, SCOPE_SYMBOL,
             lambda limits: test(limits).bound << test(limits).shift),
    ]  # fmt: skip


def _collar(name: str) -> list[Word]:
    """The reference times these is 10,000 times the furthest price of a buy, and of a sell."""
    source = f"collar_{name}_basis_points"
    return [
        Word(f"collar_{name}_buy_factor", FACTOR_BITS, SCOPE_SYMBOL,
             lambda limits: BASIS_POINTS + getattr(limits, source)),
        Word(f"collar_{name}_sell_factor", FACTOR_BITS, SCOPE_SYMBOL,
             lambda limits: max(BASIS_POINTS - getattr(limits, source), 0)),
    ]  # fmt: skip


WORDS: tuple[Word, ...] = (
    *(
        _limit(entry.name, entry.metadata["bits"], entry.metadata["scope"])
        for entry in fields(Limits)
        if entry.name not in REPLACED
    ),
    *_divisor("lot", QUANTITY_BITS, derived.lot),
    *_divisor("tick", PRICE_BITS, derived.tick),
    *_collar("best"),
    *_collar("last"),
    *_bucket("symbol", SCOPE_SYMBOL, derived.symbol_bucket),
    *_bucket("session", SCOPE_GATE, derived.session_bucket),
    *_bucket("strategy", SCOPE_GATE, derived.strategy_bucket),
    Word("credit_alert_above", TOTAL_BITS, SCOPE_GATE, derived.credit_alert_above),
)


def words_of(limits: Limits) -> tuple[int, ...]:
    """The values of ``WORDS`` for a set of limits; each fits the word's bits."""
    return tuple(word.value(limits) for word in WORDS)


def bits_of_scope(scope: str) -> dict[str, int]:
    """Name to bits of the words of a scope, in order."""
    return {word.name: word.bits for word in WORDS if word.scope == scope}
