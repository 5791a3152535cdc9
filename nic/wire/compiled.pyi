# SPDX-License-Identifier: Apache-2.0
"""The generated Cython codecs from Python: same results and refusals as nic.wire.reference.

``protocol_name`` is a key of :data:`nic.wire.protocols.PROTOCOLS`. Refusals raise
:class:`nic.wire.reference.WireError`; an unknown protocol, message or direction is a ``KeyError``.
"""

from collections.abc import Mapping

from typing_extensions import Buffer

from nic.wire.reference import Value

def decode(protocol_name: str, data: Buffer, direction: str = "") -> tuple[str, dict[str, Value]]:
    """Decode one message, told by its type code: its name and its fields."""

def decode_as(protocol_name: str, name: str, data: Buffer) -> dict[str, Value]:
    """Decode bytes known to be the message or header ``name``."""

def encode(protocol_name: str, name: str, values: Mapping[str, Value]) -> bytes:
    """Encode a message; absent fields are filled in as the reference does."""

def decode_tags(protocol_name: str, appendage: Buffer) -> dict[str, Value]:
    """Decode an appendage into tag name and value."""

def encode_tags(protocol_name: str, values: Mapping[str, Value]) -> bytes:
    """Encode option tags by name, in the order of ``values``."""

def find_tag(appendage: Buffer, number: int) -> bytes | None:
    """The value of the first option tag of that number, ``None`` where there is none."""
