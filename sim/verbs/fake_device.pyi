# SPDX-License-Identifier: Apache-2.0
from nic.verbs.device import VerbsDevice

STATUSES: dict[str, int]
EVENTS: dict[str, int]

class FakeDevice(VerbsDevice):
    frames: list[bytes]
    rules: dict[int, bytes]
    order: list[str]
    posts: int
    receive_posts: int
    made: int
    inline_limit: int
    has_stamps: bool
    is_active: bool
    refuses_rules: bool
    is_stalled: bool
    send_fault: int
    def __init__(
        self,
        name: str = "fake0",
        *,
        inline_limit: int = 256,
        has_stamps: bool = False,
        interface: str = "",
        address: bytes = ...,
    ) -> None: ...
    def report(self, event: int) -> None: ...
    def remove(self) -> None: ...
    def run(self, count: int = -1) -> None: ...
    def hold_completions(self, hold: bool) -> None: ...
    def reverse_completions(self) -> None: ...
    def overflowed(self) -> bool: ...
    def forge_completion(self, wr_id: int, status: int = 0, *, receive: bool = False) -> None: ...
    def deliver(self, frame: bytes, *, ns: int = 0, status: int = 0) -> int: ...
