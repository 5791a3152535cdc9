# SPDX-License-Identifier: Apache-2.0
"""Two ends of an RDMA ring, joined without an exchange: on any verbs devices."""

from nic.verbs.device import VerbsDevice
from nic.verbs.queue_pair import QueuePair
from nic.verbs.ring import RingReceiver, RingSender, SlotStore


def slot(number: int, size: int = 64) -> bytes:
    """A slot whose every word tells its number."""
    return b"".join((number * 1_000_003 + i).to_bytes(8, "little") for i in range(size // 8))


def number_of(data: bytes) -> int:
    """The number of a slot that is whole; raises AssertionError where words disagree."""
    number = int.from_bytes(data[-8:], "little")
    assert data[:-8] == slot(number, len(data))[:-8], f"slot {number} is torn"
    return number


class Ring:
    """One sender and one reader."""

    def __init__(self, here: VerbsDevice, there: VerbsDevice, slots=64, slot_bytes=64, **options):
        wanted = options.pop("wanted", 0)
        self.store = options.pop("store", None) or SlotStore(
            here, slots, slot_bytes, huge_pages=False
        )
        self.owns_store = True
        self.left = QueuePair(here, "rc", **options)
        self.right = QueuePair(there, "rc", **options)
        self.sender = RingSender(self.store, self.left)
        self.reader = RingReceiver(self.right, slots, slot_bytes, wanted=wanted, huge_pages=False)
        self.sender.aim(self.reader.memory_at())
        self.reader.aim(self.sender.credit_at())
        here_gid, there_gid = here.gid(), there.gid()
        self.left.connect(here_gid[0], 11, self.right.number(), 22, there_gid[1], 1024)
        self.right.connect(there_gid[0], 22, self.left.number(), 11, here_gid[1], 1024)

    def publish(self, count: int) -> None:
        """Put slots into the store; nothing leaves before ``sender.flush()``."""
        for _ in range(count):
            assert self.store.append(slot(self.store.published + 1, self.store.slot_bytes))

    def read(self) -> list:
        """Everything that is there now: numbers, ``("lost", n)``, ``"ended"``."""
        found = []
        while True:
            got = self.reader.read(64)
            if got is None:
                return [*found, "ended"]
            if isinstance(got, int):
                found.append(("lost", got))
            elif not got:
                return found
            else:
                found += [number_of(data) for data in got]

    def close(self) -> None:
        """Queue pairs first, then the memory."""
        for part in (self.left, self.right, self.sender, self.reader, self.store):
            part.close()
