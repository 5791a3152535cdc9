# SPDX-License-Identifier: Apache-2.0
"""States of which one is on, and that follow each other as said."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.steps import Steps
from sim.gateware import harness

NAMES = ("IDLE", "WORK", "REST")


class Machine(wiring.Component):
    """Works when it is told to, and rests unless it is told to again."""

    starts: In(1)
    again: In(1)
    now: Out(len(NAMES))

    def elaborate(self, platform):
        m = Module()
        steps = Steps(m, NAMES)
        m.d.comb += [self.now[i].eq(steps.ongoing(name)) for i, name in enumerate(NAMES)]
        with steps.state("IDLE"), m.If(self.starts):
            steps.go("WORK")
        with steps.state("WORK"):
            steps.go("REST")
            with m.If(self.again):
                steps.go("WORK")
        with steps.state("REST"):
            steps.go("IDLE")
        return m


def test_states_follow_each_other():
    idle, work, rest = 1, 2, 4
    with harness.model(Machine(), "machine") as model:
        inputs = [(0, 0), (0, 1), (1, 0), (0, 1), (1, 1), (0, 0), (1, 1), (0, 0), (1, 0), (0, 0)]
        seen = [model.step(starts=starts, again=again)["now"] for starts, again in inputs]
        assert seen == [idle, idle, idle, work, work, work, rest, idle, idle, work]


def test_what_is_no_state_is_refused():
    m = Module()
    steps = Steps(m, NAMES)
    with pytest.raises(ValueError, match="no state"):
        steps.go("WORK")
    with steps.state("IDLE"):
        with pytest.raises(KeyError):
            steps.go("SLEEP")
        with pytest.raises(ValueError, match="inside IDLE"), steps.state("WORK"):
            pass
    with pytest.raises(ValueError, match="inside itself"), steps.state("IDLE"):
        pass
