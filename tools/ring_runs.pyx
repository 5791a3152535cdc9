# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The loops of the ring's benchmark and of its soak: write, read and check, and round trips.

What an event holds follows from its item number, word by word, so that a reader can tell a whole
event from one that is torn or of another number. An item's number is a base plus the number that
the ring gave it: a soak goes on where an earlier one ended.
"""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from posix.unistd cimport read, write
from host.ipc.event_stream cimport TAKE_ENDED, EventPublisher, EventReader
from host.ipc.ring cimport Ring
from host.ipc.ring_codec cimport RING_RECORD_LENGTH, ring_record_length
from nic.clock cimport rdtsc

cdef extern from "sched.h":
    int sched_yield() noexcept nogil

cdef extern from "x86intrin.h":
    void pause "_mm_pause"() noexcept nogil

PROGRESS_WORDS = 16
"""Words of eight bytes between the progress of one reader and of the next: 128 bytes."""

cdef enum:
    WORDS_APART = 16
    BURST = 64
    LARGEST_WORDS = 512
    SPINS = 2000              # then the core is offered to others
    CHUNK = 4096              # items between two looks at the clock
    PIPE_EVENTS = 1024        # events that one read of a pipe takes at the most

cdef uint64_t ODD = 0x9E3779B97F4A7C15
cdef uint64_t END = <uint64_t> -1


cdef inline void relax(uint32_t *spins) noexcept nogil:
    """Nothing to do: spin for a while, then let others run."""
    spins[0] += 1
    if spins[0] < SPINS:
        pause()
    else:
        spins[0] = 0
        sched_yield()


cdef inline void fill(uint64_t *words, uint32_t count, uint64_t item) noexcept nogil:
    """What an item holds: another value in each word, and in each item's word."""
    cdef uint32_t i
    for i in range(count):
        words[i] = (item ^ (<uint64_t> i << 52)) * ODD


cdef inline bint is_whole(const uint64_t *words, uint32_t count, uint64_t item) noexcept nogil:
    """Whether every word is the item's."""
    cdef uint64_t wrong = 0
    cdef uint32_t i
    for i in range(count):
        wrong |= words[i] ^ ((item ^ (<uint64_t> i << 52)) * ODD)
    return wrong == 0


cdef inline uint64_t slowest(const uint64_t[::1] progress, uint32_t readers) noexcept nogil:
    """How far the last of the readers is."""
    cdef uint64_t least = END, value
    cdef uint32_t i
    for i in range(readers):
        value = (<const volatile uint64_t *> &progress[i * WORDS_APART])[0]
        if value < least:
            least = value
    return least


def write_items(EventPublisher publisher not None, const uint64_t[::1] progress, uint32_t readers,
                uint64_t base, uint64_t last, uint64_t window, uint64_t deadline_tsc):
    """Publish until the event ``last`` or the deadline; the number of the last one.

    Never more than ``window`` events ahead of the slowest of ``readers`` readers; with no readers
    as fast as it goes.
    """
    cdef uint64_t words[LARGEST_WORDS]
    cdef uint32_t count = publisher.slot_bytes // 8 - 1
    cdef uint64_t limit, number
    cdef uint32_t spins = 0
    with nogil:
        number = publisher.published
        while number < last and rdtsc() < deadline_tsc:
            limit = slowest(progress, readers) + window if readers else END
            limit = min(limit, last, number + CHUNK)
            if number >= limit:
                relax(&spins)
                continue
            while number < limit:
                number += 1
                fill(words, count, base + number)
                publisher.publish(<const uint8_t *> words)
            publisher.flush()
    return number


def read_items(EventReader reader not None, uint64_t[::1] progress, uint32_t place, uint64_t base,
               uint64_t last, uint64_t deadline_tsc):
    """Take and check until the event ``last`` is behind or the deadline; events that were torn.

    An event with another number than its place in the sequence counts as torn too. After each
    burst the reader's word of ``progress`` says how far it is.
    """
    cdef uint32_t size = reader.slot_bytes
    cdef uint32_t words = size // 8 - 1
    cdef uint64_t number, torn = 0
    cdef uint32_t spins = 0
    cdef int taken, i
    cdef uint64_t *event
    cdef uint8_t *out = <uint8_t *> calloc(BURST, size)
    if out == NULL:
        raise MemoryError
    with nogil:
        while reader.next_sequence <= last:
            number = reader.next_sequence
            taken = reader.take(out, BURST)
            if taken == TAKE_ENDED:
                break
            if taken <= 0:
                if taken == 0:
                    relax(&spins)
                if spins == 0 and rdtsc() > deadline_tsc:
                    break
                continue
            for i in range(taken):
                event = <uint64_t *> (out + <size_t> i * size)
                if event[words] != number or not is_whole(event, words, base + number):
                    torn += 1
                number += 1
            (<volatile uint64_t *> &progress[place * WORDS_APART])[0] = number - 1
    free(out)
    return torn


