# SPDX-License-Identifier: Apache-2.0
"""An order line over RDMA: the rings beside a feed as ends of ``slot_ring``."""

from typing import Any

from host.ipc.slot_ring import SlotReceiver, SlotSender
from nic.verbs.connection import Connection
from nic.verbs.ring import RingReceiver, RingSender

class RdmaSender(SlotSender):
    def __init__(self, ring: RingSender) -> None: ...

class RdmaReceiver(SlotReceiver):
    def __init__(self, ring: RingReceiver) -> None: ...

class RdmaLine:
    is_local: bool
    connection: Connection
    sender: SlotSender
    receiver: SlotReceiver
    peer: str
    def __init__(self, connection: Connection, sends: str, receives: str) -> None: ...
    def failure(self) -> str: ...
    def close(self) -> None: ...

class DeskWatcher:
    def __init__(self, desk: Any) -> None: ...
    def joined(self, connection: Connection) -> None: ...
    def parted(self, connection: Connection, reason: str) -> None: ...
