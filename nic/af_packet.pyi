# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterable

from nic.port import Port

class AfPacketPort(Port):
    interface: str
    destinations: tuple[tuple[str, int], ...]
    def __init__(
        self,
        interface: str,
        *,
        destinations: Iterable[tuple[str, int]] = (),
        handover: str = "frame",
        receive_frames: int = 2048,
        transmit_frames: int = 256,
        frame_bytes: int = 0,
        blocks: int = 64,
        block_bytes: int = 65536,
        block_timeout_ms: int = 1,
        sending: str = "call",
        join: bool = True,
        hold: bool = True,
        name: str = "",
    ) -> None: ...
