# SPDX-License-Identifier: Apache-2.0
from nic.verbs.device import VerbsDevice

class QueuePair:
    device: VerbsDevice
    depth: int
    inline_bytes: int
    signal_every: int
    status: int
    post_error: int
    doorbells: int
    completions: int
    strange: int
    full: int
    stamps: bool
    def __init__(
        self,
        device: VerbsDevice,
        kind: str,
        *,
        depth: int = 256,
        receives: int = 0,
        inline_bytes: int = 0,
        signal_every: int = 32,
        stamps: bool = False,
    ) -> None: ...
    def start_raw(self) -> None: ...
    def connect(
        self,
        gid_index: int,
        own_psn: int,
        peer_number: int,
        peer_psn: int,
        peer_gid: bytes,
        mtu_bytes: int,
    ) -> None: ...
    def number(self) -> int: ...
    def reason(self) -> str: ...
    def forget(self) -> None: ...
    def drain(self) -> None: ...
    def close(self) -> None: ...
