# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Broadcast ring over shared memory: one writer, any number of readers."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from host.ipc.event_stream cimport EventPublisher, EventReader

cdef struct Mapping:
    uint8_t *base        # the control page; NULL when closed
    uint8_t *slots
    size_t size_bytes
    uint64_t mask        # slots - 1
    uint32_t slot_bytes
    uint32_t words       # of a slot, without the last: its number
    uint64_t *published
    uint64_t *heartbeat
    uint64_t *state

cdef class BroadcastWriter(EventPublisher):
    cdef readonly str path
    cdef readonly uint64_t instance
    cdef Mapping ring
    cdef int descriptor      # holds the writer's lock

cdef class BroadcastReader(EventReader):
    cdef readonly str path
    cdef readonly uint64_t instance
    cdef readonly uint64_t content
    cdef readonly uint64_t writer_process
    cdef Mapping ring
    cdef int descriptor      # asks for the writer's lock

    cdef bint overrun(self) noexcept nogil
