# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The functions of a compiled model, for loops without Python.

An instance is ``Model.address``; a function is what ``Model.function`` gives, cast to its type.
Rows of inputs and outputs are laid out as ``Model.input_type`` and ``Model.output_type`` say.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t

# What an input stream is given, row by row; ``next`` counts those taken.
cdef struct ModelStream:
    int64_t count
    int64_t next
    const uint8_t *rows
    const int64_t *not_before
    int64_t *taken_at
    int32_t valid_at
    int32_t payload_at
    int32_t payload_bytes
    int32_t ready_at

# gateware_run: ``cycles`` rows of inputs, ``stride`` bytes apart (0: the same row always). Rows
# of outputs are captured in cycles in which a byte at one of the offsets ``when`` is not 0; in
# every cycle where ``when_count`` is 0, in none below. Returns how many cycles were run: fewer than
# asked when there was no room for another row. ``captured`` says how many rows there are.
ctypedef int64_t (*gateware_run_t)(
    void *model, const uint8_t *inputs, int64_t stride, int64_t cycles,
    ModelStream *streams, int32_t stream_count,
    const int32_t *when, int32_t when_count,
    uint8_t *rows, int64_t capacity, int64_t *captured) noexcept nogil

# gateware_reset: ``cycles`` under reset, every input 0.
ctypedef void (*gateware_reset_t)(void *model, int64_t cycles) noexcept nogil

# gateware_cycle: cycles run so far.
ctypedef int64_t (*gateware_cycle_t)(const void *model) noexcept nogil
