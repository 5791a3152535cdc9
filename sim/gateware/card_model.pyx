# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The compiled model of the whole card, as a card: its cycles run when somebody uses it.

Frames come in on its two lines, a beat each cycle while there are any; records are put together
from the card's words and wait here until they are taken; frames that the card sends wait likewise.
Nothing is lost in between: while there is no room for records here, the card has to keep them.

Between two calls the card stands still, and so does its time: whoever needs another one sets it
(``control.set_time_ns``). Ports are those of ``hw/top.py``.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from nic.offload.device cimport LONGEST_RECORD_BYTES

from amaranth.hdl import unsigned
from amaranth.lib.data import Field, Layout

from hw.register_file import READ_CYCLES
from hw.stream import LANES, Beat
from nic.offload.records import WORD_BYTES
from nic.offload.registers import REGISTERS

cdef enum:
    BEATS = 1 << 14                # places of each queue; powers of two
    COMMAND_WORDS = 1 << 13
    RECORDS = 1 << 15
    FRAMES = 1 << 8
    RECORD_SLOT = LONGEST_RECORD_BYTES
    WORD = 8
    LAST = 1                       # of a beat's flags
    EMPTY_AT = 1
    EMPTY_MASK = 7
    BROKEN = 1 << 4
    READ_WAIT = 4                  # cycles from an address to the register's value
    STORE_CYCLES = 4               # what a write starts is taken before the next one
    STILL_CYCLES = 48              # longer than anything inside goes unseen
    LONGEST_WAIT_CYCLES = 1 << 18

assert READ_WAIT == READ_CYCLES and WORD == WORD_BYTES == LANES
assert list(Layout.cast(Beat)) == [
    ("data", Field(unsigned(64), 0)), ("last", Field(unsigned(1), 64)),
    ("empty", Field(unsigned(3), 65)), ("error", Field(unsigned(1), 68))]

cdef uint32_t IS_IDLE = REGISTERS["gate.is_idle"].address


