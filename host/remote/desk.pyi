# SPDX-License-Identifier: Apache-2.0
"""The order desk: takes the requests of strategy hosts to the feed host's own risk gate."""

from typing import Any

from host.oms.oms import OrderManager
from host.remote.seat import Seat
from host.risk.gate import RiskGate
from host.strategy.strategy import FastStrategy

class OrderDesk(FastStrategy):
    seats: list[Seat]
    servers: list[Any]
    silence_ns: int
    cancels_on_disconnect: bool
    turned_away: int
    def __init__(
        self,
        gate: RiskGate,
        oms: OrderManager,
        first_strategy_id: int,
        *,
        hosts: int = 4,
        silence_ns: int = 2_000_000_000,
        cancels_on_disconnect: bool = True,
    ) -> None: ...
    def serve(self, server: Any) -> None: ...
    def joined(self, line: Any) -> bool: ...
    def parted(self, line: Any, why: str) -> None: ...
    def service(self, t_ns: int) -> None: ...
    def take_news(self) -> list[dict[str, Any]]: ...
    def take(self, t_ns: int) -> None: ...
    def close(self) -> None: ...
