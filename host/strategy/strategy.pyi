# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable, Sequence
from typing import Any, Literal

from host.interfaces import IntentSink

TIMES_IN_FORCE: dict[str, int]

class Orders:
    t_ns: int
    def __init__(
        self,
        execution: IntentSink,
        strategy_id: int,
        symbols: Callable[[str], int] | None = None,
    ) -> None: ...
    def buy(
        self,
        symbol: str | int,
        quantity: int,
        price: int,
        *,
        time_in_force: Literal["day", "ioc"] = "day",
        post_only: bool = False,
        twap_seconds: float | None = None,
        slices: int = 10,
    ) -> int: ...
    def sell(
        self,
        symbol: str | int,
        quantity: int,
        price: int,
        *,
        time_in_force: Literal["day", "ioc"] = "day",
        post_only: bool = False,
        twap_seconds: float | None = None,
        slices: int = 10,
    ) -> int: ...
    def replace(
        self,
        handle: int,
        side: Literal["B", "S"],
        symbol: str | int,
        quantity: int,
        price: int,
        *,
        post_only: bool = False,
    ) -> int: ...
    def cancel(self, handle: int, symbol: str | int) -> int: ...
    def counters(self) -> dict[str, int]: ...

class FastStrategy:
    orders: Orders
    def __init__(self, symbols: Sequence[str] = (), **parameters: Any) -> None: ...
    def report(self) -> dict[str, Any]: ...
