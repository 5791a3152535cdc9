# SPDX-License-Identifier: Apache-2.0
from typing import Any

from nic.tcp.delegated_stream import DelegatedStream

def watch(
    packet_descriptor: int,
    stream_descriptor: int,
    port: int,
    seen: Any,
    idle_seconds: float,
    ns_per_tick: float,
) -> None: ...
def send_each(
    stream: DelegatedStream,
    path: str,
    seen: Any,
    first: int,
    ticks: Any,
    call_ticks: Any,
    payload_bytes: int,
    lost_seconds: float,
    ns_per_tick: float,
) -> int: ...
