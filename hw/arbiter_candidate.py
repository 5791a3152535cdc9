# SPDX-License-Identifier: Apache-2.0
"""What may be taken by the arbiter in a cycle: a message of a line, or what waits first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value


@dataclass(frozen=True, slots=True)
class Changes:
    """What a candidate does to the state."""

    moves: Signal
    opens: Signal
    is_late: Signal
    starts: Signal


class Candidate:
    """A message of a line, or the head of the queue: where its number stands, what it would do.

    ``is_next``: at the expected number; ``is_jump``: behind it; ``is_missing``: in the open gap and
    not given up. The terms whose sums these are come from registers. ``is_ready``: it is taken if
    it wants to be (``is_taken``) and is ``allowed``, as nobody goes before it: that comes late.
    What it would do is known before: ``would``. ``stays``: it is taken as it is missing, or as
    nothing is arbitrated.
    """

    def __init__(self, name: str, item: Any, following: Value, is_valid: Value) -> None:
        self.name, self.item, self.following, self.is_valid = name, item, following, is_valid
        self.number: Value = item.message.sequence_number
        self.is_next, self.is_jump, self.is_missing = (
            Signal(name=f"{what}_{name}") for what in ("is_next", "is_jump", "is_missing")
        )
        self.is_ready, self.allowed, self.wants, self.is_taken = (
            Signal(name=f"{what}_{name}") for what in ("is_ready", "allowed", "wants", "is_taken")
        )
        self.stays = Signal(name=f"stays_{name}")
        self.would = Changes(*(Signal(name=f"would_{what}_{name}") for what in Changes.__slots__))
        self.does = Changes(*(Signal(name=f"{what}_{name}") for what in Changes.__slots__))

    def know(self, m: Module, terms: Mapping[str, Sequence[Value]]) -> None:
        """Where the number stands in the next cycle: each of the three the sum of some terms."""
        for what, sum_ in (
            ("next", self.is_next),
            ("jump", self.is_jump),
            ("missing", self.is_missing),
        ):
            kept = Signal(len(terms[what]), name=f"{what}_terms_{self.name}")
            m.d.sync += kept.eq(Cat(*terms[what]))
            m.d.comb += sum_.eq(kept.any())

    def before(self, m: Module) -> Changes:
        """What it did a cycle ago."""
        kept = Changes(*(Signal(name=f"was_{what}_{self.name}") for what in Changes.__slots__))
        m.d.sync += [getattr(kept, w).eq(getattr(self.does, w)) for w in Changes.__slots__]
        return kept

    def decide(self, m: Module, is_arbitrating: Value, is_started: Value) -> None:
        """What it wants, and what it does to the state when it is taken.

        What does something wants to be taken: said without that it takes fewer gates.
        """
        acts = self.is_ready & is_arbitrating
        is_message = self.item.is_message
        is_start = self.item.is_start & ~is_message
        is_new = self.is_next | self.is_jump
        m.d.comb += [
            self.wants.eq(
                Mux(
                    is_message,
                    is_new | self.is_missing | ~is_arbitrating,
                    is_start | is_arbitrating & is_new,
                )
            ),
            self.is_taken.eq(self.is_ready & self.wants & self.allowed),
            self.stays.eq(self.is_ready & (self.is_missing | ~is_arbitrating)),
            self.would.starts.eq(self.is_ready & is_start),
            self.would.moves.eq((acts & is_new) | self.would.starts),
            self.would.opens.eq(acts & self.is_jump & is_started & ~is_start),
            self.would.is_late.eq(acts & self.is_missing & is_message),
        ]
        m.d.comb += [
            getattr(self.does, w).eq(getattr(self.would, w) & self.allowed)
            for w in Changes.__slots__
        ]


def any_does(what: str, first: Candidate, others: Sequence[Candidate]) -> Value:
    """Whether any of the candidates does that: ``first``, or one that is allowed as that one is
    not taken. What they would do is summed before, as that comes late.
    """
    does: Value = getattr(first.does, what)
    if others:
        does |= Cat(*(getattr(o.would, what) for o in others)).any() & others[0].allowed
    return does


def any_moves(first: Candidate, others: Sequence[Candidate]) -> Value:
    """Whether any of the candidates moves the state on.

    As of :func:`any_does`. But if ``first`` is new, it does: so the others need not ask that to
    know whether they are allowed.
    """
    would = Cat(*(other.would.moves for other in others)).any()
    return first.does.moves | (would & ~first.stays)
