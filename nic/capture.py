# SPDX-License-Identifier: Apache-2.0
"""What kind of recording a file is, told by its bytes."""

from __future__ import annotations

from os import PathLike
from typing import Literal

from nic.byte_source import ByteSource
from nic.capture_reader import PCAP_MAGICS, PCAPNG_MAGIC
from nic.wire.binaryfile import BINARYFILE, END_OF_SESSION_LENGTH
from nic.wire.itch50 import ITCH50
from nic.wire.reference import WireError, classify

CaptureKind = Literal["pcap", "pcapng", "binary_file"]

MESSAGES_LOOKED_AT = 32
HEAD_BYTES = 4096


def capture_kind(path: str | PathLike[str]) -> CaptureKind:
    """Whether ``path`` is a pcap, a pcapng or a BinaryFILE of ITCH 5.0 messages, plain or gzipped.

    Raises ``OSError`` where it can't be read, ``ValueError`` where it is none of these.
    """
    source = ByteSource(path)
    head = source.head(HEAD_BYTES)
    source.close()
    if head[:4] in PCAP_MAGICS:
        return "pcap"
    if head[:4] == PCAPNG_MAGIC:
        return "pcapng"
    if is_binary_file(head):
        return "binary_file"
    raise ValueError(f"{path}: neither pcap, pcapng nor BinaryFILE of ITCH 5.0 messages")


def is_binary_file(head: bytes) -> bool:
    """Whether a file that begins with ``head`` holds ITCH 5.0 messages behind their lengths."""
    prefix = BINARYFILE["block"].length
    at = 0
    for looked in range(MESSAGES_LOOKED_AT):
        length = int.from_bytes(head[at : at + prefix], "big")
        message = head[at + prefix : at + prefix + length]
        if len(head) < at + prefix or len(message) < length:
            return looked > 0
        if length == END_OF_SESSION_LENGTH:
            return looked > 0 or len(head) == prefix
        try:
            classify(ITCH50, message)
        except WireError:
            return False
        at += prefix + length
    return True
