# SPDX-License-Identifier: Apache-2.0
"""Strategies by the name that a configuration gives: a compiled one, or ``module:Class``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence

from host.strategy.imbalance_taker import ImbalanceTaker
from host.strategy.market_maker import MarketMaker
from host.strategy.python_strategy import PythonStrategy, Strategy
from host.strategy.strategy import FastStrategy

COMPILED: dict[str, type[FastStrategy]] = {
    "market_maker": MarketMaker,
    "imbalance_taker": ImbalanceTaker,
}


def make(
    kind: str,
    symbols: Sequence[str],
    parameters: Mapping[str, int | str | bool],
    symbol_capacity: int,
) -> FastStrategy:
    """Make a strategy; raises ``ValueError`` in one line for a kind or parameter that is none."""
    try:
        if kind in COMPILED:
            return COMPILED[kind](symbols, symbol_capacity=symbol_capacity, **parameters)
        found = named_class(kind)
        if issubclass(found, FastStrategy):  # somebody's own compiled one
            return found(symbols, symbol_capacity=symbol_capacity, **parameters)
        return PythonStrategy(found(**parameters), symbols)
    except TypeError as error:
        raise ValueError(f"strategy {kind}: {error}") from None


def named_class(kind: str) -> type[Strategy] | type[FastStrategy]:
    """The class that ``module:Class`` names; raises ``ValueError`` in one line."""
    module_name, colon, class_name = kind.partition(":")
    if not colon:
        known = ", ".join(COMPILED)
        raise ValueError(f"no strategy {kind!r}: name one of {known}, or module:Class")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"strategy {kind}: {error}") from None
    if not isinstance(found, type) or not issubclass(found, Strategy | FastStrategy):
        raise ValueError(f"strategy {kind}: {class_name} is no Strategy")
    return found
