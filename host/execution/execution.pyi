# SPDX-License-Identifier: Apache-2.0
from host.interfaces import IntentSink, OrderEntry
from host.metrics.stages import StageClock

class Execution(IntentSink):
    def __init__(
        self, gate: OrderEntry, symbol_capacity: int, stages: StageClock | None = None
    ) -> None: ...
    def set_venue(self, symbol_index: int | None, venue: int) -> None: ...
    def counters(self) -> dict[str, int]: ...
