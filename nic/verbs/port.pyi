# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterable

from nic.port import Port
from nic.verbs.device import VerbsDevice

class VerbsPort(Port):
    interface: str
    device: VerbsDevice
    receive_failures: int
    def __init__(
        self,
        device: str | VerbsDevice,
        *,
        destinations: Iterable[tuple[str, int]] = (),
        port_number: int = 1,
        receive_frames: int = 2048,
        transmit_frames: int = 256,
        chunk_bytes: int = 2048,
        inline_bytes: int = 192,
        signal_every: int = 32,
        stamps: bool = True,
        join: bool = True,
        huge_pages: bool = True,
        name: str = "",
    ) -> None: ...
    def is_broken(self) -> str: ...
    def restart(self) -> None: ...
    def frames_accounted(self) -> dict[str, dict[str, int]]: ...
    def doorbells(self) -> dict[str, int]: ...
