# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A ring of fixed slots between one writer and one reader: nothing is skipped, a full one refuses.

Slot ``n`` lies at ``n`` modulo the number of slots; its last word holds the number and a check of
the other words (``nic/verbs/slot.pxd``), as in a ring over RDMA. The reader gives credit for what
it took. Neither end believes the other: the places are computed, a slot is copied before anybody
looks at it, a number that comes too early or a credit for what was never sent is told.

``SlotSender`` and ``SlotReceiver`` are the interface; ``MemorySender`` and ``MemoryReceiver`` are
the ends in memory that two processes share, ``host/ipc/rdma_line.pyx`` has those over RDMA.
"""

from libc.string cimport memcpy
from posix.mman cimport MAP_FAILED, MAP_POPULATE, MAP_SHARED, PROT_READ, PROT_WRITE, mmap, munmap
from nic.verbs.rdma_ring_codec cimport RDMA_RING_CREDIT_CONSUMED_OFFSET, RDMA_RING_CREDIT_LENGTH
from nic.verbs.slot cimport SLOT_NUMBER_MASK, slot_copy, slot_fill, word_acquire, word_release

cdef enum:
    CREDITS = 8                # a reader gives credit so many times per ring
    LARGEST_SLOT_BYTES = 4096


def ring_bytes(uint64_t slots, uint32_t slot_bytes):
    """Bytes of memory that a ring takes: its slots, then the credit.

    Raises ``ValueError`` for one that can't be.
    """
    if not 8 <= slots <= 1 << 20 or slots & (slots - 1):
        raise ValueError(f"the slots of a ring are a power of two, 8 or more, not {slots}")
    if not 16 <= slot_bytes <= LARGEST_SLOT_BYTES or slot_bytes % 8:
        raise ValueError(f"a slot has a multiple of 8 bytes, up to {LARGEST_SLOT_BYTES}, "
                         f"not {slot_bytes}")
    return slots * slot_bytes + RDMA_RING_CREDIT_LENGTH


cdef class SlotSender:
    """The writing end; what carries the slots overrides the ``cdef`` methods."""

    cdef bint put(self, const uint8_t *slot) noexcept nogil:
        """Send one slot, whose last eight bytes are replaced; False, and nothing is sent, when
        there is no room, or no reader any more."""
        return False

    cdef uint32_t room(self) noexcept nogil:
        """Slots that can be sent now."""
        return 0

    def send(self, bytes slot not None):
        """:meth:`put`, from Python: ``slot_bytes`` bytes."""
        if <uint32_t> len(slot) != self.slot_bytes:
            raise ValueError(f"a slot has {self.slot_bytes} bytes, not {len(slot)}")
        return self.put(<const uint8_t *> <const char *> slot)

    def free(self):
        """:meth:`room`, from Python."""
        return self.room()


cdef class SlotReceiver:
    """The reading end; what carries the slots overrides :meth:`take`."""

    cdef int take(self, uint8_t *out) noexcept nogil:
        """Copy the next slot to ``out``: SLOT_TAKEN, SLOT_NONE, or SLOT_LOST for good."""
        return SLOT_NONE

    def receive(self):
        """The next slot as bytes, ``None`` when there is none; ``ValueError`` for lost ones."""
        cdef uint8_t out[LARGEST_SLOT_BYTES]
        cdef int result = self.take(out)
        if result == SLOT_LOST:
            raise ValueError("slots were lost")
        return (<const char *> out)[:self.slot_bytes] if result == SLOT_TAKEN else None


cdef class SlotMemory:
    """Memory that two processes share, mapped from a descriptor; raises ``MemoryError``."""

    def __init__(self, int descriptor, size_t size_bytes):
        cdef void *base = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_POPULATE, descriptor, 0)
        if base == MAP_FAILED:
            raise MemoryError(f"no memory for rings of {size_bytes} bytes")
        self.base = <uint8_t *> base
        self.size_bytes = size_bytes

    def __dealloc__(self):
        if self.base != NULL:
            munmap(self.base, self.size_bytes)

    def write(self, size_t offset, const uint8_t[::1] data not None):
        """Write bytes anywhere, as a broken peer would; for tests."""
        if self.base == NULL or offset + data.shape[0] > self.size_bytes:
            raise IndexError(offset)
        memcpy(self.base + offset, &data[0], data.shape[0])

    def close(self):
        """Unmap; the ends refuse from then on. Once."""
        if self.base != NULL:
            munmap(self.base, self.size_bytes)
            self.base = NULL


cdef class MemorySender(SlotSender):
    """The writing end of the ring at ``offset`` of shared memory that was zero before.

    Raises ``ValueError`` where it does not fit.
    """

    def __init__(self, SlotMemory memory not None, size_t offset, uint64_t slots,
                 uint32_t slot_bytes):
        if offset % 8 or offset + <size_t> ring_bytes(slots, slot_bytes) > memory.size_bytes:
            raise ValueError(f"no ring of {slots} slots fits at {offset}")
        self.memory = memory
        self.slots = memory.base + offset
        self.credit = <uint64_t *> (self.slots + slots * slot_bytes
                                    + RDMA_RING_CREDIT_CONSUMED_OFFSET)
        self.mask = slots - 1
        self.slot_bytes = slot_bytes
        self.words = slot_bytes // 8 - 1

    cdef uint32_t room(self) noexcept nogil:
        if self.memory.base == NULL or self.misled:
            return 0
        self.credit_seen = word_acquire(self.credit)
        if self.credit_seen > self.sent or self.sent - self.credit_seen > self.mask + 1:
            self.misled = True
            return 0
        return <uint32_t> (self.mask + 1 - (self.sent - self.credit_seen))

    cdef bint put(self, const uint8_t *slot) noexcept nogil:
        cdef uint64_t number = self.sent + 1
        cdef uint8_t *to
        if self.memory.base == NULL or self.misled:
            return False
        # the reader's word is looked at only when it matters: the line is its own
        if number - self.credit_seen > self.mask + 1 and self.room() == 0:
            return False
        to = self.slots + (number & self.mask) * self.slot_bytes
        word_release(<uint64_t *> to + self.words, slot_fill(to, slot, self.words, number))
        self.sent = number
        return True


cdef class MemoryReceiver(SlotReceiver):
    """The reading end of the ring at ``offset``; otherwise as :class:`MemorySender`."""

    def __init__(self, SlotMemory memory not None, size_t offset, uint64_t slots,
                 uint32_t slot_bytes):
        if offset % 8 or offset + <size_t> ring_bytes(slots, slot_bytes) > memory.size_bytes:
            raise ValueError(f"no ring of {slots} slots fits at {offset}")
        self.memory = memory
        self.slots = memory.base + offset
        self.credit = <uint64_t *> (self.slots + slots * slot_bytes
                                    + RDMA_RING_CREDIT_CONSUMED_OFFSET)
        self.mask = slots - 1
        self.slot_bytes = slot_bytes
        self.words = slot_bytes // 8 - 1
        self.next_number = 1

    cdef int take(self, uint8_t *out) noexcept nogil:
        cdef uint64_t number = self.next_number
        cdef uint64_t word, seen
        cdef uint8_t *slot
        if self.memory.base == NULL:
            return SLOT_NONE
        slot = self.slots + (number & self.mask) * self.slot_bytes
        word = word_acquire(<uint64_t *> slot + self.words)
        seen = word & SLOT_NUMBER_MASK
        if seen != number:
            if seen > number:
                return SLOT_LOST
            if self.told != number - 1:
                self.tell()
            return SLOT_NONE
        if slot_copy(out, slot, self.words, number) != word:
            self.torn += 1
            return SLOT_NONE
        (<uint64_t *> out)[self.words] = number
        self.taken += 1
        self.next_number = number + 1
        if number - self.told > self.mask // CREDITS:
            self.tell()
        return SLOT_TAKEN

    cdef void tell(self) noexcept nogil:
        """Give credit for everything that was taken."""
        self.told = self.next_number - 1
        word_release(self.credit, self.told)
