# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Kills, and the dead-man switch of the risk gate.

The semantics stand in ``host/risk/reference_switches.py``.
"""

from libc.stdlib cimport calloc, free
from nic.offload.ids cimport GATE_STRATEGIES


cdef class Switches:
    """What is killed. Kills are sticky; each is taken back in two steps."""

    def __cinit__(self, uint32_t symbol_capacity):
        self.symbol_capacity = symbol_capacity
        self.symbols = <uint8_t *> calloc(symbol_capacity, 1)
        self.strategies = <uint8_t *> calloc(GATE_STRATEGIES, 1)
        if self.symbols == NULL or self.strategies == NULL:
            raise MemoryError("risk: no memory for the kill switches")

    def __dealloc__(self):
        free(self.symbols)
        free(self.strategies)

    cdef uint8_t *switch_of(self, scope, id, bint may_kill) except NULL:
        """The switch of a scope; raises for what there is not, or (killing) can't be killed."""
        if id is None and scope == "global":
            return &self.is_killed
        if id is None and scope == "heartbeat" and not may_kill:
            return &self.is_silent
        sizes = {"session": <long> GATE_VENUES, "strategy": <long> GATE_STRATEGIES,
                 "symbol": self.symbol_capacity}
        if id is None or scope not in sizes:
            raise ValueError(f"no kill of scope {scope!r} with id {id!r}")
        if not 0 <= id < sizes[scope]:
            raise IndexError(f"no {scope} {id}")
        if scope == "session":
            return &self.sessions[<uint32_t> id]
        return &(self.strategies if scope == "strategy" else self.symbols)[<uint32_t> id]

    def kill(self, scope="global", id=None):
        """Kill a scope; disarms a reset."""
        cdef uint8_t *switch = self.switch_of(scope, id, True)
        self.is_armed = False
        switch[0] = True

    def arm_reset(self, scope="global", id=None):
        """First step of taking a kill back (scope ``heartbeat`` too); changes nothing yet."""
        self.switch_of(scope, id, False)
        self.armed = (scope, id)
        self.is_armed = True

    def reset_kill(self, scope="global", id=None):
        """Second step; raises ``RuntimeError`` when that one was not armed just before."""
        if not self.is_armed or self.armed != (scope, id):
            raise RuntimeError(f"the reset of kill {scope} {id} is not armed")
        self.is_armed = False
        self.switch_of(scope, id, False)[0] = False

    def killed(self):
        """What is killed: ``global`` and ``heartbeat`` as bools, the others as lists of ids."""
        return {
            "global": bool(self.is_killed),
            "heartbeat": bool(self.is_silent),
            "session": [i for i in range(GATE_VENUES) if self.sessions[i]],
            "strategy": [i for i in range(GATE_STRATEGIES) if self.strategies[i]],
            "symbol": [i for i in range(self.symbol_capacity) if self.symbols[i]],
        }

    def is_killed_now(self, scope="global", id=None):
        """Whether one scope is killed; raises as :meth:`arm_reset` does."""
        return bool(self.switch_of(scope, id, False)[0])
