# SPDX-License-Identifier: Apache-2.0
"""A state machine with a register for each state.

The states of ``Module.FSM`` are numbers: what depends on one begins with a comparison, and with
two dozen states and wide registers that is the longest part of the way. Here a state is one bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal, Value


class Steps:
    """``with steps.state(name):`` holds what is done in a state; the first is that of the reset.

    ``steps.go(name)`` in there says which is next; the last that is said counts, and without any
    the state stays. ``steps.ongoing(name)`` is 1 while a state lasts. Raises ``KeyError`` for a
    state that there is not, and ``ValueError`` outside a state or in the same one again.
    """

    def __init__(self, m: Module, names: Sequence[str]) -> None:
        self._m = m
        self._bits = {name: 1 << place for place, name in enumerate(names)}
        self._now = {name: Signal(name=f"in_{name.lower()}", init=not i) for i, name in
                     enumerate(names)}  # fmt: skip
        self._next = {
            name: Signal(len(names), name=f"behind_{name.lower()}", init=bit)
            for name, bit in self._bits.items()
        }
        self._open = ""
        self._done: set[str] = set()
        leads_to = [Mux(self._now[name], behind, 0) for name, behind in self._next.items()]
        for place, name in enumerate(names):
            m.d.sync += self._now[name].eq(reduce(or_, (bits[place] for bits in leads_to)))

    @contextmanager
    def state(self, name: str) -> Iterator[None]:
        """What is done in a state."""
        if self._open or name in self._done:
            raise ValueError(f"state {name} inside {self._open or 'itself'}")
        self._open = name
        self._done.add(name)
        with self._m.If(self._now[name]):
            yield
        self._open = ""

    def go(self, name: str) -> None:
        """The next state."""
        if not self._open:
            raise ValueError(f"to {name} from no state")
        self._m.d.comb += self._next[self._open].eq(self._bits[name])

    def ongoing(self, name: str) -> Value:
        """Whether a state lasts."""
        return self._now[name]
