# SPDX-License-Identifier: Apache-2.0
"""The steps of the risk gate: whose turn it is, when the decision may be trusted, what follows."""

from amaranth.hdl import Module, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

STEADY_CYCLES = 12
"""Cycles without any change after which rows, rooms and limits are what they will stay."""

REFRESH_CYCLES = 4
"""Cycles from a request's symbol at the tables to its view."""


class Step(enum.Enum, shape=4):  # type: ignore[call-arg]
    """Where a request is; the highest bit says that there is one, as many multiplexers ask it."""

    IDLE = 0
    ASK = 8
    ANSWER = 9
    REFRESH = 10
    SECOND = 11
    LAST = 12
    VERDICT = 13
    COMMIT = 14


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
    ``uses_held``: the tables and the decision see the held request (``is_free`` is a register of
    the contrary, as many look at it); ``holds``: nothing else may change anything, as a request
    is under way or may be taken.
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
    holds: Out(1)

    def __init__(self, measure_cycles: int) -> None:
        self.measure_cycles = measure_cycles
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        """The states."""
        m = Module()
        waited = Signal(range(self.measure_cycles + REFRESH_CYCLES + 1))
        needed = Signal.like(waited)
        step, following = Signal(Step), Signal(Step)
        m.d.sync += [step.eq(following), self.is_free.eq(~following.as_value()[-1])]
        m.d.comb += [
            self.uses_held.eq(step.as_value()[-1]),
            following.eq(step),
            self.holds.eq(self.uses_held | self.offers | self.wants),
            self.is_fast.eq(self.takes_trigger & self.was_seen & self.is_steady),
        ]
        with m.Switch(step):
            with m.Case(Step.IDLE):
                m.d.comb += [
                    self.trigger_ready.eq(self.init_done),
                    self.host_ready.eq(self.init_done & ~self.offers),
                    self.takes_trigger.eq(self.trigger_ready & self.offers & self.fires),
                    self.takes_host.eq(self.host_ready & self.wants),
                ]
                m.d.sync += [waited.eq(0), needed.eq(REFRESH_CYCLES)]
                with m.If(self.takes_trigger):
                    m.d.comb += following.eq(Step.REFRESH)
                    with m.If(self.is_fast):
                        m.d.comb += following.eq(Step.LAST)
                with m.Elif(self.takes_host):
                    m.d.comb += following.eq(Step.REFRESH)
                    with m.If(self.has_order):
                        m.d.comb += following.eq(Step.ASK)
            with m.Case(Step.ASK):
                m.d.comb += self.asks.eq(1)
                with m.If(self.is_asked):
                    m.d.comb += following.eq(Step.ANSWER)
            with m.Case(Step.ANSWER):
                m.d.sync += needed.eq(self.measure_cycles + REFRESH_CYCLES)
                with m.If(self.answers):
                    m.d.comb += following.eq(Step.REFRESH)
            with m.Case(Step.REFRESH):
                m.d.comb += self.refreshes.eq(1)
                with m.If(waited != needed):
                    m.d.sync += waited.eq(waited + 1)
                with m.Elif(self.is_steady):
                    m.d.comb += following.eq(Step.SECOND)
            with m.Case(Step.SECOND):
                m.d.comb += following.eq(Step.LAST)
            with m.Case(Step.LAST):
                m.d.comb += following.eq(Step.VERDICT)
            with m.Case(Step.VERDICT):
                m.d.comb += self.decides.eq(1)
                m.d.comb += following.eq(Step.COMMIT)
            with m.Case(Step.COMMIT):
                m.d.comb += self.settles.eq(1)
                with m.If(self.is_done):
                    m.d.comb += following.eq(Step.IDLE)
            with m.Default():
                m.d.comb += following.eq(Step.IDLE)
        return m
