# SPDX-License-Identifier: Apache-2.0
"""The engine of a strategy host: events of a followed feed in, order requests out."""

from host.execution.execution import Execution
from host.publish.follower import FeedFollower
from host.remote.remote_gate import RemoteGate
from host.strategy.strategy import FastStrategy
from nic.clock import Clock

class StrategyEngine(FeedFollower):
    clock: Clock
    gate: RemoteGate
    execution: Execution
    is_exhausted: bool
    rounds: int
    busy_rounds: int
    def connect(
        self,
        gate: RemoteGate,
        clock: Clock,
        *,
        spin: bool = True,
        timer_interval_ns: int = 1_000_000,
    ) -> None: ...
    def add_strategy(self, strategy: FastStrategy, strategy_id: int) -> None: ...
    def symbol_index(self, symbol: str) -> int: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def enable_strategies(self, enabled: bool) -> None: ...
    def strategies(self) -> list[FastStrategy]: ...
    def run(self, nanoseconds: int) -> None: ...
