# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence

from host.strategy.strategy import FastStrategy

class MarketMaker(FastStrategy):
    def __init__(
        self,
        symbols: Sequence[str] = (),
        *,
        symbol_capacity: int = 65536,
        quantity_shares: int = 100,
        tick: int = 100,
        maximum_position_shares: int = 1000,
        minimum_interval_ns: int = 1_000_000,
    ) -> None: ...
