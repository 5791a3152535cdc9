# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence

from host.strategy.strategy import FastStrategy

class ImbalanceTaker(FastStrategy):
    def __init__(
        self,
        symbols: Sequence[str] = (),
        *,
        symbol_capacity: int = 65536,
        quantity_shares: int = 100,
        ratio: int = 4,
        maximum_position_shares: int = 1000,
        cooldown_ns: int = 10_000_000,
    ) -> None: ...
