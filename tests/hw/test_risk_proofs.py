# SPDX-License-Identifier: Apache-2.0
"""Proofs about verdicts: one for each request, in order; none passes that something stands against.

Each is followed by a mutant of the gateware that must fail it.
"""

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Cover, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from mutants import mutant

from hw import formal, risk_checks, risk_decision
from hw.first_reason import FirstReason
from hw.gate_sequence import GateSequence
from hw.request import Action
from hw.request_holder import RequestHolder
from hw.risk_decision import KILLS, RiskDecision
from hw.risk_view import late_layout, view_layout
from nic.offload.enumerations import FIRST_OF_NEW_RISK, RISK

pytestmark = pytest.mark.timeout(900)  # compiling, or proving, on a busy machine

WIDTHS = (2, 1, 1, 1)
"""Of orders, symbols, strategies, venues: as few as there can be, their number changes nothing."""


INPUTS = tuple(
    name for name, member in GateSequence(1).signature.members.items() if member.flow == In
)


def in_one_state(sequence):
    """What holds of the registers of a sequence; without it nothing can be concluded."""
    states = sequence.states
    return [
        Assert(sequence.is_free == ~sequence.uses_held),
        Assert(sequence.sees_shown == sequence.is_free),
        Assert(states.any()),
        Assert((states & (states - 1)[: len(states)]) == 0),
    ]


class VerdictSpec(wiring.Component):
    """Whatever the other parts say, each request taken gets one verdict, before the next is taken.

    The verdict is about that request: the one that was shown in the cycle before it fired, or that
    the host gave. Its effect has ended before the next is taken.
    """

    free: In(10)
    is_found: In(1)
    tags: In(8)

    def __init__(self, sequence=GateSequence, holder=RequestHolder):
        self.parts = sequence(3), holder(*WIDTHS)
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        sequence, holder = self.parts
        m.submodules.sequence, m.submodules.holder = sequence, holder
        shown, given = self.tags[:4], self.tags[4:]
        shown_before = Signal(4)
        m.d.sync += shown_before.eq(shown)
        m.d.comb += [
            *(getattr(sequence, name).eq(self.free[i]) for i, name in enumerate(INPUTS)),
            holder.takes.eq(~sequence.uses_held),
            holder.given.tag.eq(Mux(sequence.offers, shown_before, given)),
            holder.takes_order.eq(sequence.answers),
            holder.is_found.eq(self.is_found),
        ]  # fmt: skip
        waits, expected, ends = Signal(), Signal(4), Signal()
        takes = sequence.takes_trigger | sequence.takes_host
        with m.If(takes):
            m.d.sync += [waits.eq(1), expected.eq(Mux(sequence.takes_host, given, shown_before))]
        with m.Elif(sequence.decides):
            m.d.sync += waits.eq(0)
        # a verdict has its effect until the parts say that it is done
        with m.If(sequence.decides):
            m.d.sync += ends.eq(1)
        with m.Elif(sequence.is_done):
            m.d.sync += ends.eq(0)
        m.d.comb += [
            Assert(~(takes & waits)),
            Assert(~(takes & ends)),
            Assert(~(sequence.decides & ~waits)),
            Assert(~(sequence.takes_trigger & sequence.takes_host)),
            Assert(~waits | (holder.request.tag == expected)),
            Assert(~(waits & ends)),
            Assert(~(waits | ends) | sequence.holds),
            Assert(sequence.uses_held == (waits | ends)),
            *in_one_state(sequence),
            Assert(sequence.settles == ends),
            Cover(sequence.decides & (expected == 5)),
        ]
        return m


class PatienceSpec(wiring.Component):
    """While the other parts answer at once, each request has its verdict within 13 cycles."""

    free: In(10)

    def __init__(self, sequence=GateSequence):
        self.sequence = sequence(1)
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.sequence = sequence = self.sequence
        waited = Signal(range(20))
        answering = sequence.is_steady & sequence.is_asked & sequence.answers
        m.d.comb += [getattr(sequence, name).eq(self.free[i]) for i, name in enumerate(INPUTS)]
        with m.If(~sequence.uses_held | sequence.settles | ~answering):
            m.d.sync += waited.eq(0)
        with m.Elif(waited != 19):
            m.d.sync += waited.eq(waited + 1)
        m.d.comb += [*in_one_state(sequence), Assert(waited <= 13), Cover(waited == 9)]
        return m


def test_each_request_has_one_verdict_in_order():
    proof = formal.prove(VerdictSpec(), "one_verdict", depth=3)
    assert proof.holds, proof.text
    assert formal.prove(VerdictSpec(), "one_verdict", depth=12, mode="cover").holds


def test_each_request_has_its_verdict_in_time():
    proof = formal.prove(PatienceSpec(), "patience", depth=16)
    assert proof.holds, proof.text


def test_a_sequence_that_waits_for_nothing_fails():
    sequence = mutant(GateSequence, "m.d.sync += waited.eq(waited + 1)", "pass")
    assert formal.prove(PatienceSpec(sequence), "patience", depth=20).verdict == "fails"


@pytest.mark.parametrize(
    "old, new",
    [
        ('steps.go("COMMIT")', 'steps.go("VERDICT")'),
        ('steps.go("SECOND")', 'steps.go("IDLE")'),
        ("self.init_done & ~self.offers", "self.init_done"),
        ('steps.go("COMMIT")', 'steps.go("IDLE")'),
        ("Mux(self.offers, self.fires, self.wants)", "(self.fires | self.wants)"),
        ("m.If(self.is_done):", "m.If(1):"),
    ],
)  # fmt: skip
def test_a_faulty_sequence_fails(old, new):
    proof = formal.prove(VerdictSpec(mutant(GateSequence, old, new)), "one_verdict", depth=14)
    assert proof.verdict == "fails", proof.text


