# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence
from typing import Any

from host.strategy.strategy import FastStrategy, Orders

EVENT_NAMES: tuple[str, ...]

class TopOfBook:
    index: int
    symbol: str
    bid_price: int
    bid_shares: int
    ask_price: int
    ask_shares: int
    last_price: int
    timestamp: int
    trading_state: str
    book_state: int

class Strategy:
    orders: Orders
    def on_start(self) -> None: ...
    def on_book(self, top: TopOfBook) -> None: ...
    def on_trade(self, symbol: str, price: int, shares: int) -> None: ...
    def on_order(self, event: dict[str, Any]) -> None: ...
    def on_timer(self, t_ns: int) -> None: ...
    def on_stop(self) -> None: ...
    def report(self) -> dict[str, Any]: ...

class PythonStrategy(FastStrategy):
    error: str | None
    def __init__(self, strategy: Strategy, symbols: Sequence[str] = ()) -> None: ...
