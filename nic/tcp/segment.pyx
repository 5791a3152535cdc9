# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# SPDX-License-Identifier: Apache-2.0
"""TCP segments put together, for Python tools and tests."""

from libc.string cimport memcpy, memset

from nic.frame import address_number


def build_tcp(const uint8_t[::1] payload not None, str source_address not None,
              int source_port, str destination_address not None, int destination_port, *,
              uint32_t sequence_number, uint32_t acknowledgment_number, int window=65535,
              timestamps=None, bytes source_hardware=bytes(6), bytes destination_hardware=bytes(6),
              int vlan=0, int time_to_live=64, int type_of_service=0, bint dont_fragment=True,
              int identification=0):
    """An Ethernet frame with one TCP segment, flags PSH and ACK, and real checksums.

    ``window`` is the number in the header; ``timestamps`` the pair value and echo of the option,
    ``None`` leaves it out. Raises ``ValueError`` where the payload is too long.
    """
    cdef TcpPath path
    cdef TcpNumbers numbers
    cdef uint8_t frame[SEGMENT_LONGEST]
    cdef uint32_t length
    if len(source_hardware) != 6 or len(destination_hardware) != 6:
        raise ValueError("a hardware address has six bytes")
    memset(&path, 0, sizeof(path))
    memset(&numbers, 0, sizeof(numbers))
    memcpy(path.source_hardware, <const uint8_t *> source_hardware, 6)
    memcpy(path.destination_hardware, <const uint8_t *> destination_hardware, 6)
    path.source_address = address_number(source_address)
    path.destination_address = address_number(destination_address)
    path.source_port = source_port
    path.destination_port = destination_port
    path.vlan = vlan
    path.time_to_live = time_to_live
    path.type_of_service = type_of_service
    path.dont_fragment = dont_fragment
    path.has_timestamps = timestamps is not None
    if timestamps is not None:
        numbers.timestamp, numbers.timestamp_echo = timestamps
    numbers.sequence_number = sequence_number
    numbers.acknowledgment_number = acknowledgment_number
    numbers.window = window
    numbers.identification = identification
    length = segment_build(frame, SEGMENT_LONGEST, &path, &numbers,
                           &payload[0] if payload.shape[0] else NULL,
                           <uint32_t> payload.shape[0])
    if length == 0:
        raise ValueError(f"{payload.shape[0]} bytes do not fit a frame")
    return frame[:length]