def test_another_request_in_the_holder_fails():
    holder = mutant(RequestHolder, "        with m.If(self.takes):", "        with m.If(1):")
    proof = formal.prove(VerdictSpec(holder=holder), "one_verdict", depth=14)
    assert proof.verdict == "fails", proof.text


EARLY = (*range(1, 20), 38, 43, 51)
LATE_NUMBERS = (2, 3, 4, 5, 6, 33, 46, 50)
LAST = (25, 26, 28, 31, 40)


class FirstSpec(wiring.Component):
    """Passed means that nothing counts; the reason is the first that does, whatever comes when."""

    found: In(RISK.count)
    counts: In(RISK.count)
    reduces: In(1)

    def __init__(self, first_reason=FirstReason):
        self.first_reason = first_reason
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        early = [n for n in EARLY if n not in LATE_NUMBERS]
        found_1 = Signal(RISK.count)
        found_2 = Signal(RISK.count)
        counts_2 = Signal(RISK.count)
        reduces_2 = Signal()
        m.d.sync += [found_1.eq(self.found), found_2.eq(found_1)]
        m.d.sync += [counts_2.eq(self.counts), reduces_2.eq(self.reduces)]

        def named(numbers, bits):
            return {RISK.name_of(n): bits[n] for n in numbers}

        # early and late ones of one cycle, last ones of the next
        verdict = self.first_reason(
            m,
            named(early, found_1),
            named(LATE_NUMBERS, found_1),
            named(LAST, found_2),
            named(LAST, self.counts),
            self.reduces,
        )
        expected = Signal(range(RISK.count))
        expected_before = Signal.like(expected)
        m.d.sync += expected_before.eq(expected)
        for n in sorted({*early, *LATE_NUMBERS, *LAST}, reverse=True):
            counts = counts_2[n] if n in LAST else 1
            with m.If(found_2[n] & counts & (1 if n < FIRST_OF_NEW_RISK else ~reduces_2)):
                m.d.comb += expected.eq(n)
        m.d.comb += [
            Assert(verdict.reason == expected_before),
            Assert(verdict.passed == (expected == 0)),
            Cover(verdict.reason == 31),
        ]
        return m


def test_the_first_reason_is_given():
    proof = formal.prove(FirstSpec(), "first_reason", depth=4)
    assert proof.holds, proof.text


@pytest.mark.parametrize(
    "old, new",
    [
        ("before(n, found_late)", "before(n - 9, found_late)"),
        ("sorted((*second, *third))", "sorted(third)"),
        ("if n <= number)", "if n < number)"),
        ("(is_new_risk | is_late_new_risk)", "is_new_risk"),
        ("is_always | is_late_always |", "is_always |"),
        ("bit & ~reduces", "bit"),
        ("border = FIRST_OF_NEW_RISK", "border = FIRST_OF_NEW_RISK - 1"),
    ],
)  # fmt: skip
def test_another_reason_fails(old, new):
    spec = FirstSpec(mutant(FirstReason, old, new))
    assert formal.prove(spec, "first_reason", depth=4).verdict == "fails"


class KillSpec(wiring.Component):
    """Nothing but a cancel passes that is killed in the last cycle, or before limits are set."""

    view: In(view_layout(*WIDTHS))
    late: In(late_layout())
    is_duplicate: In(1)

    def __init__(self, decision=RiskDecision):
        self.decision = decision(*WIDTHS)
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.decision = decision = self.decision
        kills = [self.late[name] for name in KILLS]
        forbidden = Array(Signal(name=f"forbidden_{i}") for i in range(3))
        killed = Signal()
        cycles = Signal(3)
        with m.If(cycles != 7):
            m.d.sync += cycles.eq(cycles + 1)
        m.d.comb += [
            decision.view.eq(self.view),
            decision.late.eq(self.late),
            decision.is_duplicate.eq(self.is_duplicate),
        ]
        is_cancel = [Signal(name=f"is_cancel_{i}") for i in range(3)]
        m.d.sync += [
            forbidden[0].eq(~self.view.is_set),
            forbidden[1].eq(forbidden[0]),
            forbidden[2].eq(forbidden[1]),
            is_cancel[0].eq(self.view.request.action == Action.CANCEL),
            is_cancel[1].eq(is_cancel[0]),
            is_cancel[2].eq(is_cancel[1]),
            killed.eq(Cat(*kills).any()),
        ]
        may_not = (cycles >= 3) & ~is_cancel[2] & (forbidden[2] | killed)
        m.d.comb += [
            Assume(self.view.rooms.as_value() == 0),
            Assert(~(may_not & decision.passed)),
            Cover((cycles >= 3) & decision.passed & ~is_cancel[2]),
        ]
        return m


def test_nothing_passes_while_killed_or_before_limits():
    proof = formal.prove(KillSpec(), "no_pass_while_killed", depth=5)
    assert proof.holds, proof.text


def test_a_kill_that_does_not_count_fails():
    old = "{name: self.late[name] & ~is_cancel for name in KILLS}"
    decision = mutant(RiskDecision, old, old.replace("~is_cancel", "is_new"))
    proof = formal.prove(KillSpec(decision), "kill_mutant", depth=6, mode="bmc")
    assert proof.verdict == "fails", proof.text


def test_a_start_without_limits_fails(monkeypatch):
    old = '"no_limits_set": ~is_cancel & ~view.is_set'
    faulty = mutant(risk_checks.early_findings, old, old.replace("~is_cancel", "is_new"))
    monkeypatch.setattr(risk_decision, "early_findings", faulty)
    proof = formal.prove(KillSpec(), "limits_mutant", depth=6, mode="bmc")
    assert proof.verdict == "fails", proof.text
