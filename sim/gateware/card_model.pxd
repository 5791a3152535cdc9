# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The compiled model of the whole card, as a card."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from nic.offload.device cimport OffloadDevice
from sim.gateware.abi cimport gateware_cycle_t, gateware_run_t

cdef enum:
    LONGEST_FRAME_BYTES = 9216     # of a frame received or sent


# Beats that a line brings next.
cdef struct BeatQueue:
    uint64_t *words
    uint8_t *flags                 # last, empty and error, as hw.stream.Beat has them behind data
    uint64_t made
    uint64_t taken


cdef class GatewareDevice(OffloadDevice):
    cdef object _model             # sim.gateware.model.Model; keeps the library
    cdef dict _mode
    cdef void *_instance           # NULL after close
    cdef gateware_run_t _run
    cdef gateware_cycle_t _cycle
    cdef uint8_t *_inputs          # a row each, as the model has them
    cdef uint8_t *_outputs
    cdef int32_t _line_valid[2]
    cdef int32_t _line_beat[2]
    cdef int32_t _write_valid, _write_address, _write_data, _read_address, _read_data
    cdef int32_t _commands_valid, _commands_payload, _commands_ready
    cdef int32_t _records_valid, _records_payload, _records_ready
    cdef int32_t _transmit_valid, _transmit_payload, _transmit_ready
    cdef BeatQueue _lines[2]
    cdef uint64_t *_commands       # words that wait
    cdef uint64_t _commands_made, _commands_taken
    cdef uint8_t *_records         # whole records that wait, RECORD_SLOT bytes each
    cdef uint64_t _records_made, _records_taken
    cdef uint32_t _record_at       # bytes of the record that is coming in
    cdef uint8_t *_frames          # whole frames that were sent
    cdef uint32_t *_frame_lengths
    cdef uint64_t *_frame_cycles
    cdef uint64_t _frames_made, _frames_taken
    cdef uint32_t _frame_at
    cdef uint64_t _transmits_in    # a bit per cycle, of 64: whether a beat may leave
    cdef uint64_t _still           # cycles since something last moved
    cdef readonly uint64_t frames_dropped    # sent, and found no room: nobody took them

    # Run cycles; frames, commands and records move meanwhile.
    cdef void run(self, uint64_t cycles) noexcept nogil
    # Put a frame behind those that wait on line 0 (A) or 1 (B); ``is_broken``: its check sequence
    # is wrong. False for a frame of no bytes or too many. Runs only where the line has no room.
    cdef bint put_frame(
        self, uint32_t line, const uint8_t *frame, uint32_t length, bint is_broken) noexcept nogil
    # The same, and run until the line has brought it and the records made so far are out. What is
    # still inside comes with ``take``, which runs until nothing moves any more.
    cdef bint receive_frame(
        self, uint32_t line, const uint8_t *frame, uint32_t length) noexcept nogil
    # Run until nothing moves; False where that takes more than LONGEST_WAIT_CYCLES.
    cdef bint settle(self) noexcept nogil
    # The next frame sent into ``place`` (LONGEST_FRAME_BYTES): its bytes, 0 for none. Does not run.
    cdef uint32_t take_frame(self, uint8_t *place, uint64_t *first_beat_cycle) noexcept nogil
    # Cycles run so far.
    cdef uint64_t cycle(self) noexcept nogil
    cdef void _step(self) noexcept nogil
    cdef void _take_word(self) noexcept nogil
    cdef void _look_at(self, uint32_t address) noexcept nogil
    cdef void _take_beat(self) noexcept nogil