cdef class GatewareDevice(OffloadDevice):
    """The compiled model ``model`` of :class:`hw.top.Top`; ``mode`` is what it says of itself.

    Records come in order, as a card's do; see :class:`nic.offload.device.OffloadDevice`.
    Use :func:`sim.gateware.card.open_card` to get one.
    """

    def __cinit__(self, model not None, mode not None):
        cdef int line
        self._model = model
        self._mode = dict(mode)
        self.name = self._mode["device"]
        self._run = <gateware_run_t><size_t> model.function("gateware_run")
        self._cycle = <gateware_cycle_t><size_t> model.function("gateware_cycle")
        self._inputs = <uint8_t *> calloc(1, model.input_type.itemsize)
        self._outputs = <uint8_t *> calloc(1, model.output_type.itemsize)
        self._commands = <uint64_t *> calloc(COMMAND_WORDS, WORD)
        self._records = <uint8_t *> calloc(RECORDS, RECORD_SLOT)
        self._frames = <uint8_t *> calloc(FRAMES, LONGEST_FRAME_BYTES)
        self._frame_lengths = <uint32_t *> calloc(FRAMES, sizeof(uint32_t))
        self._frame_cycles = <uint64_t *> calloc(FRAMES, sizeof(uint64_t))
        has_room = (self._inputs is not NULL and self._outputs is not NULL
                    and self._commands is not NULL and self._records is not NULL
                    and self._frames is not NULL and self._frame_lengths is not NULL
                    and self._frame_cycles is not NULL)
        for line in range(2):
            self._lines[line].words = <uint64_t *> calloc(BEATS, WORD)
            self._lines[line].flags = <uint8_t *> calloc(BEATS, 1)
            has_room &= (self._lines[line].words is not NULL
                         and self._lines[line].flags is not NULL)
            self._line_valid[line] = model.offset(f"line_{'ab'[line]}__valid")
            self._line_beat[line] = model.offset(f"line_{'ab'[line]}__beat")
        if not has_room:
            raise MemoryError
        self._write_valid = model.offset("write_valid")
        self._write_address = model.offset("write_address")
        self._write_data = model.offset("write_data")
        self._read_address = model.offset("read_address")
        self._read_data = model.offset("read_data")
        self._commands_valid = model.offset("commands__valid")
        self._commands_payload = model.offset("commands__payload")
        self._commands_ready = model.offset("commands__ready")
        self._records_valid = model.offset("records__valid")
        self._records_payload = model.offset("records__payload")
        self._records_ready = model.offset("records__ready")
        self._transmit_valid = model.offset("transmit__valid")
        self._transmit_payload = model.offset("transmit__payload")
        self._transmit_ready = model.offset("transmit__ready")
        self._instance = <void *><size_t> model.address
        self._transmits_in = ~(<uint64_t> 0)
        self._look_at(IS_IDLE)

    def __dealloc__(self):
        cdef int line
        free(self._inputs)
        free(self._outputs)
        free(self._commands)
        free(self._records)
        free(self._frames)
        free(self._frame_lengths)
        free(self._frame_cycles)
        for line in range(2):
            free(self._lines[line].words)
            free(self._lines[line].flags)

    def mode(self):
        """What this device really is, name to text."""
        return dict(self._mode)

    @property
    def cycles_run(self):
        """Cycles since the model was made; it stands still while nobody uses it."""
        return self.cycle()

    def receive(self, uint32_t line, const uint8_t[::1] frame not None, bint is_broken=False):
        """A frame comes on line 0 (A) or 1 (B); when this returns, the line has brought it.

        ``is_broken``: its check sequence is wrong. Raises ``ValueError`` for no line or frame.
        """
        self.put(line, frame, is_broken)
        while self._lines[line].made != self._lines[line].taken:
            self._step()

    def put(self, uint32_t line, const uint8_t[::1] frame not None, bint is_broken=False):
        """As :meth:`receive`, but the cycles run later: so both lines bring one at a time."""
        if line > 1 or not frame.shape[0] or not self.put_frame(
                line, &frame[0], <uint32_t> frame.shape[0], is_broken):
            raise ValueError(f"{frame.shape[0]} bytes on line {line}")

    def run_cycles(self, uint64_t cycles):
        """Run so many cycles."""
        self.run(cycles)

    def run_still(self):
        """Run until nothing moves in the card. Raises ``RuntimeError`` where that never comes."""
        if not self.settle():
            raise RuntimeError(f"{self.name}: still busy after {LONGEST_WAIT_CYCLES} cycles")

    def stall_transmit(self, uint64_t transmits_in):
        """Bit n: in the cycles n, n + 64 and so on a beat may leave; all ones to begin with."""
        self._transmits_in = transmits_in

    def sent_frame(self):
        """The next frame that was sent: the cycle of its first beat, its bytes; or ``None``."""
        cdef uint64_t cycle = 0
        cdef uint8_t place[LONGEST_FRAME_BYTES]
        cdef uint32_t length = self.take_frame(place, &cycle)
        return (cycle, <bytes> place[:length]) if length else None

    cdef void _look_at(self, uint32_t address) noexcept nogil:
        memcpy(self._inputs + self._read_address, &address, 2)

    cdef uint64_t cycle(self) noexcept nogil:
        return <uint64_t> self._cycle(self._instance) if self._instance is not NULL else 0

    cdef void _step(self) noexcept nogil:
        """One cycle: what waits goes in, what comes out is kept."""
        cdef uint8_t *row = self._inputs
        cdef BeatQueue *queue
        cdef int64_t captured = 0
        cdef uint64_t word
        cdef uint64_t place
        cdef int line
        cdef bint moves = False, has_command
        if self._instance is NULL:
            return
        for line in range(2):
            queue = &self._lines[line]
            row[self._line_valid[line]] = queue.made != queue.taken
            if queue.made != queue.taken:
                place = queue.taken & (BEATS - 1)
                memcpy(row + self._line_beat[line], &queue.words[place], WORD)
                row[self._line_beat[line] + WORD] = queue.flags[place]
                queue.taken += 1
                moves = True
        has_command = self._commands_made != self._commands_taken
        row[self._commands_valid] = has_command
        if has_command:
            word = self._commands[self._commands_taken & (COMMAND_WORDS - 1)]
            memcpy(row + self._commands_payload, &word, WORD)
            moves = True
        row[self._records_ready] = self._records_made - self._records_taken < RECORDS
        row[self._transmit_ready] = (
            self._transmits_in >> (<uint64_t> self._cycle(self._instance) & 63) & 1)
        self._run(self._instance, row, 0, 1, NULL, 0, NULL, 0, self._outputs, 1, &captured)
        if has_command and self._outputs[self._commands_ready]:
            self._commands_taken += 1
        if self._outputs[self._records_valid]:
            moves = True
            if row[self._records_ready]:
                self._take_word()
        if self._outputs[self._transmit_valid]:
            moves = True
            if row[self._transmit_ready]:
                self._take_beat()
        if moves or not self._outputs[self._read_data]:
            self._still = 0
        else:
            self._still += 1

    cdef void _take_word(self) noexcept nogil:
        """A word of a record; its last one makes it whole."""
        cdef uint8_t *place = (
            self._records + (self._records_made & (RECORDS - 1)) * RECORD_SLOT)
        # A record that is longer than any can be is cut: its first bytes then contradict its
        # length, and whoever reads it finds it malformed.
        if self._record_at < RECORD_SLOT:
            memcpy(place + self._record_at, self._outputs + self._records_payload, WORD)
            self._record_at += WORD
        if self._outputs[self._records_payload + WORD] & LAST:
            self._records_made += 1
            self._record_at = 0

    cdef void _take_beat(self) noexcept nogil:
        """A beat of a frame that the card sends."""
        cdef uint64_t at = self._frames_made & (FRAMES - 1)
        cdef uint8_t flags = self._outputs[self._transmit_payload + WORD]
        if self._frame_at == 0:
            memcpy(&self._frame_cycles[at], self._outputs, sizeof(uint64_t))
        if self._frame_at <= LONGEST_FRAME_BYTES - WORD:
            memcpy(self._frames + at * LONGEST_FRAME_BYTES + self._frame_at,
                   self._outputs + self._transmit_payload, WORD)
            self._frame_at += WORD
        if flags & LAST:
            self._frame_lengths[at] = self._frame_at - (flags >> EMPTY_AT & EMPTY_MASK)
            self._frame_at = 0
            if self._frames_made - self._frames_taken == FRAMES - 1:
                self.frames_dropped += 1   # the oldest
                self._frames_taken += 1
            self._frames_made += 1

    cdef void run(self, uint64_t cycles) noexcept nogil:
        cdef uint64_t _i
        for _i in range(cycles):
            self._step()

    cdef bint settle(self) noexcept nogil:
        cdef uint64_t _i
        for _i in range(LONGEST_WAIT_CYCLES):
            if self._still >= STILL_CYCLES:
                return True
            self._step()
        return False

    cdef bint put_frame(
            self, uint32_t line, const uint8_t *frame, uint32_t length, bint is_broken
    ) noexcept nogil:
        cdef BeatQueue *queue
        cdef uint32_t beats = (length + WORD - 1) // WORD
        cdef uint32_t i, size
        cdef uint64_t word, place
        if line > 1 or length == 0 or length > LONGEST_FRAME_BYTES or self._instance is NULL:
            return False
        queue = &self._lines[line]
        while queue.made - queue.taken + beats > BEATS:
            self._step()
        for i in range(beats):
            place = queue.made & (BEATS - 1)
            size = length - i * WORD
            word = 0
            memcpy(&word, frame + i * WORD, size if size < WORD else WORD)
            queue.words[place] = word
            queue.flags[place] = 0
            if i + 1 == beats:
                queue.flags[place] = <uint8_t> (
                    LAST | (WORD - size) << EMPTY_AT | (BROKEN if is_broken else 0))
            queue.made += 1
        self._still = 0
        return True

    cdef bint receive_frame(
            self, uint32_t line, const uint8_t *frame, uint32_t length) noexcept nogil:
        if not self.put_frame(line, frame, length, False):
            return False
        while self._lines[line].made != self._lines[line].taken:
            self._step()
        # Words come slower than small messages: were they left, the card's queue would fill.
        while self._outputs[self._records_valid] and self._inputs[self._records_ready]:
            self._step()
        return True

    cdef uint64_t load(self, uint32_t address) noexcept nogil:
        cdef uint64_t value
        if self._instance is NULL:
            return 0
        self._look_at(address)
        self.run(READ_WAIT + 1)
        memcpy(&value, self._outputs + self._read_data, WORD)
        self._look_at(IS_IDLE)
        self._still = 0
        return value

    cdef void store(self, uint32_t address, uint64_t value) noexcept nogil:
        memcpy(self._inputs + self._write_address, &address, 2)
        memcpy(self._inputs + self._write_data, &value, WORD)
        self._inputs[self._write_valid] = 1
        self._step()
        self._inputs[self._write_valid] = 0
        self.run(STORE_CYCLES - 1)
        self._still = 0

    cdef uint32_t take(self, uint8_t *place) noexcept nogil:
        cdef const uint8_t *slot
        cdef uint32_t length
        cdef uint64_t _i
        for _i in range(LONGEST_WAIT_CYCLES):
            if self._records_made != self._records_taken or self._still >= STILL_CYCLES:
                break
            self._step()
        if self._records_made == self._records_taken:
            return 0
        slot = self._records + (self._records_taken & (RECORDS - 1)) * RECORD_SLOT
        length = <uint32_t> slot[1] * WORD
        if length == 0 or length > RECORD_SLOT:
            length = WORD   # the reader counts it as malformed
        memcpy(place, slot, length)
        self._records_taken += 1
        return length

    cdef bint give(self, const uint8_t *command, uint32_t length) noexcept nogil:
        cdef uint32_t i
        if (self._instance is NULL
                or self._commands_made - self._commands_taken + length // WORD > COMMAND_WORDS):
            return False
        for i in range(length // WORD):
            memcpy(&self._commands[self._commands_made & (COMMAND_WORDS - 1)],
                   command + i * WORD, WORD)
            self._commands_made += 1
        self._still = 0
        return True

    cdef uint32_t take_frame(self, uint8_t *place, uint64_t *first_beat_cycle) noexcept nogil:
        cdef uint64_t at
        cdef uint32_t length
        if self._frames_made == self._frames_taken:
            return 0
        at = self._frames_taken & (FRAMES - 1)
        length = self._frame_lengths[at]
        memcpy(place, self._frames + at * LONGEST_FRAME_BYTES, length)
        first_beat_cycle[0] = self._frame_cycles[at]
        self._frames_taken += 1
        return length

    cdef void shut(self) noexcept:
        self._instance = NULL
        if self._model is not None:
            self._model.close()
        self._model = None
