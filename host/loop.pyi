# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence

from host.engine import Engine
from host.gateway.ouch import OuchChannel
from host.interfaces import RequestSink
from host.remote.desk import OrderDesk
from nic.clock import Clock
from nic.port import Port

class PortRequests(RequestSink):
    def __init__(self, port: Port) -> None: ...

class Loop:
    clock: Clock
    rounds: int
    busy_rounds: int
    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        lines: Sequence[Port],
        *,
        recovery: Port | None = None,
        venues: Sequence[OuchChannel] = (),
        desk: OrderDesk | None = None,
        spin: bool = True,
        timer_interval_ns: int = 1_000_000,
        poll_interval_ns: int = 20_000,
    ) -> None: ...
    def run(self, nanoseconds: int) -> None: ...
    def report(self) -> dict[str, int]: ...
