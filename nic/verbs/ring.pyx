# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A ring of fixed slots that one host writes into another's memory with RDMA writes.

The sender keeps the last slots in a store, one for all its readers, and writes each slot from there
to the same place in each reader's memory: several in a row with one request, one doorbell for a
burst. The reader polls its memory for the number of the slot that comes next and writes back, now
and then, what it has taken (the credit). The sender never waits and never writes over what was not
taken; a reader that falls a whole store behind is sent on to the middle of what is there, and knows
exactly what it lost. Layout: ``nic/verbs/layout.py``, ``nic/verbs/slot.pxd``.
"""

from nic.verbs.device cimport Region, VerbsDevice
from nic.verbs.libibverbs cimport IBV_WR_RDMA_WRITE
from nic.verbs.queue_pair cimport QueuePair
from nic.verbs.rdma_ring_codec cimport (
    RDMA_RING_CONTROL_LENGTH, RDMA_RING_CREDIT_CONSUMED_OFFSET, RDMA_RING_CREDIT_LENGTH,
    RdmaRingControl, rdma_ring_control_encode)
from nic.verbs.rdma_ring_codec cimport (
    RDMA_RING_CONTROL_PUBLISHED_OFFSET as PUBLISHED, RDMA_RING_CONTROL_START_OFFSET as START,
    RDMA_RING_CONTROL_HEARTBEAT_NS_OFFSET as HEARTBEAT, RDMA_RING_CONTROL_STATE_OFFSET as STATE)
from nic.verbs.slot cimport SLOT_NUMBER_MASK, slot_copy, slot_fill, word_acquire, word_release

from nic.port import PortError

cdef enum:
    STATE_OPEN = 0
    STATE_CLOSED = 1
    RUN_BYTES = 16384      # one request carries slots in a row up to so many bytes
    CREDITS = 8            # a reader tells what it has taken so many times per ring
    LINE = 128             # bytes between words that different hosts write


def check_size(uint64_t slots, uint64_t slot_bytes):
    """Raise :class:`~nic.port.PortError` unless a ring of that shape can be made."""
    if not 8 <= slots <= 1 << 24 or slots & (slots - 1):
        raise PortError(f"an RDMA ring of {slots} slots: must be a power of two, 8 or more")
    if not 16 <= slot_bytes <= 4096 or slot_bytes % 8:
        raise PortError(f"slots of {slot_bytes} bytes: must be a multiple of 8, up to 4096")


cdef class SlotStore:
    """The sender's copy of the last ``slots`` slots; a slot's last eight bytes are its number."""

    def __init__(self, VerbsDevice device not None, uint32_t slots, uint32_t slot_bytes, *,
                 bint huge_pages=True):
        check_size(slots, slot_bytes)
        self.slots = slots
        self.slot_bytes = slot_bytes
        self.mask = slots - 1
        self.words = slot_bytes // 8 - 1
        self.memory = Region(device, <size_t> slots * slot_bytes, huge_pages=huge_pages)

    cdef bint put(self, const uint8_t *slot) noexcept nogil:
        """Keep one slot; the senders' :meth:`RingSender.pump` makes it leave."""
        cdef uint64_t number = self.published + 1
        cdef uint8_t *to
        if self.memory.region == NULL:
            return False
        to = self.slot(number)
        # A request that still lies in a queue may read this slot while it changes: the number goes
        # first and comes last, and the check tells the reader of what is neither old nor new.
        word_release(<uint64_t *> to + self.words, 0)
        word_release(<uint64_t *> to + self.words, slot_fill(to, slot, self.words, number))
        self.published = number
        return True

    def append(self, bytes slot not None):
        """:meth:`put`, from Python; ``slot_bytes`` bytes, the last eight of no meaning."""
        if len(slot) != self.slot_bytes:
            raise ValueError(f"a slot has {self.slot_bytes} bytes, not {len(slot)}")
        return self.put(<const uint8_t *> <const char *> slot)

    def corrupt(self, uint64_t number, uint32_t word):
        """Turn the bits of one word of a slot round; for tests of the reader's check."""
        (<uint64_t *> self.slot(number))[word % self.words] ^= <uint64_t> -1

    def close(self):
        """Take the memory away from the device, after the senders."""
        self.memory.close()


