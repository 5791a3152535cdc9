# SPDX-License-Identifier: Apache-2.0
from typing import Any

Octets = bytes | bytearray | memoryview

def address_text(address: int) -> str: ...
def address_number(text: str) -> int: ...
def parse_udp(frame: Octets) -> tuple[str, dict[str, Any] | None]: ...
def parse_tcp(frame: Octets) -> tuple[str, dict[str, Any] | None]: ...
def build_udp(
    payload: Octets,
    source_address: str,
    source_port: int,
    destination_address: str,
    destination_port: int,
    *,
    source_hardware: bytes = ...,
    destination_hardware: bytes | None = None,
    vlan: int = 0,
    time_to_live: int = 64,
    identification: int = 0,
) -> bytes: ...
def multicast_hardware(group: str) -> bytes | None: ...
