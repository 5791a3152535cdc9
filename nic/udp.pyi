# SPDX-License-Identifier: Apache-2.0
from nic.port import Port

Address = tuple[str, int]

class UdpPort(Port):
    def __init__(
        self,
        *,
        bind: Address | None = None,
        group: Address | None = None,
        interface: str | None = None,
        destination: Address | None = None,
        connect: bool = False,
        receive_buffer_bytes: int = ...,
        packet_bytes: int = 2048,
        burst: int = 64,
        busy_poll_us: int = 0,
        time_to_live: int = 1,
        loop: bool = True,
        timestamps: bool = True,
        name: str = "",
    ) -> None: ...
    def set_destination(self, address: str, port: int) -> None: ...
    def send_to(self, data: bytes | bytearray | memoryview, address: str, port: int) -> int: ...
    def receive_from(self, maximum: int = 64) -> list[tuple[bytes, int, str, int]]: ...
    def local_address(self) -> Address: ...
