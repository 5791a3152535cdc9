# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Frames through a card's lines, and every event held against the host's own parse.

The host's parse (``nic/framing``) says of each frame which events must come, in which order, byte
for byte; the card is run until it has made them. A difference ends the comparison, is told to the
risk gate, and the host goes on with its own parse, to be able to close what is open.
"""

from cpython.ref cimport PyObject
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy
from nic.clock cimport rdtsc
from nic.framing.ids cimport ARRIVAL_DUPLICATE, DATAGRAM_DATA
from nic.offload.device cimport LONGEST_RECORD_BYTES
from nic.offload.offload_codec cimport (
    OFFLOAD_EVENT_LENGTH, offload_event_arrival, offload_event_line, offload_event_message_length,
    offload_event_sequence_number)
from nic.offload.record_stream cimport PUMPED_NOTHING
from host.risk.ids cimport CARD_FAILURE_EVENT_DIFFERS
from sim.offload.ids cimport *

from nic.framing.enumerations import ARBITER, FRAMING, PARSER
from nic.framing.reference import LineSettings
from sim.offload.enumerations import EVENT_DIFFERENCE, FEED_PATH

BY_CYCLES = ("overrun", "unwanted", "unwanted_dropped")
"""Counters of the arbiter that depend on the filter, or must stay 0 where lines take turns."""


cdef class FeedAudit:
    """The feed side of ``card`` and the host's own parse, side by side.

    ``stream``: the card's records. ``lines``: one or two of what the lines carry; they are set.
    Without ``is_arbitrating`` every message of both lines is an event, for feeds whose sequence
    begins anew. Raises :class:`nic.offload.card.CardMismatch` for a feed the card does not parse.
    """

    def __cinit__(self, *_, **__):
        self.bytes = <uint8_t *> calloc(MOST_MESSAGES, LONGEST_RECORD_BYTES)
        if self.bytes is NULL:
            raise MemoryError

    def __init__(self, card not None, RecordStream stream not None, lines, *, bint is_arbitrating):
        if not 1 <= len(lines) <= 2:
            raise ValueError("a card has one or two lines")
        self.card = card
        self.stream = stream
        self.device = stream.device
        for letter, settings in zip("ab", lines):
            card.set_line(letter, settings)
        self.parser_a = LineParser(lines[0])
        # a line that nobody uses: no datagram is for port 0 of address 0
        unused = LineSettings(lines[0].feed, 0, 0)
        self.parser_b = LineParser(lines[1] if len(lines) > 1 else unused)
        self.parsers[0] = <PyObject *> self.parser_a
        self.parsers[1] = <PyObject *> self.parser_b
        self.arbiter = LineArbiter(0, is_arbitrating)
        card.write("control.is_arbitrating", int(is_arbitrating))
        card.write("control.gives_events", 1)

    def __dealloc__(self):
        free(self.bytes)

    def attach(self, RiskGate gate not None):
        """Tell this gate of a difference: it then kills everything."""
        self.gate = gate

    cdef void bring(self, int line, const uint8_t *frame, uint32_t length) noexcept nogil:
        cdef uint8_t kinds[MOST_MESSAGES]
        cdef uint64_t begin = rdtsc()
        cdef uint32_t i
        self.count = 0
        self.has_datagram = False
        if self.difference == EVENT_DIFFERENCE_NONE and not self.device.receive_frame(
                <uint32_t> line, frame, length):
            self.counts[FEED_PATH_FRAMES_NOT_TAKEN] += 1
            return
        self.counts[FEED_PATH_FRAMES] += 1
        (<LineParser> self.parsers[line]).parse(frame, length, False)
        self.expect(line, kinds)
        for i in range(self.count):
            if self.difference != EVENT_DIFFERENCE_NONE:
                break
            self.differ(self.compare(line, i, kinds[i]), line, self.messages[i].sequence_number)
        self.busy_ticks += rdtsc() - begin

    cdef void expect(self, int line, uint8_t *kinds) noexcept nogil:
        """The events that must come of the frame that was just parsed."""
        cdef uint32_t count = (<LineParser> self.parsers[line]).message_count
        cdef const FramedMessage *messages = (<LineParser> self.parsers[line]).messages
        cdef uint32_t i
        cdef int kind
        self.has_datagram = (<LineParser> self.parsers[line]).has_datagram
        self.datagram_kind = (<LineParser> self.parsers[line]).datagram.kind
        if self.has_datagram and self.datagram_kind != DATAGRAM_DATA:
            self.arbiter.idle_at((<LineParser> self.parsers[line]).datagram.sequence_number)
        for i in range(count):
            kind = self.arbiter.arrive(line, messages[i].sequence_number)
            if kind != ARRIVAL_DUPLICATE:
                self.messages[self.count] = &messages[i]
                kinds[self.count] = <uint8_t> kind
                self.count += 1

    cdef void count_one(self, int counter) noexcept nogil:
        self.counts[counter] += 1

    cdef const uint8_t *event(self) noexcept nogil:
        """The card's next event; NULL when it has none and nothing moves in it any more."""
        cdef const uint8_t *found = self.stream.next_event()
        while found == NULL:
            if self.stream.pump() == PUMPED_NOTHING:
                return NULL
            found = self.stream.next_event()
        return found

    cdef int compare(self, int line, uint32_t index, uint8_t kind) noexcept nogil:
        """What the card's next event differs in from the one that must come."""
        cdef const FramedMessage *message = self.messages[index]
        cdef const uint8_t *found = self.event()
        if found == NULL:
            return EVENT_DIFFERENCE_MISSING
        self.counts[FEED_PATH_EVENTS] += 1
        if offload_event_sequence_number(found) != message.sequence_number:
            return EVENT_DIFFERENCE_SEQUENCE_NUMBER
        if offload_event_line(found) != line:
            return EVENT_DIFFERENCE_LINE
        if offload_event_arrival(found) != kind:
            return EVENT_DIFFERENCE_ARRIVAL
        if (offload_event_message_length(found) != message.length
                or memcmp(found + OFFLOAD_EVENT_LENGTH, message.message, message.length) != 0):
            return EVENT_DIFFERENCE_MESSAGE
        memcpy(self.bytes + index * LONGEST_RECORD_BYTES, found + OFFLOAD_EVENT_LENGTH,
               message.length)
        return EVENT_DIFFERENCE_NONE

    cdef void differ(self, int difference, int line, uint64_t sequence_number) noexcept nogil:
        """Note the first difference, and stop trading."""
        if difference == EVENT_DIFFERENCE_NONE or self.difference != EVENT_DIFFERENCE_NONE:
            return
        self.counts[FEED_PATH_DIFFERENCES] += 1
        self.difference = difference
        self.difference_line = line
        self.difference_number = sequence_number
        if self.gate is not None:
            self.gate.fail_card(CARD_FAILURE_EVENT_DIFFERS, 0, 0)

    cdef const uint8_t *message(self, uint32_t index) noexcept nogil:
        if self.difference != EVENT_DIFFERENCE_NONE:
            return self.messages[index].message
        return self.bytes + index * LONGEST_RECORD_BYTES

    def finish(self):
        """The last frame was brought: take what is left and compare the counters."""
        cdef const uint8_t *found
        if self.difference != EVENT_DIFFERENCE_NONE:
            return
        found = self.event()
        if found != NULL:
            self.differ(EVENT_DIFFERENCE_SURPLUS, offload_event_line(found),
                        offload_event_sequence_number(found))

    def counters_that_differ(self):
        """Registers that are not what the host counted, after :meth:`finish`."""
        found = {}
        names = FRAMING.names + PARSER.names
        for letter, counters in (("a", self.parser_a.counters), ("b", self.parser_b.counters)):
            shown = self.card.counters(f"line_{letter}.counters")
            found |= _unlike(f"line_{letter}", {n: shown[n] for n in names}, counters)
        shown = self.card.counters("arbiter.counters")
        expected = self.arbiter.counters | {"overrun": 0}
        names = [n for n in ARBITER.names if n not in BY_CYCLES or n == "overrun"]
        return found | _unlike("arbiter", {n: shown[n] for n in names}, expected)

    def counters(self):
        """Everything counted (:data:`~sim.offload.enumerations.FEED_PATH`)."""
        return FEED_PATH.as_dict(self.counts)

    def first_difference(self):
        """What differed first; ``None`` if nothing does."""
        if self.difference == EVENT_DIFFERENCE_NONE:
            return None
        return {"what": EVENT_DIFFERENCE.name_of(self.difference),
                "line": "AB"[self.difference_line], "sequence_number": self.difference_number}


def _unlike(where, shown, expected):
    """Counters that differ, by name with their place."""
    return {f"{where}.{name}": {"card": value, "host": expected[name]}
            for name, value in shown.items() if value != expected[name]}
