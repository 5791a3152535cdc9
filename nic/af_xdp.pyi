# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterable

from nic.port import Port
from nic.xdp_program import XdpProgram

class AfXdpPort(Port):
    interface: str
    queue: int
    def __init__(
        self,
        interface: str,
        *,
        destinations: Iterable[tuple[str, int]] = (),
        program: XdpProgram | None = None,
        queue: int = 0,
        driver_mode: str = "best",
        copy_mode: str = "best",
        receive_frames: int = 2048,
        transmit_frames: int = 1024,
        chunk_bytes: int = 0,
        stamps: bool = True,
        join: bool = True,
        huge_pages: bool = True,
        busy_poll_us: int = 0,
        busy_poll_budget: int = 64,
        transmit_budget: int = 256,
        bind_seconds: float = 2.0,
        name: str = "",
    ) -> None: ...
    def frames_accounted(self) -> dict[str, dict[str, int]]: ...
    def shared_program(self) -> XdpProgram | None: ...
