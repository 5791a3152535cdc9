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
    found = COMPILED.get(kind) or named_class(kind)
    try:
        if issubclass(found, FastStrategy):
            return found(symbols, symbol_capacity=symbol_capacity, **parameters)
        return PythonStrategy(found(**parameters), symbols)
    except Exception as error:  # somebody else's class may raise anything
        raise ValueError(f"strategy {kind}: {first_line(error)}") from None


def first_line(error: Exception) -> str:
    """What an exception says, in one line; its type where it says nothing."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def named_class(kind: str) -> type[Strategy] | type[FastStrategy]:
    """The class that ``module:Class`` names; raises ``ValueError`` in one line."""
    module_name, colon, class_name = kind.partition(":")
    if not colon:
        known = ", ".join(COMPILED)
        raise ValueError(f"no strategy {kind!r}: name one of {known}, or module:Class")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:  # as may a module that is imported
        raise ValueError(f"strategy {kind}: {first_line(error)}") from None
    if not isinstance(found, type) or not issubclass(found, Strategy | FastStrategy):
        raise ValueError(f"strategy {kind}: {class_name} is no Strategy")
    return found
