# SPDX-License-Identifier: Apache-2.0
"""Types of :mod:`nic.offload.record_stream`."""

from nic.offload.device import OffloadDevice

class RecordStream:
    """Sorts a card's records."""

    device: OffloadDevice
    events: int
    verdicts: int
    outcomes: int
    records_lost: int
    records_malformed: int
    def __init__(self, device: OffloadDevice) -> None: ...
