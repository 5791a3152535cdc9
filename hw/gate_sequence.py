# SPDX-License-Identifier: Apache-2.0
"""The steps of the risk gate: whose turn it is, when the decision may be trusted, what follows."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.steps import Steps

STEADY_CYCLES = 12
"""Cycles without any change after which rows, rooms and limits are what they will stay."""

REFRESH_CYCLES = 5
"""Cycles from a request that is held to its view: its symbol takes one to the tables."""


STATES = ("IDLE", "ASK", "ANSWER", "REFRESH", "SECOND", "LAST", "VERDICT", "COMMIT")
"""Where a request is."""


class GateSequence(wiring.Component):
    """One request at a time: the trigger's, else the host's.

    ``fires`` and ``wants`` are requests of trigger and host; ``takes_trigger`` and ``takes_host``
    say that they are taken. ``fires`` comes late in its cycle: ``offers`` says early that it may be
    1, and nobody else begins anything then. ``was_seen``: the trigger's was shown to the decision
    in the cycle before, with its own symbol's rows. ``is_steady``: nothing changes; with
    ``measure_cycles`` more for a request that ``has_order``, which is looked up first (``asks``,
    ``is_asked``, ``answers``).

    A decision begins in the last cycle of ``refreshes``, or in the cycle before ``takes_trigger``
    when that may be trusted (``is_fast``); three cycles later ``decides`` is 1 and the verdict is
    there. Its effect is then carried out until ``is_done``, which is not 1 in the cycle after the
    verdict while anything is to be done. ``settles``: that is under way, after a refusal too, as
    the verdict comes too late to be asked for the next step.
    ``uses_held``: the tables and the decision see the held request (``is_free`` and ``sees_shown``
    are registers of their own for the contrary, as many look at it); ``holds``: nothing else may
    change anything, as a request is under way or may be taken.
    """

    offers: In(1)
    fires: In(1)
    wants: In(1)
    has_order: In(1)
    was_seen: In(1)
    is_steady: In(1)
    is_asked: In(1)
    answers: In(1)
    is_done: In(1)
    init_done: In(1)
    takes_trigger: Out(1)
    takes_host: Out(1)
    trigger_ready: Out(1)
    host_ready: Out(1)
    asks: Out(1)
    is_fast: Out(1)
    refreshes: Out(1)
    decides: Out(1)
    settles: Out(1)
    uses_held: Out(1)
    is_free: Out(1, init=1)
    sees_shown: Out(1, init=1)
    holds: Out(1)

    def __init__(self, measure_cycles: int) -> None:
        self.measure_cycles = measure_cycles
        super().__init__()

        self.states = Signal(len(STATES))
        """For proofs: a bit per state."""

    def elaborate(self, platform: object) -> Module:
        """The states."""
        m = Module()
        waited = Signal(range(self.measure_cycles + REFRESH_CYCLES + 1))
        needed = Signal.like(waited)
        steps = Steps(m, STATES)
        takes = Signal()
        m.d.comb += [
            self.states.eq(Cat(*(steps.ongoing(name) for name in STATES))),
            self.is_free.eq(steps.ongoing("IDLE")),
            self.trigger_ready.eq(self.is_free & self.init_done),
            self.host_ready.eq(self.is_free & self.init_done & ~self.offers),
            self.takes_trigger.eq(self.trigger_ready & self.offers & self.fires),
            self.takes_host.eq(self.host_ready & self.wants),
            takes.eq(self.init_done & Mux(self.offers, self.fires, self.wants)),
            self.holds.eq(self.uses_held | self.offers | self.wants),
            self.is_fast.eq(self.takes_trigger & self.was_seen & self.is_steady),
            self.asks.eq(steps.ongoing("ASK")),
            self.refreshes.eq(steps.ongoing("REFRESH")),
            self.decides.eq(steps.ongoing("VERDICT")),
            self.settles.eq(steps.ongoing("COMMIT")),
        ]
        m.d.sync += [
            self.uses_held.eq(Mux(self.is_free, takes, ~(self.settles & self.is_done))),
            self.sees_shown.eq(Mux(self.is_free, ~takes, self.settles & self.is_done)),
        ]
        with steps.state("IDLE"):
            m.d.sync += [waited.eq(0), needed.eq(REFRESH_CYCLES)]
            with m.If(takes & self.offers):
                steps.go("REFRESH")
                with m.If(self.was_seen & self.is_steady):
                    steps.go("LAST")
            with m.Elif(takes):
                steps.go("REFRESH")
                with m.If(self.has_order):
                    steps.go("ASK")
        with steps.state("ASK"), m.If(self.is_asked):
            steps.go("ANSWER")
        with steps.state("ANSWER"):
            m.d.sync += needed.eq(self.measure_cycles + REFRESH_CYCLES)
            with m.If(self.answers):
                steps.go("REFRESH")
        with steps.state("REFRESH"):
            with m.If(waited != needed):
                m.d.sync += waited.eq(waited + 1)
            with m.Elif(self.is_steady):
                steps.go("SECOND")
        with steps.state("SECOND"):
            steps.go("LAST")
        with steps.state("LAST"):
            steps.go("VERDICT")
        with steps.state("VERDICT"):
            steps.go("COMMIT")
        with steps.state("COMMIT"), m.If(self.is_done):
            steps.go("IDLE")
        return m