cdef class RingSender:
    """The sending end of one reader's ring; the numbers that the reader needs are ``credit_at``.

    ``remote``: address and key of the reader's memory, from :meth:`RingReceiver.memory_at`.
    """

    def __init__(self, SlotStore store not None, QueuePair pair not None):
        self.store = store
        self.pair = pair
        self.memory = Region(pair.device, RDMA_RING_CREDIT_LENGTH + LINE, huge_pages=False)
        self.credit = <uint64_t *> (self.memory.base + RDMA_RING_CREDIT_CONSUMED_OFFSET)

    def credit_at(self):
        """Address and key of the credit, for the reader."""
        return <size_t> self.credit, self.memory.rkey

    def aim(self, remote):
        """Where the reader's memory is: address and key."""
        address, key = remote
        self.remote_slots = address
        self.remote_control = address + <uint64_t> self.store.slots * self.store.slot_bytes
        self.remote_key = key

    def begin(self, uint64_t number=0):
        """Begin to send: with slot ``number``, where it is still there, or with the next one."""
        cdef uint64_t newest = self.store.published
        # What is about to be overwritten is not begun with.
        oldest = newest + 1 - min(newest, <uint64_t> self.store.slots * 7 // 8)
        if number == 0 or number > newest + 1:
            number = newest + 1
        elif number < oldest:
            number = newest + 1 - min(newest, <uint64_t> self.store.slots // 2)
        self.sent = number - 1
        self.is_awaited = True
        self.is_begun = True
        self.control(number, STATE_OPEN)
        self.pump()
        return number

    cdef bint control(self, uint64_t start, uint64_t state) noexcept nogil:
        """Write the control words to the reader; ``start`` 0 leaves that word as it is.

        False where the queue has no room for it now.
        """
        cdef RdmaRingControl words
        cdef uint8_t *staged = self.memory.base + RDMA_RING_CREDIT_LENGTH
        if self.pair.room() == 0:
            self.pair.reap()
            if self.pair.room() == 0:
                return False
        words.start = start if start else word_acquire(<uint64_t *> (staged + START))
        words.published = self.store.published
        words.heartbeat_ns = self.heartbeat_ns
        words.state = state
        rdma_ring_control_encode(&words, staged)
        self.pair.add(IBV_WR_RDMA_WRITE, staged, RDMA_RING_CONTROL_LENGTH, self.memory.lkey,
                      self.remote_control, self.remote_key, True)
        self.pair.post()
        return True

    cdef int pump(self) noexcept nogil:
        """Post what the reader has room for, one doorbell; how many slots still wait, -1 broken."""
        cdef uint64_t newest = self.store.published
        cdef uint64_t slots = self.store.slots
        cdef uint64_t credit, limit, index, run
        if not self.is_begun:
            return 0
        if self.pair.is_down() or self.misled:
            return -1
        credit = word_acquire(self.credit)
        if credit > newest:
            self.misled = True
            return -1
        if credit > self.sent:        # it found newer slots than were meant for it, and went on
            self.sent = credit
        if newest - self.sent > slots and (not self.is_awaited or credit >= self.sent):
            # What comes next is not there any more: on to the middle of what is.
            limit = newest + 1 - slots // 2
            if not self.control(limit, STATE_OPEN):
                return <int> min(newest - self.sent, <uint64_t> 1 << 30)
            self.overruns += 1
            self.skipped += limit - 1 - self.sent
            self.sent = limit - 1
            self.is_awaited = True
        if self.is_awaited:
            if credit < self.sent:
                return <int> min(newest - self.sent, <uint64_t> 1 << 30)
            self.is_awaited = False
        limit = min(newest, credit + slots)
        while self.sent < limit:
            if self.pair.room() == 0:
                self.pair.reap()
                if self.pair.room() == 0:
                    break
            index = (self.sent + 1) & self.store.mask
            run = min(min(limit - self.sent, slots - index),
                      <uint64_t> max(1, RUN_BYTES // self.store.slot_bytes))
            self.pair.add(IBV_WR_RDMA_WRITE, self.store.slot(self.sent + 1),
                          <uint32_t> run * self.store.slot_bytes, self.store.memory.lkey,
                          self.remote_slots + index * self.store.slot_bytes, self.remote_key,
                          False)
            self.writes += 1
            self.sent += run
        if self.sent < newest:
            self.waits += 1
        if self.pair.post() < 0:
            return -1
        if self.pair.room() < self.pair.depth // 2:
            self.pair.reap()
        return <int> min(newest - self.sent, <uint64_t> 1 << 30)

    cdef void pump_all(self) noexcept nogil:
        """:meth:`pump` of this sender and those that follow."""
        self.pump()
        if self.following is not None:
            self.following.pump_all()

    cdef bint has_room(self) noexcept nogil:
        """Whether the reader has room for one more slot than was published: nothing is skipped."""
        return (self.is_begun and not self.pair.is_down()
                and self.store.published + 1 <= word_acquire(self.credit) + self.store.slots)

    cdef uint64_t credited(self) noexcept nogil:
        """Number of the last slot that the reader says it has taken."""
        return word_acquire(self.credit)

    cdef void beat_all(self, uint64_t t_ns) noexcept nogil:
        """Tell this reader, and those that follow, that the sender lives."""
        self.heartbeat_ns = t_ns
        if self.is_begun and not self.pair.is_down():
            self.pair.reap()
            # A reader that does not take leaves the queue full: it is not given more to take.
            if self.pair.room() > self.pair.depth // 2:
                self.control(0, STATE_OPEN)
            self.pump()
        if self.following is not None:
            self.following.beat_all(t_ns)

    def flush(self):
        """:meth:`pump`, from Python: how many slots wait, -1 when the connection is broken."""
        return self.pump()

    def room(self):
        """:meth:`has_room`, from Python."""
        return self.has_room()

    def beat(self, uint64_t t_ns):
        """Tell the reader that the sender lives."""
        following, self.following = self.following, None
        self.beat_all(t_ns)
        self.following = following

    def consumed(self):
        """Number of the last slot that the reader says it has taken."""
        return word_acquire(self.credit)

    def pretend_credit(self, uint64_t number):
        """Write the credit as the reader would; for tests of what is not believed."""
        word_release(self.credit, number)

    def failure(self):
        """Why this reader gets nothing any more, empty while it does."""
        if self.misled:
            return "the reader gave credit for slots that were never sent"
        return self.pair.reason()

    def is_delivered(self):
        """Whether every slot was posted and every request is done with; ask until it is."""
        self.pump()
        self.pair.reap()
        if self.pair.completed != self.pair.queued and self.asked_for < self.pair.queued:
            # The last requests tell nothing of themselves; this one does, for them too.
            self.control(0, STATE_OPEN)
            self.asked_for = self.pair.queued
            self.pair.reap()
        return self.sent == self.store.published and self.pair.completed == self.pair.queued

    def is_flushed(self):
        """Whether every request is done with, the last words too."""
        self.pair.reap()
        return self.pair.completed == self.pair.queued

    def finish(self):
        """Tell the reader that nothing more will come; what it was not sent it knows as lost.

        False where it can't be told now: ask again, or let the connection say it.
        """
        if not self.is_begun or self.pair.is_down():
            return False
        undelivered = self.store.published - self.sent
        if not self.control(self.store.published + 1 if undelivered else 0, STATE_CLOSED):
            return False
        self.skipped += undelivered
        self.sent = self.store.published
        return True

    def close(self):
        """Take the credit's memory away, after the queue pair."""
        self.is_begun = False
        self.memory.close()


cdef class RingReceiver:
    """The reading end: memory for ``slots`` slots that the sender writes into.

    ``wanted``: number of the slot to go on with, after a reconnection; what of it is gone counts
    as lost.
    """

    def __init__(self, QueuePair pair not None, uint32_t slots, uint32_t slot_bytes, *,
                 uint64_t wanted=0, bint huge_pages=True):
        cdef size_t size = <size_t> slots * slot_bytes
        check_size(slots, slot_bytes)
        self.pair = pair
        self.slots = slots
        self.slot_bytes = slot_bytes
        self.mask = slots - 1
        self.words = slot_bytes // 8 - 1
        self.wanted = wanted
        self.memory = Region(pair.device, size + 2 * LINE, huge_pages=huge_pages)
        self.control = self.memory.base + size
        self.credit = <uint64_t *> (self.memory.base + size + LINE)

    def memory_at(self):
        """Address and key of the memory, for the sender."""
        return <size_t> self.memory.base, self.memory.rkey

    def aim(self, remote):
        """Where the sender's credit is: address and key."""
        self.remote_credit, self.remote_key = remote

    cdef int take(self, uint8_t *out, uint32_t maximum) noexcept nogil:
        """Copy up to ``maximum`` slots to ``out``; how many, RING_OVERRUN or RING_ENDED."""
        cdef uint64_t number = self.next_number
        cdef uint64_t seen, word
        cdef uint32_t count = 0
        cdef uint8_t *slot
        cdef uint64_t *last
        if self.memory.region == NULL:
            return RING_ENDED
        if not self.is_begun:
            number = word_acquire(<const uint64_t *> (self.control + START))
            if number == 0:
                return 0
            return self.begun(number)
        while count < maximum:
            slot = self.memory.base + (number & self.mask) * self.slot_bytes
            last = <uint64_t *> slot + self.words
            word = word_acquire(last)
            seen = word & SLOT_NUMBER_MASK
            if seen != number:
                break
            if slot_copy(out, slot, self.words, number) != word:
                self.torn += 1
                break
            (<uint64_t *> out)[self.words] = number
            out += self.slot_bytes
            number += 1
            count += 1
        if count:
            self.taken += count
            self.next_number = number
            if number - 1 - self.told >= self.slots // CREDITS:
                self.tell()
            return <int> count
        return 0 if maximum == 0 or seen == number else self.nothing_there(seen)

    cdef int begun(self, uint64_t number) noexcept nogil:
        """The sender has said with which slot it begins."""
        self.is_begun = True
        self.next_number = self.wanted if 0 < self.wanted < number else number
        if self.next_number < number:
            self.skip_to(number)
            return RING_OVERRUN
        self.tell()
        return 0

    cdef int nothing_there(self, uint64_t seen) noexcept nogil:
        """The next slot is not there: whether it was skipped, or will never come."""
        cdef uint64_t number = self.next_number
        cdef uint64_t start = word_acquire(<const uint64_t *> (self.control + START))
        cdef uint64_t state = word_acquire(<const uint64_t *> (self.control + STATE))
        cdef uint64_t *last = <uint64_t *> (self.memory.base + (number & self.mask)
                                            * self.slot_bytes) + self.words
        # What stands in front of these words on the wire is there by now: look again.
        if word_acquire(last) & SLOT_NUMBER_MASK == number:
            return 0
        if start > number:
            self.skip_to(start)
            return RING_OVERRUN
        # The sender may be waiting for just this, and a queue may have been full before.
        if self.told + 1 < start or number - 1 - self.told >= self.slots // CREDITS:
            self.tell()
        if seen > number and seen & self.mask == number & self.mask:
            # The sender's store had gone round before its request was executed.
            self.skip_to(seen)
            return RING_OVERRUN
        if (state != STATE_OPEN
                and word_acquire(<const uint64_t *> (self.control + PUBLISHED)) < number):
            return RING_ENDED
        return 0

    cdef void skip_to(self, uint64_t number) noexcept nogil:
        """Count what lies before a slot as lost, go on there and tell the sender."""
        self.last_lost = number - self.next_number
        self.lost += self.last_lost
        self.overruns += 1
        self.next_number = number
        self.tell()

    cdef void tell(self) noexcept nogil:
        """Give the sender credit for what was taken; later, where the queue is full."""
        if self.pair.room() < self.pair.depth // 2:
            self.pair.reap()
        if self.pair.room() == 0 or self.pair.is_down():
            return
        self.told = self.next_number - 1
        word_release(self.credit, self.told)
        self.pair.add(IBV_WR_RDMA_WRITE, <const uint8_t *> self.credit, sizeof(uint64_t),
                      self.memory.lkey, self.remote_credit, self.remote_key, False)
        self.pair.post()
        self.credits += 1

    def read(self, uint32_t maximum=1):
        """A list of up to ``maximum`` slots (64 at most); None for ended, an int for lost ones."""
        cdef uint8_t out[4096]
        cdef int count
        taken = []
        if self.unsaid:
            said, self.unsaid = self.unsaid, 0
            return said
        while len(taken) < min(maximum, <uint32_t> 64):
            count = self.take(out, 1)
            if count == RING_OVERRUN:
                if not taken:
                    return self.last_lost
                self.unsaid = self.last_lost
            if count == RING_ENDED and not taken:
                return None
            if count <= 0:
                break
            taken.append((<const char *> out)[:self.slot_bytes])
        return taken

    def newest(self):
        """Number of the newest slot that the sender has told of; 0 before the first."""
        if self.memory.region == NULL:
            return 0
        return word_acquire(<const uint64_t *> (self.control + PUBLISHED))

    cdef uint64_t heard_ns(self) noexcept nogil:
        """The sender's time when it last said that it lives; 0 before the first time."""
        if self.memory.region == NULL:
            return 0
        return word_acquire(<const uint64_t *> (self.control + HEARTBEAT))

    def heartbeat_ns(self):
        """:meth:`heard_ns`, from Python."""
        return self.heard_ns()

    def is_closed(self):
        """Whether the sender said that nothing more will come."""
        return (self.memory.region == NULL
                or word_acquire(<const uint64_t *> (self.control + STATE)) != STATE_OPEN)

    def close(self):
        """Take the memory away, after the queue pair; nothing is taken any more."""
        self.memory.close()
