# SPDX-License-Identifier: Apache-2.0
"""Positions and profit against exact fractions."""

import random
from dataclasses import dataclass
from fractions import Fraction

import pytest

from host.oms.position import Positions

BUY, SELL = ord("B"), ord("S")


@dataclass
class Exact:
    """Average cost in exact fractions."""

    shares: int = 0
    cost: Fraction = Fraction(0)
    realised: Fraction = Fraction(0)
    cash: int = 0
    closings: int = 0

    def execute(self, side, quantity, price):
        sign = 1 if side == BUY else -1
        self.cash -= sign * quantity * price
        closing = min(quantity, max(-sign * self.shares, 0))
        if closing:
            average = self.cost / self.shares
            self.closings += 1
            self.realised += closing * (average - price) * sign
            self.cost += sign * closing * average
            self.shares += sign * closing
        self.cost += sign * (quantity - closing) * price
        self.shares += sign * (quantity - closing)
        if self.shares == 0:
            self.closings = 0


def compare(positions, exact, symbol, mark, message):
    found = positions.position(symbol, mark)
    assert found["position"] == exact.shares, message
    total = exact.cash + exact.shares * mark
    assert found["realised"] + found["unrealised"] == total, message
    assert abs(found["realised"] - exact.realised) <= exact.closings, message
    if exact.shares == 0:
        assert (found["realised"], found["cost"]) == (exact.cash, 0), message


@pytest.mark.parametrize("seed", range(8))
def test_positions_equal_fractions(seed):
    r = random.Random(seed)
    positions = Positions(2, 1000)
    exact = [Exact(), Exact()]
    for step in range(3_000):
        symbol = r.randrange(2)
        side = r.choice((BUY, SELL))
        quantity = r.choice((r.randrange(1, 1_000), abs(exact[symbol].shares) or 1, 999_999))
        price = r.choice((r.randrange(1, 50), r.randrange(1, 2**31)))
        positions.execution(symbol, side, min(quantity, 999_999), price)
        exact[symbol].execute(side, min(quantity, 999_999), price)
        compare(positions, exact[symbol], symbol, r.randrange(1, 2**31), f"{seed=} {step=}")


@pytest.mark.parametrize("seed", range(6))
def test_a_broken_trade_never_was(seed):
    """After breaks the position is what the other executions alone would have made it."""
    r = random.Random(seed)
    ring = 50
    positions = Positions(2, ring)
    history = []
    for match in range(1, 400):
        execution = (
            r.randrange(2),
            r.choice((BUY, SELL)),
            r.randrange(1, 300),
            r.randrange(1, 999),
        )
        positions.execution(*execution, user_ref_num=match % 7, match_number=match)
        history.append((match, execution))
        if r.random() < 0.3:
            number = r.randrange(max(1, match - 80), match + 1)
            known = {m for m, _ in history} & set(range(match - ring + 1, match + 1))
            assert positions.break_execution(number % 7, number) == (number in known), f"{seed=}"
            if number in known:
                history = [entry for entry in history if entry[0] != number]
        other = Positions(2, 1000)
        for _, kept in history:
            other.execution(*kept)
        for symbol in range(2):
            assert positions.position(symbol, 500) == other.position(symbol, 500), (
                f"{seed=} {match=}"
            )


def test_a_broken_trade_is_found_by_order_and_match():
    positions = Positions(1, 10)
    positions.execution(0, BUY, 100, 10, user_ref_num=1, match_number=77)
    positions.execution(0, SELL, 100, 10, user_ref_num=2, match_number=77)
    assert not positions.break_execution(3, 77)
    assert positions.break_execution(2, 77)
    assert not positions.break_execution(2, 77)
    assert positions.position(0)["position"] == 100


def test_average_price_is_the_cost_of_a_share():
    positions = Positions(1, 10)
    positions.execution(0, SELL, 100, 1_000_000)
    positions.execution(0, SELL, 200, 1_030_000)
    found = positions.position(0, mark_price=1_000_000)
    assert found["average_price"] == 1_020_000
    assert found["unrealised"] == 300 * 20_000
    positions.execution(0, BUY, 100, 1_010_000)
    assert positions.position(0)["realised"] == 100 * 10_000


def test_unknown_symbols_are_refused():
    positions = Positions(1, 10)
    with pytest.raises(IndexError):
        positions.execution(1, BUY, 100, 10)
    with pytest.raises(IndexError):
        positions.position(1)
