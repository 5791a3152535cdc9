# SPDX-License-Identifier: Apache-2.0
Octets = bytes | bytearray | memoryview

def build_tcp(
    payload: Octets,
    source_address: str,
    source_port: int,
    destination_address: str,
    destination_port: int,
    *,
    sequence_number: int,
    acknowledgment_number: int,
    window: int = 65535,
    timestamps: tuple[int, int] | None = None,
    source_hardware: bytes = ...,
    destination_hardware: bytes = ...,
    vlan: int = 0,
    time_to_live: int = 64,
    type_of_service: int = 0,
    dont_fragment: bool = True,
    identification: int = 0,
) -> bytes: ...
