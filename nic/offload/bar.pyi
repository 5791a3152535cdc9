# SPDX-License-Identifier: Apache-2.0
"""Types of :mod:`nic.offload.bar`."""

from os import PathLike

from nic.offload.device import OffloadDevice

class BarError(OSError):
    """A file that can't be the region of a card of ours; the text says why."""

class BarDevice(OffloadDevice):
    """A card behind a PCI Express base address region, by its resource file."""

    path: str
    broken_records: int
    def __init__(self, path: str | PathLike[str]) -> None: ...

def bar_bytes(record_slots: int, command_slots: int) -> int: ...