def push_items(Ring ring not None, uint32_t body_bytes, uint64_t last, uint64_t deadline_tsc):
    """The same through a ring of records, which refuses when full; the number of the last one."""
    cdef uint64_t words[LARGEST_WORDS]
    cdef uint64_t number = 0
    cdef uint32_t spins = 0
    with nogil:
        while number < last:
            fill(words, body_bytes // 8, number + 1)
            if ring.push(1, 0, words, body_bytes):
                number += 1
            else:
                relax(&spins)
                if spins == 0 and rdtsc() > deadline_tsc:
                    break
    return number


def pop_items(Ring ring not None, uint64_t last, uint64_t deadline_tsc):
    """Take and check records: how many, and how many were not whole."""
    cdef uint64_t number = 0, torn = 0
    cdef uint32_t spins = 0
    cdef const uint8_t *record
    with nogil:
        while number < last:
            record = ring.front()
            if record == NULL:
                relax(&spins)
                if spins == 0 and rdtsc() > deadline_tsc:
                    break
                continue
            number += 1
            if not is_whole(<const uint64_t *> (record + RING_RECORD_LENGTH),
                            ring_record_length(record) // 8, number):
                torn += 1
            ring.pop()
    return number, torn


def write_pipe(int descriptor, uint32_t body_bytes, uint64_t last, uint64_t deadline_tsc):
    """The same through a pipe, one write an event; the number of the last one."""
    cdef uint64_t words[LARGEST_WORDS]
    cdef uint64_t number = 0
    cdef ssize_t done = 0
    with nogil:
        while number < last and rdtsc() < deadline_tsc:
            fill(words, body_bytes // 8, number + 1)
            done = write(descriptor, words, body_bytes)
            if done == body_bytes:
                number += 1
            elif done >= 0 or errno not in (EAGAIN, EINTR):
                break
    return number


def read_pipe(int descriptor, uint32_t body_bytes, uint64_t last, uint64_t deadline_tsc):
    """Read and check events of a pipe: how many, and how many were not whole."""
    cdef size_t room = <size_t> PIPE_EVENTS * body_bytes
    cdef uint8_t *out = <uint8_t *> calloc(1, room)
    cdef uint64_t number = 0, torn = 0
    cdef size_t have = 0, at
    cdef ssize_t done
    if out == NULL:
        raise MemoryError
    with nogil:
        while number < last and rdtsc() < deadline_tsc:
            done = read(descriptor, out + have, room - have)
            if done == 0 or (done < 0 and errno not in (EAGAIN, EINTR)):
                break
            if done < 0:
                continue
            have += <size_t> done
            at = 0
            while have - at >= body_bytes:
                number += 1
                if not is_whole(<const uint64_t *> (out + at), body_bytes // 8, number):
                    torn += 1
                at += body_bytes
            memcpy(out, out + at, have - at)
            have -= at
    free(out)
    return number, torn


cdef class Hop:
    """One side of a round trip: sends an event that begins with a number, takes one."""

    cdef uint32_t body_bytes
    cdef uint64_t words[LARGEST_WORDS]

    cdef bint send(self, uint64_t number) noexcept nogil:
        return False

    cdef bint take(self, uint64_t *number) noexcept nogil:
        return False

    def ask(self, uint64_t[::1] ticks not None, uint64_t lost_ticks):
        """Round trips one after the other, in ticks of the time stamp counter; how many were lost.

        A lost one has 0 ticks.
        """
        cdef uint64_t begin, now, number
        cdef Py_ssize_t i
        cdef int lost = 0
        with nogil:
            for i in range(ticks.shape[0]):
                ticks[i] = 0
                begin = rdtsc()
                self.send(i + 1)
                while True:
                    if self.take(&number) and number == <uint64_t> i + 1:
                        ticks[i] = rdtsc() - begin
                        break
                    now = rdtsc()
                    if now > begin + lost_ticks:
                        lost += 1
                        break
        return lost

    def answer(self, uint64_t idle_ticks):
        """Send back what comes, until the end is said or nothing came for so long."""
        cdef uint64_t number, now, last = rdtsc()
        with nogil:
            while True:
                if self.take(&number):
                    if number == END:
                        break
                    self.send(number)
                    last = rdtsc()
                    continue
                now = rdtsc()
                if now > last + idle_ticks:
                    break

    def end(self):
        """Tell the other side that the round trips are over."""
        self.send(END)


cdef class RingHop(Hop):
    """Over two event streams, one each way."""

    cdef EventPublisher publisher
    cdef EventReader reader

    def __init__(self, EventPublisher publisher not None, EventReader reader not None):
        self.publisher = publisher
        self.reader = reader

    cdef bint send(self, uint64_t number) noexcept nogil:
        self.words[0] = number
        self.publisher.publish(<const uint8_t *> self.words)
        self.publisher.flush()
        return True

    cdef bint take(self, uint64_t *number) noexcept nogil:
        if self.reader.take(<uint8_t *> self.words, 1) != 1:
            return False
        number[0] = self.words[0]
        return True


cdef class RecordHop(Hop):
    """Over two rings of records, one each way."""

    cdef Ring outward
    cdef Ring inward

    def __init__(self, Ring outward not None, Ring inward not None, uint32_t body_bytes):
        self.outward = outward
        self.inward = inward
        self.body_bytes = min(body_bytes, <uint32_t> LARGEST_WORDS * 8)

    cdef bint send(self, uint64_t number) noexcept nogil:
        self.words[0] = number
        return self.outward.push(1, 0, self.words, self.body_bytes)

    cdef bint take(self, uint64_t *number) noexcept nogil:
        cdef const uint8_t *record = self.inward.front()
        if record == NULL:
            return False
        memcpy(self.words, record + RING_RECORD_LENGTH, self.body_bytes)
        self.inward.pop()
        number[0] = self.words[0]
        return True


cdef class PipeHop(Hop):
    """Over two pipes that do not block, one each way."""

    cdef int outward
    cdef int inward

    def __init__(self, int outward, int inward, uint32_t body_bytes):
        self.outward = outward
        self.inward = inward
        self.body_bytes = min(body_bytes, <uint32_t> LARGEST_WORDS * 8)

    cdef bint send(self, uint64_t number) noexcept nogil:
        self.words[0] = number
        return write(self.outward, self.words, self.body_bytes) == self.body_bytes

    cdef bint take(self, uint64_t *number) noexcept nogil:
        if read(self.inward, self.words, self.body_bytes) != self.body_bytes:
            return False
        number[0] = self.words[0]
        return True
