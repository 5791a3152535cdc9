# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Kills, and the dead-man switch of the risk gate."""

cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from nic.offload.ids cimport GATE_VENUES


@cython.final
cdef class Switches:
    cdef uint8_t is_killed         # everything
    cdef uint8_t is_silent         # the heartbeat was lost
    cdef uint8_t sessions[GATE_VENUES]
    cdef uint8_t *strategies       # GATE_STRATEGIES of them
    cdef uint8_t *symbols
    cdef uint32_t symbol_capacity
    cdef uint64_t heartbeat_ns     # of the latest; 0: none was heard
    cdef uint64_t timeout_ns       # 0: the dead-man switch is off
    cdef bint is_armed
    cdef object armed              # scope and id

    cdef uint8_t *switch_of(self, scope, id, bint may_kill) except NULL

    cdef inline void expire(self, uint64_t t_ns) noexcept nogil:
        """It is ``t_ns``: kill when the heartbeat is too old; disarms as every kill does."""
        if (self.timeout_ns != 0 and self.heartbeat_ns != 0 and not self.is_silent
                and t_ns > self.heartbeat_ns and t_ns - self.heartbeat_ns > self.timeout_ns):
            self.is_silent = True
            self.is_armed = False

    cdef inline bint is_heartbeat_lost(self) noexcept nogil:
        """Whether the dead-man switch holds: killed, or no heartbeat was ever heard."""
        return self.is_silent or (self.timeout_ns != 0 and self.heartbeat_ns == 0)
