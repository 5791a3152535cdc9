# SPDX-License-Identifier: Apache-2.0
from host.engine import Engine
from host.gateway.ouch import OuchChannel
from nic.binary_file import BinaryFile
from nic.port import Port

class Counterparty: ...

class CaptureLoop:
    last_ns: int
    packets: int
    def __init__(
        self,
        engine: Engine,
        *,
        counterparty: Counterparty | None = None,
        channel: OuchChannel | None = None,
        timer_interval_ns: int = 1_000_000,
        stamps: bool = False,
        settle_by_burst: bool = False,
    ) -> None: ...
    def run_port(self, port: Port, limit: int) -> int: ...
    def run_messages(self, file: BinaryFile, limit: int) -> int: ...
